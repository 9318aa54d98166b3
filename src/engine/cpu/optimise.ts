import type { Program } from '../program.js';
import { winograd } from './passes/winograd.js';

/** What the cpu engine makes of a program before it loads it, in this order; results stay the same up to rounding. */
const passes: readonly ((program: Program) => Program)[] = [winograd];

export function optimise(program: Program): Program {
  return passes.reduce((current, pass) => pass(current), program);
}
