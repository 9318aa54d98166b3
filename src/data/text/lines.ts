import { LimbeckError } from '../../util/errors.js';
import { bytesText } from '../../util/words.js';
import { bytesOf, type Encoding, toUtf8 } from '../table-text.js';

/** Of a line: a text of half a million words. */
const MOST_LINE = 2 ** 22;
const NEWLINE = 10;

/** A line that is not blank. */
export interface Line {
  readonly content: string;
  /** From 1 on. */
  readonly line: number;
}

/**
 * The lines of a text file, gzipped or not, that are not blank.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT naming the first line that is no text in the encoding; ERR_DATA naming a line of more than 4 MiB
 */
export async function* linesOf(path: string, encoding?: Encoding): AsyncGenerator<Line> {
  yield* linesIn(await toUtf8(await bytesOf(path), path, encoding), path);
}

/** The same of bytes in UTF-8. */
export function* linesIn(bytes: Uint8Array, path: string): Generator<Line> {
  const decoder = new TextDecoder();
  for (let begin = 0, line = 1; begin < bytes.length; line++) {
    const found = bytes.indexOf(NEWLINE, begin);
    const end = found < 0 ? bytes.length : found;
    if (end - begin > MOST_LINE)
      throw new LimbeckError(
        'ERR_DATA',
        `${path}: line ${line} is too large, expected lines of at most ${bytesText(MOST_LINE)}, a text each.`,
      );
    const content = decoder.decode(bytes.subarray(begin, end)).trim();
    begin = end + 1;
    if (content !== '') yield { content, line };
  }
}
