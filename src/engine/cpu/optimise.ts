import { breathe } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import { normPool } from '../passes/normpool.js';
import type { Program } from '../program.js';
import { fewChannels } from './passes/fewchannels.js';
import { pooled } from './passes/pooled.js';
import { rematerialise } from './passes/rematerialise.js';
import { winograd } from './passes/winograd.js';

type Pass = (program: Program) => Program;

/** What is applied to a program before it is loaded, in this order; results stay the same up to rounding. */
const passes: Readonly<Record<string, Pass>> = { winograd, pooled, fewChannels, normPool, rematerialise };

/** The passes of these names, by default all, as one; ERR_OPTION for an unknown name. */
export function optimiserOf(
  names: readonly string[] = Object.keys(passes),
): (program: Program) => Promise<Program> {
  const unknown = names.find((name) => !Object.hasOwn(passes, name));
  if (unknown !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `passes has ${JSON.stringify(unknown)}, expected names out of: ${Object.keys(passes).join(', ')}`,
    );
  const chosen = Object.keys(passes).filter((name) => names.includes(name));
  return async (program) => {
    let current = program;
    for (const name of chosen) {
      current = passes[name](current);
      await breathe();
    }
    return current;
  };
}
