import * as modules from './index.gen.js';
import type { Parametrisation } from './parametrisation.js';

/** Every parametrisation by name: one file each in this folder. */
export const parametrisations: Readonly<Record<string, Parametrisation>> = Object.fromEntries(
  Object.values(modules).map(({ parametrisation }) => [
    parametrisation.name,
    parametrisation as Parametrisation,
  ]),
);
