/**
 * One trial of tfjs: the LeNet meta-step, written around what its automatic differentiation lacks. It has no second gradient
 * of convolution's filter gradient, of pooling and of the maximum, and no filter gradient at all on wasm: convolution
 * is im2col and a product of matrices, pooling the larger of slices, with gradients written here. The gradient of `exp`
 * reads its saved result, which a second gradient takes for a constant: here it computes the result anew.
 */
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { readArrays, readTask, writeResults } from '../suite/arrays.mjs';
import { measureMemory } from '../suite/memory.mjs';
import { median, time } from '../suite/statistics.mjs';

const { values: flags } = parseArgs({
  options: {
    inputs: { type: 'string' },
    results: { type: 'string' },
    seconds: { type: 'string' },
    backend: { type: 'string' },
  },
});
if (flags.backend === 'wasm') await import('@tensorflow/tfjs-backend-wasm');
await tf.setBackend(flags.backend);
await tf.ready();

const exp = tf.customGrad((x, save) => {
  save([x]);
  return { value: tf.exp(x), gradFunc: (yBar, [saved]) => tf.mul(yBar, exp(saved)) };
});

/** Gradients go where the mask says, which is a constant to a second one. */
const larger = tf.customGrad((a, b, save) => {
  const mask = tf.cast(tf.greaterEqual(a, b), 'float32');
  save([mask]);
  const gradFunc = (yBar, [saved]) => [tf.mul(yBar, saved), tf.mul(yBar, tf.sub(1, saved))];
  return { value: tf.maximum(a, b), gradFunc };
});

/** Images `[N, H, W, C]`, weights `[K K C, OC]`. */
function convolve(x, w, b, K) {
  const [N, H, W, C] = x.shape;
  const [OH, OW] = [H - K + 1, W - K + 1];
  const slices = [];
  for (let kh = 0; kh < K; kh++)
    for (let kw = 0; kw < K; kw++) slices.push(tf.slice(x, [0, kh, kw, 0], [N, OH, OW, C]));
  const columns = tf.reshape(tf.concat(slices, 3), [N * OH * OW, K * K * C]);
  return tf.reshape(tf.add(tf.matMul(columns, w), b), [N, OH, OW, -1]);
}

function pool(x) {
  const [N, H, W, C] = x.shape;
  const halves = (y, axis) => {
    const shape = axis === 1 ? [N, H / 2, 2, W, C] : [N, H / 2, W / 2, 2, C];
    const pairs = tf.reshape(y, shape);
    const at = (i) =>
      tf.slice(
        pairs,
        shape.map((_, a) => (a === axis + 1 ? i : 0)),
        shape.map((size, a) => (a === axis + 1 ? 1 : size)),
      );
    const squeezed = shape.filter((_, a) => a !== axis + 1);
    return larger(tf.reshape(at(0), squeezed), tf.reshape(at(1), squeezed));
  };
  return halves(halves(x, 1), 2);
}

function lenet([w1, b1, w2, b2, w3, b3, w4, b4, w5, b5], x) {
  const padded = tf.pad(x, [
    [0, 0],
    [2, 2],
    [2, 2],
    [0, 0],
  ]);
  const maps = tf.relu(pool(convolve(tf.relu(pool(convolve(padded, w1, b1, 5))), w2, b2, 5)));
  const flat = tf.reshape(maps, [x.shape[0], 400]);
  const hidden = tf.relu(tf.add(tf.matMul(flat, w3), b3));
  return tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(hidden, w4), b4)), w5), b5);
}

function crossEntropy(z, y) {
  // The largest logit moves every other alike: no gradient goes through it.
  const largest = tf.max(tf.tensor(z.dataSync(), z.shape), 1, true);
  const shifted = tf.sub(z, largest);
  const logSum = tf.log(tf.sum(exp(shifted), 1, true));
  return tf.mean(tf.sum(tf.mul(y, tf.sub(logSum, shifted)), 1));
}

/** Theta of the file, PyTorch's layouts, as the tensors `lenet` takes. */
function parametersOf(theta) {
  let at = 0;
  const take = (shape) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const piece = tf.tensor(theta.subarray(at, at + size), shape);
    at += size;
    return piece;
  };
  const filters = (OC, C) => tf.reshape(tf.transpose(take([OC, C, 5, 5]), [2, 3, 1, 0]), [25 * C, OC]);
  // The first linear layer reads its maps channels last.
  const first = () =>
    tf.transpose(
      tf.reshape(tf.transpose(tf.reshape(take([120, 400]), [120, 16, 5, 5]), [0, 2, 3, 1]), [120, 400]),
    );
  const linear = (O, I) => tf.transpose(take([O, I]));
  return [
    filters(6, 1),
    take([6]),
    filters(16, 6),
    take([16]),
    first(),
    take([120]),
    linear(84, 120),
    take([84]),
    linear(10, 84),
    take([10]),
  ];
}

const arrays = readArrays(flags.inputs);
const { steps, epochs, n, batch } = readTask(flags.inputs);
const peak = measureMemory();
const theta = parametersOf(arrays.parameters.data);
// One channel: first or last is the same.
const images = tf.tensor(arrays.images.data, [steps * n, 28, 28, 1]);
const labels = tf.tensor(arrays.labels.data, [steps * n, 10]);
const rates = tf.tensor(arrays.rates.data);
const real = {
  x: tf.tensor(arrays.realImages.data, [batch, 28, 28, 1]),
  y: tf.tensor(arrays.realLabels.data, [batch, 10]),
};

function metaLoss(images, rates) {
  let p = theta;
  for (let t = 0; t < steps * epochs; t++) {
    const first = (t % steps) * n;
    const x = tf.slice(images, [first, 0, 0, 0], [n, 28, 28, 1]);
    const y = tf.slice(labels, [first, 0], [n, 10]);
    const bars = tf.grads((...q) => crossEntropy(lenet(q, x), y))(p);
    const rate = tf.slice(rates, [t], [1]);
    p = p.map((value, i) => tf.sub(value, tf.mul(rate, bars[i])));
  }
  return crossEntropy(lenet(p, real.x), real.y);
}

let results;
async function step() {
  const [imagesBar, ratesBar] = tf.tidy(() => tf.grads(metaLoss)([images, rates]));
  results = { imagesBar: await imagesBar.data(), ratesBar: await ratesBar.data() };
  tf.dispose([imagesBar, ratesBar]);
}

await step();
const report = {};
if (flags.results) writeResults(flags.results, results);
else report.ms = median(await time(step, { seconds: Number(flags.seconds), repeats: 1 }));
console.log(JSON.stringify({ ...report, memory: peak() }));
