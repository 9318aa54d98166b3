import { gelu, leakyRelu, sigmoid, softplus, swish, tanh } from '../layers/activation.js';
import { avgPool } from '../layers/avg-pool.js';
import { batchNorm } from '../layers/batch-norm.js';
import { conv } from '../layers/conv.js';
import { convTranspose } from '../layers/conv-transpose.js';
import { dropout } from '../layers/dropout.js';
import { globalAvgPool } from '../layers/global-avg-pool.js';
import { globalMaxPool } from '../layers/global-max-pool.js';
import { groupNorm } from '../layers/group-norm.js';
import type { Layer } from '../layers/layer.js';
import { layerNorm } from '../layers/layer-norm.js';
import { linear } from '../layers/linear.js';
import { localResponseNorm } from '../layers/local-response-norm.js';
import { maxPool } from '../layers/max-pool.js';
import { oneLogit } from '../layers/one-logit.js';
import { lstm, type RecurrentOptions, rnn } from '../layers/recurrent.js';
import { relu } from '../layers/relu.js';
import { residual } from '../layers/residual.js';
import { rowsAsChannels } from '../layers/rows-as-channels.js';
import { LimbeckError } from '../util/errors.js';
import { isDeeper } from '../util/expect.js';
import { flag, type Rule, real, whole } from './options.js';

/** Windows: `kernel` pixels wide and high, moved by `stride` (pooling: by `kernel`), over `padding` (0) zeros around the map. */
interface Window {
  readonly stride?: number;
  readonly padding?: number;
}

/** A layer as JSON: a word, or an object whose first key is the layer and says how large it is. */
export type LayerSpec =
  | keyof typeof words
  | ({ conv: number; kernel: number; groups?: number; dilation?: number; bias?: boolean } & Window)
  | ({ convTranspose: number; kernel: number } & Window)
  | ({ maxPool: number } & Window)
  | ({ avgPool: number } & Window)
  | { rnn: number; layers?: number; bidirectional?: boolean }
  | { lstm: number; layers?: number; bidirectional?: boolean }
  | { linear: number }
  | { groupNorm: number }
  | { localResponseNorm: number; alpha?: number; beta?: number; k?: number }
  | { leakyRelu: number }
  | { dropout: number }
  | { residual: readonly LayerSpec[]; shortcut?: readonly LayerSpec[] };

const words = {
  relu,
  leakyRelu,
  tanh,
  sigmoid,
  softplus,
  gelu,
  swish,
  instanceNorm: () => groupNorm('instance'),
  layerNorm,
  batchNorm,
  globalAvgPool,
  globalMaxPool,
  rowsAsChannels,
  oneLogit,
} satisfies Record<string, () => Layer>;

type Values = Readonly<Record<string, unknown>>;

/** Keys in order, the first being the layer's name; those with a default may be left out. */
const kinds: Readonly<Record<string, { defaults: Values; make: (values: never) => Layer }>> = {
  conv: {
    defaults: {
      conv: undefined,
      kernel: undefined,
      stride: 1,
      padding: 0,
      groups: 1,
      dilation: 1,
      bias: true,
    },
    make: ({ conv: OC, kernel, ...geometry }: ConvValues) => conv(OC, kernel, geometry),
  },
  convTranspose: {
    defaults: { convTranspose: undefined, kernel: undefined, stride: 1, padding: 0 },
    make: ({ convTranspose: OC, kernel, ...geometry }: ConvValues & { convTranspose: number }) =>
      convTranspose(OC, kernel, geometry),
  },
  maxPool: pool('maxPool', maxPool),
  avgPool: pool('avgPool', avgPool),
  rnn: recurrent('rnn', rnn),
  lstm: recurrent('lstm', lstm),
  linear: { defaults: { linear: undefined }, make: (o: { linear: number }) => linear(o.linear) },
  groupNorm: {
    defaults: { groupNorm: undefined },
    make: (o: { groupNorm: number }) => groupNorm(o.groupNorm),
  },
  localResponseNorm: {
    // PyTorch's defaults.
    defaults: { localResponseNorm: undefined, alpha: 1e-4, beta: 0.75, k: 1 },
    make: ({ localResponseNorm: size, ...rest }: LrnValues) => localResponseNorm({ size, ...rest }),
  },
  leakyRelu: {
    defaults: { leakyRelu: undefined },
    make: (o: { leakyRelu: number }) => leakyRelu(o.leakyRelu),
  },
  dropout: { defaults: { dropout: undefined }, make: (o: { dropout: number }) => dropout(o.dropout) },
};

interface ConvValues {
  readonly conv: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}
interface LrnValues {
  readonly localResponseNorm: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
}

function pool(name: string, make: (geometry: { kernel: number; stride: number; padding: number }) => Layer) {
  return {
    defaults: { [name]: undefined, stride: 0, padding: 0 },
    make: (o: Record<string, number>) =>
      make({ kernel: o[name], stride: o.stride || o[name], padding: o.padding }),
  };
}

function recurrent(name: string, make: (options: RecurrentOptions) => Layer) {
  return {
    defaults: { [name]: undefined, layers: 1, bidirectional: false },
    make: ({ [name]: hidden, ...rest }: Record<string, never>) =>
      make({ hidden, ...(rest as unknown as Omit<RecurrentOptions, 'hidden'>) }),
  };
}

/** A layer for messages, without what may be long or nested deep. */
function specText(spec: unknown): string {
  if (isDeeper(spec, 4)) return 'nested deep';
  const text = String(JSON.stringify(spec));
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** What the value of a key may be. */
function ruleFor(name: string): Rule<unknown> {
  if (name === 'bias' || name === 'bidirectional') return flag(true);
  if (['alpha', 'beta', 'k', 'leakyRelu', 'dropout'].includes(name)) return real(0);
  // A pooling without a stride moves by its kernel.
  const least = name === 'padding' || name === 'stride' ? 0 : 1;
  return whole(least, least);
}

/** Residual blocks in one another; each looks several times at what is in it, so time grows by powers. */
const MOST_LEVELS = 4;
const MOST_LAYERS = 1000;

/** Builds the layers of a list; ERR_OPTION naming the first that is not one, with the list as `where`. */
export function layersOf(specs: readonly LayerSpec[], where: string, level = 0): Layer[] {
  if (specs.length > MOST_LAYERS)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where} has ${specs.length} layers, expected at most ${MOST_LAYERS}`,
    );
  return specs.map((spec, index) => layerOf(spec, `${where}[${index}]`, level));
}

function layerOf(spec: LayerSpec, where: string, level: number): Layer {
  const bad = (expected: string) =>
    new LimbeckError('ERR_OPTION', `${where} is ${specText(spec)}, expected ${expected}`);
  if (level > MOST_LEVELS)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where.slice(0, 60)}… lies in more than ${MOST_LEVELS} residual blocks, expected fewer`,
    );
  if (typeof spec === 'string') {
    if (!Object.hasOwn(words, spec)) throw bad(`one of ${Object.keys(words).join(', ')}, or an object`);
    return words[spec]();
  }
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
    throw bad('a word such as "relu" or an object such as { "linear": 10 }');
  const given = spec as Values;
  if ('residual' in given) {
    const { residual: branch, shortcut = [], ...rest } = given;
    if (!Array.isArray(branch) || !Array.isArray(shortcut) || Object.keys(rest).length)
      throw bad('{ "residual": [layers], "shortcut": [layers] }');
    const inside = (layers: readonly LayerSpec[], name: string) =>
      layersOf(layers, `${where}.${name}`, level + 1);
    return residual(inside(branch, 'residual'), inside(shortcut, 'shortcut'));
  }
  const kind = Object.keys(kinds).find((name) => Object.hasOwn(given, name));
  if (!kind) throw bad(`an object with one of ${[...Object.keys(kinds), 'residual'].join(', ')}`);
  const { defaults, make } = kinds[kind];
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(defaults, name));
  if (unknown) throw bad(`only ${Object.keys(defaults).join(', ')} in it`);
  const values = { ...defaults, ...given };
  for (const [name, value] of Object.entries(values)) {
    const { expected, read } = ruleFor(name);
    if (read(value) === undefined) throw bad(`${expected} for ${name}`);
  }
  return make(values as never);
}
