import type { Abilities } from './abilities.js';
import { type Rectification, rectifications } from './ops/rectified.js';
import { shaders, standIns } from './shaders.gen.js';

const declaration = /^(?:override|const|alias|var<\w+>|fn) (\w+)\b(?:[^\n{]*;[^\n]*$|[\s\S]*?^\}$)/gm;
const directive = /^(?:enable|diagnostic)[^;\n]*;[^\n]*\n/gm;
const ofDevice = /^const (\w+) = \d+u; \/\/ of the device$/gm;

/** A module in which declarations of another one stand in for those of the same names; lines keep their numbers. */
function exchange(code: string, standIn: string): string {
  const names = new Set(Array.from(standIn.matchAll(declaration), ([, name]) => name));
  const directives = (standIn.match(directive) ?? []).map((line) => line.replace(/;.*\n/, '; ')).join('');
  const rest = code.replace(declaration, (text, name) =>
    names.has(name) ? '\n'.repeat(text.split('\n').length - 1) : text,
  );
  return `${directives}${rest}\n${standIn.replace(directive, '')}`;
}

/** The constants of a stand-in that are this device's. */
function withConstants(code: string, values: Readonly<Record<string, number>>): string {
  return code.replace(ofDevice, (_, name) => `const ${name} = ${values[name]}u;`);
}

const sums = /^fn sum(?:Of|For)Lanes\(/m;

const rectification = new RegExp(`^(${rectifications.join('|')})`);

/**
 * Name of the module of an op: products in half precision are those in tiles, with other functions in the middle, and what
 * rectifies its results is what does not, with another one at the end.
 */
export const moduleOf = (op: string): string => op.replace(rectification, '').replace(/^half/, 'tiled');

/** The text of an op's module for a device: as in `shaders/`, or with what stands in for parts of it. */
export function moduleText(op: string, abilities: Abilities): string {
  const own = rectification.exec(op)?.[0] as Rectification | undefined;
  if (own) return exchange(moduleText(op.slice(own.length), abilities), standIns[own]);
  const { subgroup, matrices } = abilities;
  const { code } = shaders[moduleOf(op)];
  if (op !== moduleOf(op)) {
    const { ROWS, COLUMNS, TERMS } = matrices!;
    const values = { SUBGROUP: subgroup, UNIT_ROWS: ROWS, UNIT_COLUMNS: COLUMNS, UNIT_TERMS: TERMS };
    return exchange(code, withConstants(standIns.matrices, values));
  }
  if (!subgroup || !sums.test(code)) return code;
  return exchange(code, withConstants(standIns.subgroups, { SUBGROUP: subgroup }));
}
