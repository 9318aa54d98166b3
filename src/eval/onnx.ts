import { pixelsText } from '../data/pixel-scale.js';
import { createNetwork } from '../networks/index.js';
import type { LossName } from '../train/loss.js';
import { LimbeckError } from '../util/errors.js';
import { expectOptions, shown } from '../util/expect.js';
import { type Attributes, OnnxGraph } from '../util/onnx.js';
import { expectModel, type Model, networksIn } from './model.js';

/** What of a model is exported. */
export interface ExportOnnxOptions {
  /** Which of several networks, from 0 on; default 0. */
  readonly member?: number;
}

const known = { member: true } satisfies Record<keyof ExportOnnxOptions, true>;

/** The operator that makes scores of logits, where they are probabilities. */
const operators: Record<LossName, readonly [string, Attributes?] | undefined> = {
  'cross-entropy': ['Softmax', { axis: 1 }],
  'binary-cross-entropy': ['Sigmoid'],
  'squared-error': undefined,
};

/**
 * The bytes of an ONNX file (operator set 13) of a trained network. Its input `images` `[N, C, H, W]`, any number of them, are pixels in
 * 0..1 (bytes divided by 255), or what floats the data set has, which it normalises, and whitens, itself; its outputs are `logits` `[N, K]` and, unless it was trained on
 * squared error, `probabilities` `[N, K]`. Metadata: `classNames` (JSON), the `protocol` it was trained under and, in words, what `images` are.
 *
 * @throws ERR_OPTION for a network that is not there
 */
export function exportOnnx(model: Model, options: ExportOnnxOptions = {}): Uint8Array {
  expectModel('exportOnnx', model);
  expectOptions('exportOnnx', options, known);
  const { member = 0 } = options;
  const network = createNetwork(model.network);
  const networks = networksIn(model, network);
  if (!Number.isInteger(member) || member < 0 || member >= networks)
    throw new LimbeckError(
      'ERR_OPTION',
      `exportOnnx: member is ${shown(member)}, expected a whole number from 0 to ${networks - 1}: there are ${networks} networks`,
    );
  const { parameters, statistics, loss, classNames, normalisation, notes } = model;
  const own = (all: Float32Array) =>
    all.subarray((member * all.length) / networks, ((member + 1) * all.length) / networks);
  const graph = new OnnxGraph();
  const x = addNormalisation(graph, 'images', model);
  const z = network.onnx(graph, x, own(parameters), statistics && own(statistics));
  const logits = graph.add('Identity', [z], {}, { as: 'logits' });
  const operator = operators[loss];
  const outputs = [logits];
  if (operator) outputs.push(graph.add(operator[0], [logits], operator[1], { as: 'probabilities' }));
  const shape = ['N', network.classes] as const;
  return graph.encode(
    [{ name: 'images', shape: ['N', ...network.inputShape] }],
    outputs.map((name) => ({ name, shape })),
    {
      classNames: JSON.stringify(classNames),
      protocol: notes.protocol,
      dataset: notes.dataset,
      images: normalisation.text ? 'embedded texts' : pixelsText(normalisation),
    },
  );
}

function addNormalisation(graph: OnnxGraph, images: string, { network, normalisation }: Model): string {
  const { mean, std, zca } = normalisation;
  const [C] = network.inputShape;
  let x = images;
  if (zca) {
    const n = zca.mean.length;
    const centred = graph.add('Sub', [graph.add('Flatten', [x]), graph.constant([n], zca.mean, 'zca_mean')]);
    // The transform is symmetric.
    const whitened = graph.add('MatMul', [centred, graph.constant([n, n], zca.transform, 'zca_transform')]);
    x = graph.reshape(whitened, [0, ...network.inputShape]);
  }
  const centred = graph.add('Sub', [x, graph.constant([C, 1, 1], mean, 'mean')]);
  return graph.add('Div', [centred, graph.constant([C, 1, 1], std, 'std')]);
}
