import type { Arguments } from './arguments.js';
import type { Option } from './options.js';

/** One command of the command line; each has a file of its own. */
export interface Command {
  readonly name: string;
  /** One line for `limbeck --help`. */
  readonly summary: string;
  readonly positionals: readonly string[];
  readonly options: readonly Option[];
  readonly example: string;
  /** Returns the exit status; throws LimbeckError for what the user can mend. */
  run(args: Arguments): Promise<number>;
}
