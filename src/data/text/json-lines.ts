import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { breathe } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import { shown } from '../../util/expect.js';
import { unreadable } from '../bytes.js';
import { filesOfSplits } from '../split-names.js';
import type { Encoding } from '../table-text.js';
import { missing, propertiesOf, type TextColumns } from './columns.js';
import { type FoundTexts, Texts } from './found.js';
import { linesOf } from './lines.js';
import { nameOf, readSplits } from './splits.js';

export interface JsonLinesOptions extends TextColumns {
  readonly encoding?: Encoding;
}

const ENDINGS = 'jsonl|ndjson';
const ENDING = /\.(jsonl|ndjson)(\.gz)?$/i;
export const isJsonLinesName = (name: string): boolean => ENDING.test(name);

/** Of a folder: its file to train on, or the only one. */
function fileIn(names: readonly string[]): string | undefined {
  const files = names.filter((name) => isJsonLinesName(name) && !name.startsWith('.'));
  return filesOfSplits(names, ENDINGS).train ?? (files.length === 1 ? files[0] : undefined);
}

export const isJsonLinesFolder = (names: readonly string[]): boolean => fileIn(names) !== undefined;

/**
 * Reads lines of JSON, each an object with a text and a class: a file, or a folder with `train.jsonl` and possibly `test.jsonl` and
 * `val.jsonl` (`.ndjson` and `.gz`, too), or with one such file of any name. A file to test on that has no classes is left out.
 *
 * @throws ERR_FILE_FORMAT naming the first line that is no object of JSON; ERR_DATA for an empty text or label; ERR_OPTION; ERR_FILE_MISSING
 */
export async function readJsonLines(path: string, options: JsonLinesOptions): Promise<FoundTexts> {
  const notes: string[] = [];
  const files = isJsonLinesName(path) ? { train: path } : await filesIn(path, notes);
  const splits = await readSplits(files, notes, (file, part) => readFile(file, options, part === 'train'));
  return { name: nameOf(path, ENDING), path, splits, notes };
}

async function filesIn(folder: string, notes: string[]) {
  const names = await readdir(folder);
  const { validation, test } = filesOfSplits(names, ENDINGS, notes);
  const of = (name: string | undefined) => (name === undefined ? undefined : join(folder, name));
  return { train: join(folder, fileIn(names)!), validation: of(validation), test: of(test) };
}

async function readFile(
  path: string,
  { encoding, ...options }: JsonLinesOptions,
  needsLabels: boolean,
): Promise<Texts | undefined> {
  const texts = new Texts();
  let names: { text: string; label: string | undefined } | undefined;
  for await (const { content, line } of linesOf(path, encoding)) {
    const where = `${path}: line ${line}`;
    const row = objectOf(content, where);
    names ??= propertiesOf(path, row, options);
    if (names.label === undefined) {
      if (needsLabels) throw missing(path, Object.keys(row), 'label', options.labelColumn);
      return undefined;
    }
    texts.add(propertyOf(row, names.text, where, false), propertyOf(row, names.label, where, true), where);
    if (texts.texts.length % 4096 === 0) await breathe();
  }
  if (texts.texts.length === 0) throw unreadable(path, 'file of JSON lines', 'it is empty');
  return texts;
}

function objectOf(content: string, where: string): Record<string, unknown> {
  let row: unknown;
  try {
    row = JSON.parse(content);
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${where} is not JSON (${(cause as Error).message.slice(0, 100)}), expected an object such as {"text": "…", "label": "…"} on every line.`,
      { cause },
    );
  }
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as Record<string, unknown>;
  throw new LimbeckError(
    'ERR_FILE_FORMAT',
    `${where} is ${shown(row)}, expected an object such as {"text": "…", "label": "…"} on every line.`,
  );
}

/** Classes may be numbers or truth values, too. */
function propertyOf(row: Record<string, unknown>, name: string, where: string, isLabel: boolean): string {
  const value = Object.hasOwn(row, name) ? row[name] : undefined;
  if (typeof value === 'string') return value;
  if (isLabel && (Number.isSafeInteger(value) || typeof value === 'boolean')) return String(value);
  throw new LimbeckError(
    'ERR_DATA',
    `${where}: ${JSON.stringify(name)} is ${value === undefined ? 'missing' : shown(value)}, expected ${isLabel ? 'a class: a name or a whole number' : 'a text'}; correct the line, or name another property (--${isLabel ? 'label' : 'text'}-column).`,
  );
}
