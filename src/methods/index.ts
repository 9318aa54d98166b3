import type { GivenOf } from '../util/option.js';
import * as modules from './index.gen.js';
import type { Method } from './method.js';
import type { CommonGiven } from './options.js';

/** Every method by name: one file each in this folder. */
export const methods: Readonly<Record<string, Method>> = Object.fromEntries(
  Object.values(modules).map(({ method }) => [method.name, method as unknown as Method]),
);

type Modules = typeof modules;
type MethodOf<M extends keyof Modules> = Modules[M]['method'];

/** The options of one method, told apart by its name. */
type MethodGiven = {
  [M in keyof Modules]: { readonly method: MethodOf<M>['name'] } & GivenOf<MethodOf<M>['options']>;
}[keyof Modules];

/** The method that a run has unless it is told another. */
export const defaultMethod = 'unrolled';

/** A run that names no method. */
interface Unnamed {
  readonly method?: undefined;
}

/**
 * Everything that shapes a distillation run: the options that every run has and those of its method (`unrolled` unless
 * named), all in `docs/options.md`. What is left out takes the default. JSON-serialisable.
 */
export type DistillOptions = CommonGiven &
  (MethodGiven | (Unnamed & GivenOf<Modules[typeof defaultMethod]['method']['options']>));
