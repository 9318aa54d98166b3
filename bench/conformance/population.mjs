import { Recorder } from '../../dist/engine/program.js';

/**
 * The same case for a population of `members`: what it records for several networks is recorded for so many; where all share
 * everything, everything is of so many networks. Undefined where it stays as it is: the case fixes which operands are shared,
 * or it has one network and is to have one.
 */
export function withPopulation(opCase, members) {
  const found = external(opCase, (count) => count);
  const shared = found.every(({ count }) => count === 1);
  if (shared && members === 1) return undefined;
  const countOf = (count) => (shared || count > 1 ? members : 1);
  let views;
  try {
    views = external(opCase, countOf);
  } catch (error) {
    if (error.name === 'LimbeckError') return undefined;
    throw error;
  }
  const fill = { ...opCase.fill };
  for (const { view } of views) {
    const { name, length } = view.slot;
    if (fill[name]?.kind !== 'values') continue;
    const { values } = fill[name];
    fill[name] = {
      kind: 'values',
      values: () => Array.from({ length }, (_, i) => values[i % values.length]),
    };
  }
  const name = `${opCase.name}, P = ${members}`;
  return { ...opCase, name, fill, record: (r) => opCase.record(counting(r, countOf)) };
}

/** A recorder whose slots have as many members as `countOf` makes of what is asked for. */
function counting(r, countOf, made = []) {
  for (const kind of ['external', 'temporary']) {
    const make = r[kind].bind(r);
    r[kind] = (name, count, ...shape) => {
      const view = make(name, countOf(count), ...shape);
      if (view.slot.external) made.push({ count, view });
      return view;
    };
  }
  return r;
}

/** The external slots that a case records: the count that was asked for, and the view that it got. */
function external(opCase, countOf) {
  const made = [];
  const r = counting(new Recorder(opCase.name), countOf, made);
  opCase.record(r);
  r.program();
  return made;
}
