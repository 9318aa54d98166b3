import type { Abilities } from './abilities.js';
import { type Rectification, rectifications } from './ops/rectified.js';
import { shaders, standIns } from './shaders.gen.js';

const declaration = /^(?:override|const|alias|var<\w+>|fn) (\w+)\b(?:[^\n{]*;[^\n]*$|[\s\S]*?^\}$)/gm;
const directive = /^(?:enable|diagnostic)[^;\n]*;[^\n]*\n/gm;
const ofDevice = /^const (\w+) = \d+u; \/\/ of the device$/gm;

/** A module in which declarations of another one replace those of the same names; line numbers stay the same. */
function exchange(code: string, standIn: string): string {
  const names = new Set(Array.from(standIn.matchAll(declaration), ([, name]) => name));
  const directives = (standIn.match(directive) ?? []).map((line) => line.replace(/;.*\n/, '; ')).join('');
  const rest = code.replace(declaration, (text, name) =>
    names.has(name) ? '\n'.repeat(text.split('\n').length - 1) : text,
  );
  return `${directives}${rest}\n${standIn.replace(directive, '')}`;
}

/** Fills in the constants that are marked as of the device. */
function withConstants(code: string, values: Readonly<Record<string, number>>): string {
  return code.replace(ofDevice, (_, name) => `const ${name} = ${values[name]}u;`);
}

const sums = /^fn sum(?:Of|For)Lanes\(/m;

const rectification = new RegExp(`^(${rectifications.join('|')})`);

/**
 * The file in `shaders/` that the module of an op comes from: products in half precision are the tiled ones with other functions
 * for the tiles, and kernels that rectify their results are the plain ones with another `stored`.
 */
export const moduleOf = (op: string): string => op.replace(rectification, '').replace(/^half/, 'tiled');

/** The text of an op's module for a device: as in `shaders/`, or with some functions replaced. */
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
