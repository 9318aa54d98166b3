import type { GivenOf } from '../util/option.js';
import * as modules from './index.gen.js';
import type { Method } from './method.js';
import type { CommonGiven } from './options.js';

/** Every method by name: one file each in this folder. */
export const methods: Readonly<Record<string, Method>> = Object.fromEntries(
  Object.values(modules).map(({ method }) => [method.name, method as unknown as Method]),
);

type Modules = typeof modules;

/** The options of all methods together; which of them a run may have depends on its method, and is checked. */
type MethodGiven = Together<
  { [M in keyof Modules]: GivenOf<Modules[M]['method']['options']> }[keyof Modules]
>;
type Together<Union> = (Union extends unknown ? (each: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

/** The method that a run has unless it is told another. */
export const defaultMethod = 'unrolled';

/**
 * Everything that shapes a distillation run: the options that every run has and those of its method (`unrolled` unless
 * named), all in `docs/options.md`. What is left out takes the default. JSON-serialisable.
 */
export type DistillOptions = CommonGiven &
  MethodGiven & {
    /** Its name. */
    readonly method?: Modules[keyof Modules]['method']['name'];
  };
