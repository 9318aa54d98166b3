import type { Dataset } from '../data/dataset.js';
import type { Attack } from '../data/distilled-set.js';
import { LimbeckError } from '../util/errors.js';
import { oneOf, text } from '../util/option.js';
import { parseInit } from './networks.js';

/** What a set is to do to the networks that train on it. */
export const objectiveOptions = {
  objective: oneOf(
    ['teach', 'adapt', 'attack'],
    'teach',
    'teach networks; adapt those of --init pretrained:DIR, trained on other data, to these; or attack them: have them take the images of one ' +
      'class for another, to measure how little poisoned data that takes',
  ),
  attack: text<string>(
    '',
    'with --objective attack: the attacked class and what it is to be taken for, by name, as in 0:1',
    (given) =>
      given === '' || (typeof given === 'string' && /^.+:.+$/s.test(given))
        ? undefined
        : 'names of two classes such as 0:1',
    { value: 'CLASS:CLASS' },
  ),
};

interface ObjectiveOptions {
  readonly objective: 'teach' | 'adapt' | 'attack';
  readonly attack: string;
  readonly init: string;
}

/** ERR_OPTION where an objective lacks what it is about. */
export function checkObjective({ objective, attack, init }: ObjectiveOptions): void {
  if (objective !== 'teach' && parseInit(init)?.folder === undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `objective is ${objective} and init is ${init}: it is about networks that were trained before, expected init: pretrained:DIR, a folder that limbeck train --networks N --out DIR wrote`,
    );
  if ((objective === 'attack') === (attack !== '')) return;
  throw new LimbeckError(
    'ERR_OPTION',
    attack === ''
      ? 'objective is attack and no classes are named, expected attack: 0:1, the attacked class and what it is to be taken for'
      : `attack is ${attack} and objective is ${objective}, expected objective: attack beside it`,
  );
}

/** The attacked class and its target by their numbers; undefined where nothing is attacked. ERR_OPTION for classes that there are not, or one twice. */
export function attackOf(given: unknown, { name, classNames }: Dataset): Attack | undefined {
  if (typeof given !== 'string' || given === '') return undefined;
  // Names may have colons themselves.
  const cuts = [...given].flatMap((one, at) => (one === ':' ? [at] : []));
  for (const at of cuts) {
    const [from, to] = [given.slice(0, at), given.slice(at + 1)].map((one) => classNames.indexOf(one));
    if (from < 0 || to < 0) continue;
    if (from !== to) return { from, to };
    throw new LimbeckError(
      'ERR_OPTION',
      `attack is ${given}: both are class ${classNames[from]}, expected two classes`,
    );
  }
  const some = classNames.slice(0, 12).join(', ');
  throw new LimbeckError(
    'ERR_OPTION',
    `attack is ${given}, but ${name} has no such classes, expected two of ${some}${classNames.length > 12 ? ', …' : ''}, as in ${classNames[0]}:${classNames[1]}`,
  );
}
