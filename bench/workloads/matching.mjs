import { Recorder } from '../../dist/engine/program.js';
import { recordDistributionMatching } from '../../dist/train/distribution-matching.js';
import { recordGradientMatching } from '../../dist/train/gradient-matching.js';
import { copyInto } from '../../dist/train/groups.js';
import { convnet } from './convnets.mjs';
import { networks, normals } from './inputs.mjs';
import { prepareProgram } from './program.mjs';

const classes = 10;
const inputShape = [1, 28, 28];

/** One outer step on images like MNIST's: 256 real images of every class beside one distilled image. */
const matching = (title, kind, record) => ({
  title,
  kind,
  peers: ['torch'],
  sizes: {
    full: { width: 128, batch: 256, inputShape },
    // Rounding decides a ReLU on its edge now and then, and every real image has more of them.
    checked: { width: 128, batch: 8, inputShape },
    small: { width: 4, batch: 3, inputShape },
  },

  async inputs(size) {
    return {
      parameters: await networks(convnet(size), 1),
      images: normals(1, [classes, 1, ...inputShape]),
      realImages: normals(2, [classes, size.batch, ...inputShape]),
    };
  },

  prepare(device, size, arrays) {
    const network = convnet(size);
    const r = new Recorder(kind);
    const member = (name) => r.external(name, classes, arrays[name].shape.slice(1));
    const theta = r.external('parameters', 1, [network.count]);
    const groups = { network, theta, images: member('images') };
    const bars = record(r, groups, member('realImages'));
    copyInto(r, bars, r.external('imagesBar', classes, bars.shape));
    const labels = Object.fromEntries(
      [1, size.batch].map((rows) => [`labels${rows}`, { data: labelsByClass(rows) }]),
    );
    return prepareProgram(device, r.program(), { ...arrays, ...labels }, ['imagesBar']);
  },
});

/** One-hot labels of `rows` images of class 0, of as many of class 1, and so on. */
function labelsByClass(rows) {
  const data = new Float32Array(classes * rows * classes);
  for (let row = 0; row < classes * rows; row++) data[row * classes + Math.floor(row / rows)] = 1;
  return data;
}

const labelsOf = (r, images) => r.external(`labels${images.shape[0]}`, classes, [images.shape[0], classes]);

export const dc = matching(
  'DC: ConvNet, one image a class, gradients of 256 real images a class matched',
  'gradient-matching',
  (r, groups, real) =>
    recordGradientMatching(r, {
      ...groups,
      labels: labelsOf(r, groups.images),
      real: { images: real, labels: labelsOf(r, real) },
      distance: 'rows',
    }).images,
);

export const dm = matching(
  'DM: ConvNet, one image a class, mean features of 256 real images a class matched',
  'distribution-matching',
  (r, groups, real) => recordDistributionMatching(r, { ...groups, real }).images,
);
