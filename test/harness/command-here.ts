/** Commands in this process, for what they print: faster than the built program, which test/cli*.test.ts runs. */

import { parseArguments } from '../../src/cli/arguments.js';
import type { Command } from '../../src/cli/command.js';
import { LimbeckError } from '../../src/util/errors.js';

/** The command of that name. */
export const commandNamed = async (name: string): Promise<Command> =>
  (await import(`../../src/cli/${name}.ts`)).command;

/** What a command prints on both streams, its status last, and its refusal as the program says it. */
export async function printedBy(name: string, ...args: readonly string[]): Promise<string> {
  const { write: toOut } = process.stdout;
  const { write: toError } = process.stderr;
  let out = '';
  let error = '';
  process.stdout.write = ((text: string) => (out += text) !== '') as typeof toOut;
  process.stderr.write = ((text: string) => (error += text) !== '') as typeof toError;
  try {
    const command = await commandNamed(name);
    const status = await command.run(
      parseArguments(command.name, args, command.options, command.positionals),
    );
    return `$ limbeck ${[name, ...args].join(' ')}\n${error}${out}status ${status}\n`;
  } catch (refused) {
    if (!(refused instanceof LimbeckError)) throw refused;
    return `$ limbeck ${[name, ...args].join(' ')}\n${error}${out}${refused.message} [${refused.code}]\n`;
  } finally {
    process.stdout.write = toOut;
    process.stderr.write = toError;
  }
}
