import { readingTable } from '../data/reading.js';
import { precisions } from '../engine/precision.js';
import { defaultMethod, methods } from '../methods/index.js';
import { commonOptions } from '../methods/options.js';
import type { Option as TableOption } from '../util/option.js';

/** One option of a command: `--label-lr` on the command line, `labelLr` in a configuration file. */
export interface Option {
  /** In camelCase. */
  readonly name: string;
  readonly kind: 'text' | 'whole' | 'number' | 'numbers' | 'switch';
  /** Least whole number; the library checks the ranges of its own options. */
  readonly least?: number;
  /** Whether a configuration file may write it in full, as an object, which the library checks. */
  readonly full?: boolean;
  /** What stands for the value in the help: `N`, `DIR`, `hard|soft`. */
  readonly value?: string;
  readonly help: string;
  /** Default, for the help. */
  readonly fallback?: string;
  /** Heading under which the help has it. */
  readonly group?: string;
  /** The method that has it; left out, all of them. */
  readonly method?: string;
}

/** An option of a run or of reading, from the table that says what it is. */
function fromTable([name, option]: readonly [string, TableOption], group: string, method?: string): Option {
  const { kind, value, help, default: usual, fallback = usual === '' ? undefined : textOf(usual) } = option;
  return { name, kind, value, help, fallback, group, method, full: true };
}

const textOf = (value: unknown): string =>
  typeof value === 'object' ? JSON.stringify(value) : String(value);

export const dataset: Option = {
  group: 'Data',
  name: 'dataset',
  kind: 'text',
  value: 'digits|PATH',
  help: 'generated digits; or what limbeck download left in data/, by its name; or a folder of images per class, IDX, CIFAR, .npz, .safetensors, .parquet, .csv and others (docs/data.md); or texts: .csv, .jsonl, folders of .txt (docs/text.md)',
  fallback: 'digits',
};
/** How to read a data set that leaves something open. */
export const readingOptions: readonly Option[] = Object.entries(readingTable).map((entry) =>
  fromTable(entry, 'Data'),
);
export const digitsSize: Option = {
  group: 'Data',
  name: 'digitsSize',
  kind: 'whole',
  least: 10,
  value: 'N',
  help: 'training images of the generated digits; a tenth as many validate, a fifth test',
  fallback: '10000',
};
export const device: Option = {
  group: 'Engine',
  name: 'device',
  kind: 'text',
  value: 'auto|webgpu|cpu|reference',
  help: 'engine; auto takes a GPU where there is one, else the processor; webgpu:ADAPTER one of several (limbeck devices)',
  fallback: 'auto',
};
export const threads: Option = {
  group: 'Engine',
  name: 'threads',
  kind: 'whole',
  least: 1,
  value: 'N',
  help: 'threads of the cpu engine',
  fallback: 'all physical cores within affinity and quota, at most 16',
};
export const precision: Option = {
  group: 'Engine',
  name: 'precision',
  kind: 'text',
  value: precisions.join('|'),
  help: 'of products on a GPU; half rounds their factors to f16 for matrix units and adds up in f32',
  fallback: 'single',
};
export const out: Option = {
  group: 'Output',
  name: 'out',
  kind: 'text',
  value: 'DIR',
  help: 'folder for the results',
  fallback: 'runs/<dataset>-<network>-<time>',
};
export const json: Option = {
  group: 'Output',
  name: 'json',
  kind: 'switch',
  help: 'one line of JSON on stdout and nothing else',
};
export const debug: Option = {
  group: 'Output',
  name: 'debug',
  kind: 'switch',
  help: 'show the stack of unexpected errors',
};
export const help: Option = { group: 'Output', name: 'help', kind: 'switch', help: 'this text' };

/** Heading of the options that every run has. */
export const everyRun = 'Every run';

const method: Option = {
  name: 'method',
  kind: 'text',
  value: Object.keys(methods).join('|'),
  help: 'how the set is made',
  fallback: defaultMethod,
  group: everyRun,
};

/** What shapes the result: every option of the library's `distill`, those of a method under its name. */
export const distillOptions: readonly Option[] = [
  method,
  ...Object.entries(commonOptions).map((entry) => fromTable(entry, everyRun)),
  ...Object.values(methods).flatMap(({ name, summary, options }) =>
    Object.entries(options).map((entry) => fromTable(entry, `Method ${name}, ${summary}`, name)),
  ),
];

/** What says which run it is: its data, its shape, its engine. */
export const runOptions: readonly Option[] = [
  dataset,
  digitsSize,
  ...readingOptions,
  ...distillOptions,
  device,
  threads,
  precision,
];

export { flagOf } from '../util/words.js';
