import { stat } from 'node:fs/promises';
import { LimbeckError } from '../../util/errors.js';
import { linesOf } from './lines.js';

/** Texts without classes, and what each is called. */
export interface LooseTexts {
  readonly names: readonly string[];
  readonly texts: readonly string[];
}

/**
 * Texts as somebody gives them: what is the name of a file (`.txt`) is one with a text on every line, anything else a text itself.
 *
 * @throws ERR_FILE_MISSING for what looks like a file and is none; ERR_FILE_FORMAT; ERR_DATA for a file without texts
 */
export async function readLooseTexts(given: readonly string[]): Promise<LooseTexts> {
  const names: string[] = [];
  const texts: string[] = [];
  for (const one of given) {
    if (!(await isFile(one))) {
      names.push(JSON.stringify(one.length > 40 ? `${one.slice(0, 39)}…` : one));
      texts.push(one);
      continue;
    }
    const before = texts.length;
    for await (const { content, line } of linesOf(one)) {
      names.push(`${one}:${line}`);
      texts.push(content);
    }
    if (texts.length === before)
      throw new LimbeckError('ERR_DATA', `${one} holds no texts, expected one on every line.`);
  }
  return { names, texts };
}

async function isFile(given: string): Promise<boolean> {
  const found = await stat(given).catch(() => undefined);
  if (found?.isFile()) return true;
  if (!found && /^\S+\.\w{1,5}$/.test(given) && /[\\/]|\.(txt|csv|jsonl?|tsv)$/i.test(given))
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${given} cannot be read; check the path, or give a text in quotes.`,
    );
  return false;
}
