import type { Dataset } from '../data/dataset.js';
import type { Teacher } from '../methods/teacher.js';
import { createNetwork } from '../networks/index.js';
import { networkTitle } from '../networks/spec.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { counted } from '../util/words.js';
import { type Model, networksIn } from './model.js';
import { checksumOf } from './pretrained.js';

/**
 * The one network of a model as a teacher of a data set.
 *
 * @throws ERR_SHAPE where it takes other images, or knows other numbers of classes; ERR_DATA where its classes or their order are others,
 * or it sees pixels normalised otherwise; ERR_OPTION for several networks, or one whose outputs are no logits of a softmax
 */
export function teacherFrom(where: string, model: Model, dataset: Dataset): Teacher {
  const network = createNetwork(model.network);
  const networks = networksIn(model, network);
  if (networks !== 1 || model.loss !== 'cross-entropy')
    throw new LimbeckError(
      'ERR_OPTION',
      `${where} holds ${counted(networks, 'network')} trained on ${model.loss}, expected one that was trained on cross-entropy, as limbeck train does`,
    );
  const sizes = (shape: readonly number[], classes: number) => `${shapeText(shape)} in ${classes} classes`;
  const [takes, expected] = [
    sizes(network.inputShape, network.classes),
    sizes(dataset.imageShape, dataset.classes),
  ];
  if (takes !== expected)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${where} holds a network for images of ${takes}, expected ${expected} as in ${dataset.name}`,
    );
  const other = model.classNames.findIndex((name, k) => name !== dataset.classNames[k]);
  if (other >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${where} holds a network whose class ${other} is ${model.classNames[other]}, expected ${dataset.classNames[other]} as in ${dataset.name}: train it on this data`,
    );
  checkNormalisation(where, model, dataset);
  const { parameters, statistics } = model;
  const record = { network: networkTitle(model.network), checksum: checksumOf(model) };
  return { network, parameters, statistics, record };
}

/** Images are given as they are normalised for the data. */
function checkNormalisation(where: string, { normalisation }: Model, dataset: Dataset): void {
  const numbers = ({ mean, std }: Pick<Dataset, 'mean' | 'std'>) => [...mean, ...std];
  const own = numbers(normalisation);
  const near = numbers(dataset).every((value, i) => Math.abs(value - own[i]) <= 1e-5);
  const words = (zca: unknown) => (zca ? 'ZCA-whitened' : 'not whitened');
  if (near && Boolean(normalisation.zca) === Boolean(dataset.zca)) return;
  throw new LimbeckError(
    'ERR_DATA',
    `${where} holds a network for images of mean ${normalisation.mean.join(', ')} and deviation ${normalisation.std.join(', ')}, ${words(normalisation.zca)}, ` +
      `expected ${dataset.mean.join(', ')} and ${dataset.std.join(', ')}, ${words(dataset.zca)}, as ${dataset.name} has: train it on this data, read in the same way`,
  );
}
