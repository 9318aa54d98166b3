/**
 * Faults of the kind a programmer makes, for `npm run test:mutation`: `find` stands once in `file` and becomes `replace`; `tests`
 * are the files that should notice. One that changes nothing says why as `equivalent`.
 */
import { analysis } from './analysis.mjs';
import { choosing } from './choosing.mjs';
import { data } from './data.mjs';
import { engine } from './engine.mjs';
import { experts } from './experts.mjs';
import { fifthRound } from './fifth-round.mjs';
import { inducing } from './kip.mjs';
import { methods } from './methods.mjs';
import { models } from './models.mjs';
import { native } from './native.mjs';
import { numbers } from './numbers.mjs';
import { outerLoop } from './outer-loop.mjs';
import { pretrained } from './pretrained.mjs';
import { published } from './published.mjs';
import { report } from './report.mjs';
import { rest } from './rest.mjs';
import { teachers } from './teachers.mjs';
import { uses } from './uses.mjs';

export const faults = [
  ...choosing,
  ...outerLoop,
  ...methods,
  ...inducing,
  ...numbers,
  ...data,
  ...pretrained,
  ...published,
  ...report,
  ...rest,
  ...teachers,
  ...engine,
  ...experts,
  ...models,
  ...native,
  ...analysis,
  ...uses,
  ...fifthRound,
];
