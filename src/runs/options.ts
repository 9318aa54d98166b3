import { isAsPublished } from '../data/catalogue.js';
import type { Dataset } from '../data/dataset.js';
import { type DistillOptions, defaultMethod, methods } from '../methods/index.js';
import type { Method } from '../methods/method.js';
import { type CommonOptions, commonOptions } from '../methods/options.js';
import { type NetworkSpec, networkTitle } from '../networks/index.js';
import { parametrisationFor } from '../parametrisations/index.js';
import { suggestion } from '../util/closest.js';
import { LimbeckError } from '../util/errors.js';
import { expectObject, shown, written } from '../util/expect.js';
import { type OptionTable, resolveTable } from '../util/option.js';
import { fitted, fittedPatience } from './fit.js';

/** All options of a run with every value filled in. JSON-serialisable. */
export type ResolvedOptions = CommonOptions & {
  /** Name of the method. */
  readonly method: string;
  /** The method's own options. */
  readonly [name: string]: unknown;
};

/** Pictures in all that a set stores. */
export const pictureCount = ({ ipc, images }: ResolvedOptions, classes: number): number =>
  (images as number) || ipc * classes;

/** What a preset gave to options that nobody gave. */
export type Taken = Readonly<Record<string, unknown>>;

/** The method of that name; ERR_OPTION where there is none. */
export function findMethod(name: unknown = defaultMethod): Method {
  const names = Object.keys(methods);
  if (typeof name === 'string' && Object.hasOwn(methods, name)) return methods[name];
  const near = typeof name === 'string' ? suggestion(name, names, '') : '';
  throw new LimbeckError(
    'ERR_OPTION',
    `option method is ${written(name)}, expected one of ${names.join(', ')}${near && `: ${near}`}`,
  );
}

/** The options that a run of this method has. */
export const tableOf = (method: Method): OptionTable => ({ ...commonOptions, ...method.options });

/** The settings for this data set and number of images per class, if there are any. A name alone does not make it that data set. */
export function presetFor(method: Method, data: Dataset, ipc: number): Taken {
  const { name: dataset, imageShape, originalShape = imageShape, classes } = data;
  if (!isAsPublished(dataset, originalShape, classes)) return {};
  const fits = method.presets.filter(
    ({ datasets, ipc: own }) => datasets.includes(dataset) && (own === undefined || own === ipc),
  );
  return Object.assign({}, ...fits.map(({ options }) => options));
}

/** Options with where they came from. */
export interface Resolution {
  readonly options: ResolvedOptions;
  /** What the preset of the method gave. */
  readonly taken: Taken;
  /** Defaults that were replaced for the size of the training split. */
  readonly fitted: Taken;
}

/**
 * Fills in what was not given to `where`: the method's settings for the data set, else what fits its size, else the method's
 * defaults, else the common ones. Throws ERR_OPTION naming the first option that is unknown or out of range.
 */
export function resolveFor(where: string, given: DistillOptions, dataset?: Dataset): Resolution {
  expectObject(where, given);
  const { method: name, ...rest } = given as { readonly method?: string; readonly ipc?: number };
  const method = findMethod(name);
  const table = tableOf(method);
  const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const preset = dataset
    ? presetFor(method, dataset, rest.ipc ?? method.defaults.ipc ?? commonOptions.ipc.default)
    : {};
  const taken = Object.fromEntries(Object.entries(preset).filter(([option]) => !(option in known)));
  const fallback = { protocol: method.protocol, ...method.defaults };
  const isGiven = (option: string | number | symbol) => option in known || option in taken;
  const withDefaults = (fits: Taken) => {
    const first = withEnoughSteps(
      method,
      resolveTable(where, table, known, { ...fallback, ...fits, ...taken }),
      isGiven,
    );
    const isSaid = (option: string | number | symbol) => isGiven(option) || option in fits;
    return { ...first, ...method.complete?.(first as never, isSaid as never) } as CommonOptions;
  };
  const usual = withDefaults({});
  const fits = dataset ? fitted(method, dataset, usual, isGiven) : {};
  const complete = Object.keys(fits).length ? withDefaults(fits) : usual;
  const patience = dataset ? fittedPatience(dataset, complete, isGiven) : {};
  const options = { method: method.name, ...complete, ...patience } as ResolvedOptions;
  checkTogether(method, options, taken, dataset);
  checkIdle(where, method, known, options, preset);
  const changed = Object.keys(fits).map((name) => [name, options[name]] as const);
  const differing = changed.filter(([name, value]) => value !== (usual as ResolvedOptions)[name]);
  return { options, taken, fitted: { ...Object.fromEntries(differing), ...patience } };
}

/** Options with as many outer steps as the method needs, unless somebody said how many. */
function withEnoughSteps<Values extends object>(
  method: Method,
  values: Values,
  isGiven: (option: string) => boolean,
): Values {
  if (isGiven('iterations') || !method.leastIterations) return values;
  const least = method.leastIterations(values as never);
  return { ...values, iterations: Math.max(least, (values as unknown as CommonOptions).iterations) };
}

/** The method's own check; what it finds may be between something given and a preset that nobody knows of. */
function checkTogether(method: Method, options: ResolvedOptions, taken: Taken, dataset?: Dataset): void {
  try {
    method.check?.(options as never);
  } catch (error) {
    if (!(error instanceof LimbeckError) || error.code !== 'ERR_OPTION') throw error;
    const { message } = error;
    const named = Object.entries(taken).filter(([name]) => new RegExp(`\\b${name}\\b`).test(message));
    if (!named.length) throw error;
    const said = `${optionsText(Object.fromEntries(named))} comes with the settings for ${dataset?.name}`;
    throw new LimbeckError('ERR_OPTION', `${message} (${said}: give that, too)`, { cause: error });
  }
}

/**
 * Throws ERR_OPTION for the first option that was given and does nothing beside the others. One that has a value it would have had anyway is
 * fine: the record of a run has all of them.
 */
function checkIdle(
  where: string,
  method: Method,
  known: Taken,
  options: ResolvedOptions,
  preset: Taken,
): void {
  const { parametrisation, values } = parametrisationFor(options.parametrisation);
  const idle: Readonly<Record<string, string>> = {
    ...(parametrisation.ignoresFirst?.(values) && { first: parametrisation.ignoresFirst(values)! }),
    ...method.idle?.(options as never),
  };
  for (const [name, why] of Object.entries(idle)) {
    const usual = [
      tableOf(method)[name].default,
      ...[method.defaults, method.small ?? {}, preset].map((of) => (of as Taken)[name]),
    ];
    if (!(name in known) || usual.includes(known[name])) continue;
    throw new LimbeckError(
      'ERR_OPTION',
      `${where && `${where}: `}option ${name} is ${written(known[name])}, but ${why}`,
    );
  }
}

/** The same for options alone: without a data set there is no preset. */
export const resolveOptions = (given: DistillOptions): ResolvedOptions => resolveFor('', given).options;

/**
 * The options that a file holds: all of them, for a default of today need not be what the run was made with. Throws
 * ERR_OPTION.
 */
export function storedOptions(stored: Readonly<Record<string, unknown>>): ResolvedOptions {
  const { method: name, ...rest } = stored;
  if (name === undefined) throw new LimbeckError('ERR_OPTION', 'option method is missing');
  const method = findMethod(name);
  const missing = Object.keys(tableOf(method)).filter((option) => !Object.hasOwn(rest, option));
  if (missing.length) throw new LimbeckError('ERR_OPTION', `options lack ${missing.join(', ')}`);
  const values = resolveTable('', tableOf(method), rest);
  const options = { method: method.name, ...values };
  method.check?.(options as never);
  return options as unknown as ResolvedOptions;
}

/** What the value of an option of this method should have been; undefined when it is fine. */
export const expectedFor = (method: Method, name: string, value: unknown): string | undefined =>
  tableOf(method)[name]?.expected(value);

/** The value of an option, for people: networks as on the command line, several values with commas between. */
export function optionText(value: unknown): string {
  if (Array.isArray(value)) return value.map(optionText).join(', ');
  if (typeof value !== 'object' || value === null) return shown(value).replaceAll('"', '');
  return 'name' in value ? networkTitle(value as NetworkSpec) : written(value);
}

/** The options that were not left as they are, for people: `lr 0.02, steps 10`. */
export const optionsText = (options: Taken): string =>
  Object.entries(options)
    .map(([name, value]) => `${name} ${optionText(value)}`)
    .join(', ');
