import { readdirSync } from 'node:fs';
import type { Kernel } from '../../src/engine/kernel.js';
import type { OpCase } from '../../src/engine/op.js';
import { corners } from './corners.js';

type Op = Record<string, unknown>;

/** Every op file of the cpu engine, found by reading the folders; as TypeScript and compiled. */
export const ops: Record<string, Op> = {};
for (const folder of ['../../src/engine/ops/', '../../src/engine/cpu/ops/']) {
  const url = new URL(folder, import.meta.url);
  for (const file of readdirSync(url).filter((name) => /^[a-z0-9]+\.[jt]s$/.test(name)))
    ops[file.slice(0, -3)] = await import(new URL(file, url).href);
}

export const kernelsOf = (op: Op): Kernel[] =>
  Object.values(op).filter(
    (value): value is Kernel => typeof value === 'object' && value !== null && 'reference' in value,
  );

/** What the native kernels are held to. */
export const cases: readonly OpCase[] = [
  ...Object.values(ops).flatMap((op) => op.cases as readonly OpCase[]),
  ...corners,
];
