import { LimbeckError } from '../util/errors.js';
import { positive, text } from '../util/option.js';
import type { Setting } from './method.js';
import type { Teacher } from './teacher.js';

/** Options of methods that have a teacher. */
export const teacherOptions = {
  teacher: text<string>(
    '',
    'network that knows the classes: a folder or file that limbeck train --out wrote; it chooses or shapes the images, and its answers are the labels',
    (given) => (typeof given === 'string' ? undefined : 'the path of a network'),
    { value: 'DIR' },
  ),
  temperature: positive(
    20,
    'its logits are divided by it for the labels; networks train on them at the same',
  ),
};

/** ERR_OPTION where no teacher is named. */
export function checkTeacher({ teacher }: { readonly teacher: string }): void {
  if (teacher) return;
  throw new LimbeckError(
    'ERR_OPTION',
    'teacher is missing, expected a network that was trained on this data: limbeck train --dataset … --out teacher, then --teacher teacher',
  );
}

/** The teacher that a run names; ERR_OPTION where it is not given. */
export function teacherOf({ teacher, options }: Setting): Teacher {
  if (teacher) return teacher;
  throw new LimbeckError(
    'ERR_OPTION',
    `option teacher is ${options.teacher}, expected the network in it given with it: \`teacher\`, a model as decodeModel gives it`,
  );
}
