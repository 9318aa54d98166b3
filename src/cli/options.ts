import { precisions } from '../engine/precision.js';
import { methods } from '../methods/index.js';
import { networkNames } from '../networks/index.js';
import { adamInnerRate, type DistillOptions, defaults, plainInnerRate } from '../runs/options.js';
import { keeps } from '../train/hypergradient.js';
import { lossNames } from '../train/loss.js';
import { scheduleKinds } from '../train/schedule.js';
import { optimizerKinds } from '../train/training.js';

/** One option of a command: `--label-lr` on the command line, `labelLr` in a configuration file. */
export interface Option {
  /** In camelCase. */
  readonly name: string;
  readonly kind: 'text' | 'whole' | 'number' | 'numbers' | 'switch';
  /** Least whole number; the library checks the ranges of its own options. */
  readonly least?: number;
  /** What stands for the value in the help: `N`, `DIR`, `hard|soft`. */
  readonly value?: string;
  readonly help: string;
  /** Default, for the help. */
  readonly fallback?: string;
}

const choices = (name: string, value: string, help: string): Option => ({ name, kind: 'text', value, help });
const whole = (name: string, help: string): Option => ({ name, kind: 'whole', value: 'N', help });
const real = (name: string, help: string): Option => ({ name, kind: 'number', value: 'X', help });
const reals = (name: string, help: string): Option => ({ name, kind: 'numbers', value: 'X,…', help });

function withDefault(option: Option): Option {
  const value = defaults[option.name as keyof DistillOptions];
  const text = typeof value === 'object' && 'kind' in value ? String(value.kind) : String(value);
  const where = `for three inner steps of sgd from a fixed initialisation, else ${plainInnerRate} (adam: ${adamInnerRate})`;
  return { ...option, fallback: option.name === 'innerLr' ? `${text} ${where}` : text };
}

export const dataset: Option = {
  name: 'dataset',
  kind: 'text',
  value: 'digits|PATH',
  help: 'generated digits; or a folder of images per class, IDX, CIFAR, .npz, .safetensors, .csv (docs/data.md)',
  fallback: 'digits',
};
/** How to read a data set that leaves something open. */
export const readingOptions: readonly Option[] = [
  {
    name: 'imageSize',
    kind: 'text',
    value: 'HxW',
    help: 'size to bring image files to, or of flat rows of pixels',
    fallback: 'theirs, if all have the same; a square',
  },
  {
    name: 'channels',
    kind: 'whole',
    least: 1,
    value: '1|3',
    help: 'images in grey or in colour',
    fallback: '3 if any image has a colour',
  },
  {
    name: 'layout',
    kind: 'text',
    value: 'nhwc|nchw',
    help: 'colours of arrays come last, or first',
    fallback: 'what their shape says',
  },
  {
    name: 'labelColumn',
    kind: 'text',
    value: 'NAME',
    help: 'column of a CSV table that holds the classes',
    fallback: 'label, class, target or y, else the first',
  },
  { name: 'labelSet', kind: 'text', value: 'fine|coarse', help: 'labels of CIFAR-100', fallback: 'fine' },
  { name: 'zca', kind: 'switch', help: 'whiten the images by regularised ZCA (epsilon 0.1)' },
];
export const digitsSize: Option = {
  name: 'digitsSize',
  kind: 'whole',
  least: 10,
  value: 'N',
  help: 'training images of the generated digits; a tenth as many validate, a fifth test',
  fallback: '10000',
};
export const device: Option = {
  name: 'device',
  kind: 'text',
  value: 'auto|webgpu|cpu|reference',
  help: 'engine; auto takes a GPU where there is one, else the processor; webgpu:ADAPTER one of several (limbeck devices)',
  fallback: 'auto',
};
export const threads: Option = {
  name: 'threads',
  kind: 'whole',
  least: 1,
  value: 'N',
  help: 'threads of the cpu engine',
  fallback: 'all cores, at most 16',
};
export const precision: Option = {
  name: 'precision',
  kind: 'text',
  value: precisions.join('|'),
  help: 'of products on a GPU; half rounds their factors to f16 for matrix units and adds up in f32',
  fallback: 'single',
};
export const out: Option = {
  name: 'out',
  kind: 'text',
  value: 'DIR',
  help: 'folder for the results',
  fallback: 'runs/<dataset>-<network>-<time>',
};
export const json: Option = {
  name: 'json',
  kind: 'switch',
  help: 'one line of JSON on stdout and nothing else',
};
export const debug: Option = { name: 'debug', kind: 'switch', help: 'show the stack of unexpected errors' };
export const help: Option = { name: 'help', kind: 'switch', help: 'this text' };

/** What shapes the result: every option of the library's `distill`. */
export const distillOptions: readonly Option[] = [
  choices('method', Object.keys(methods).join('|'), 'objective'),
  choices('network', networkNames.join('|'), 'network to distil for, with options as in mlp:width=64'),
  choices('init', 'fixed|random', 'for one known initialisation, or for freshly drawn ones'),
  whole('population', 'networks per outer step'),
  whole('steps', 'inner steps per epoch, each with images of its own'),
  whole('epochs', 'times the steps are repeated'),
  whole('ipc', 'images per class in each step'),
  choices('labels', 'hard|soft', 'labels fixed, or learned with the images'),
  whole('iterations', 'outer steps'),
  whole('batch', 'real images per outer step'),
  real('lr', "outer Adam's rate for the images"),
  real('labelLr', "outer Adam's rate for soft labels"),
  real('rateLr', "outer Adam's rate for the inner learning rates; 0 keeps them"),
  reals('innerLr', 'first inner learning rates: one, or one per inner step'),
  choices('rates', 'per-step|shared', 'a learned rate for every inner step, or one for all'),
  choices('optimizer', optimizerKinds.join('|'), 'what trains on the distilled images'),
  real('momentum', 'of momentum and nesterov'),
  real('weightDecay', 'of the inner optimiser; decoupled for adamw'),
  real('innerBeta1', "inner Adam's decay of the mean"),
  real('innerBeta2', "inner Adam's decay of the square"),
  real('innerEpsilon', "inner Adam's epsilon"),
  choices('loss', lossNames.join('|'), 'what the inner steps minimise'),
  real('imageScale', 'standard deviation of the first images'),
  real('beta1', "outer Adam's decay of the mean"),
  real('beta2', "outer Adam's decay of the square"),
  real('epsilon', "outer Adam's epsilon"),
  choices('schedule', scheduleKinds.join('|'), 'course of the outer rates'),
  real('clip', 'largest norm of a meta-gradient; 0 for no limit'),
  real('average', 'decay of the running average that becomes the result; 0 for none'),
  whole('seed', 'of everything random'),
  whole('validateEvery', 'outer steps between two looks at the validation split'),
  whole('networks', 'networks of the final evaluation (random initialisation)'),
  choices('keep', keeps.join('|'), 'inner steps kept for the way back: all is fastest and takes most memory'),
].map(withDefault);

/** `labelLr` → `--label-lr` */
export const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
