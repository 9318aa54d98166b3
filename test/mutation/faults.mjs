/**
 * Faults of the kind a programmer makes, for `npm run test:mutation`: `find` stands once in `file` and becomes `replace`; `tests`
 * are the files that should notice. One that changes nothing says why as `equivalent`.
 */
import { choosing } from './choosing.mjs';
import { outerLoop } from './outer-loop.mjs';

export const faults = [...choosing, ...outerLoop];
