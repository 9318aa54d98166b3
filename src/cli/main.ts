#!/usr/bin/env node
import { findMethod } from '../runs/options.js';
import { suggestion } from '../util/closest.js';
import { LimbeckError } from '../util/errors.js';
import { version } from '../util/version.js';
import { printable } from '../util/words.js';
import { command as analyse } from './analyse.js';
import { parseArguments } from './arguments.js';
import { command as compare } from './compare.js';
import { command as data } from './data.js';
import { command as devices } from './devices.js';
import { command as distill } from './distill.js';
import { command as download } from './download.js';
import { command as evaluate } from './evaluate.js';
import { command as experts } from './experts.js';
import { command as exportNetwork } from './export.js';
import { commandHelp, generalHelp } from './help.js';
import { command as plan } from './plan.js';
import { command as predict } from './predict.js';
import { command as profile } from './profile.js';
import { command as resume } from './resume.js';
import { command as train } from './train.js';
import { command as use } from './use.js';

const commands = [
  distill,
  plan,
  resume,
  evaluate,
  compare,
  analyse,
  use,
  train,
  predict,
  exportNetwork,
  experts,
  data,
  download,
  devices,
  profile,
];

/** Statuses: 0 done, 1 a fault of ours, 2 something the user can mend, 130 stopped by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP. */
async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(generalHelp(commands, columns()));
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (!command) {
    const names = commands.map((candidate) => candidate.name);
    throw new LimbeckError(
      'ERR_OPTION',
      `there is no command ${JSON.stringify(name)}; ${suggestion(name, names, `there are: ${names.join(', ')} (see limbeck --help)`)}`,
    );
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(commandHelp(command, columns(), methodIn(rest)));
    return 0;
  }
  return command.run(parseArguments(command.name, rest, command.options, command.positionals));
}

/** Of the terminal; as many as most have where help goes elsewhere. */
const columns = (): number => process.stdout.columns || 80;

/** The method that is named on a command line that may be wrong otherwise. */
function methodIn(args: readonly string[]): string | undefined {
  const at = args.findIndex((word) => word === '--method' || word.startsWith('--method='));
  if (at < 0) return undefined;
  return findMethod(args[at].split('=')[1] ?? args[at + 1]).name;
}

function explain(error: unknown, debug: boolean): number {
  const known = error instanceof LimbeckError;
  const message = (error instanceof Error ? error.message : String(error)).split('\n')[0];
  const code = known ? ` [${error.code}]` : debug ? '' : ' (unexpected; --debug shows where)';
  process.stderr.write(`limbeck: ${printable(message)}${code}\n`);
  if (debug && error instanceof Error) process.stderr.write(`${printable(String(error.stack))}\n`);
  return known ? 2 : 1;
}

// A reader such as `head` may close the pipe early, and a terminal may go away; that is no fault, and nothing to end a run for.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });

const args = process.argv.slice(2);
// Not process.exit: output may still be on its way.
process.exitCode = await main(args).catch((error) => explain(error, args.includes('--debug')));
