import * as modules from './index.gen.js';
import type { Method } from './method.js';

/** Every method by name: one file each in this folder. */
export const methods: Readonly<Record<string, Method>> = Object.fromEntries(
  Object.values(modules).map(({ method }) => [method.name, method]),
);
