import { type NetworkSpec, networkSpec } from '../networks/spec.js';
import { resolveTable } from '../util/option.js';
import * as modules from './index.gen.js';
import type { Parametrisation } from './parametrisation.js';

/** Every parametrisation by name: one file each in this folder. */
export const parametrisations: Readonly<Record<string, Parametrisation>> = Object.fromEntries(
  Object.values(modules).map(({ parametrisation }) => [
    parametrisation.name,
    parametrisation as Parametrisation,
  ]),
);

/** The one that an option names, with the values of its own options; ERR_OPTION. */
export function parametrisationFor(given: string | NetworkSpec) {
  const { name, ...own } = networkSpec(given);
  const parametrisation = parametrisations[name];
  return { parametrisation, values: resolveTable(`parametrisation ${name}`, parametrisation.options, own) };
}
