import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LimbeckError } from '../../util/errors.js';
import { unreadable } from '../bytes.js';
import { filesOfSplits } from '../split-names.js';
import { type Encoding, headOf, openTableFile, rowsOf, type TableText } from '../table-text.js';
import { isTextHead, type TextColumns, type TextLayout, textLayoutOf } from './columns.js';
import { type FoundTexts, Texts } from './found.js';
import { nameOf, readSplits } from './splits.js';

/** How a table of texts is read. */
export interface TextTableOptions extends TextColumns {
  readonly header?: 'yes' | 'no';
  readonly encoding?: Encoding;
  /** Whoever gives it means texts. */
  readonly embeddings?: string;
}

const ENDINGS = '[ct]sv';
export const isTableName = (name: string): boolean => /\.[ct]sv(\.gz)?$/i.test(name);

/** Of `.tsv` files tabs part cells whatever else is in them. */
async function openTexts(path: string, options: TextTableOptions): Promise<TableText> {
  const text = await openTableFile(path, options.encoding);
  return { ...text, prose: true, ...(/\.tsv(\.gz)?$/i.test(path) && { delimiter: '\t' }) };
}

/** The table of texts in a folder that is to be trained on; undefined where there is none. */
async function tableIn(folder: string, names: readonly string[]): Promise<string | undefined> {
  const tables = names.filter((name) => isTableName(name) && !name.startsWith('.'));
  const name = filesOfSplits(names, ENDINGS).train ?? (tables.length === 1 ? tables[0] : undefined);
  return name === undefined ? undefined : join(folder, name);
}

/** Whether a table is one of texts. */
export async function isTextTable(path: string, options: TextTableOptions): Promise<boolean> {
  if (options.textColumn !== undefined || options.embeddings !== undefined) return true;
  return isTextHead(await headOf(await openTexts(path, options)));
}

/** The same of the table in a folder. */
export async function isTextTableFolder(
  names: readonly string[],
  folder: string,
  options: TextTableOptions,
): Promise<boolean> {
  const path = await tableIn(folder, names);
  return path !== undefined && isTextTable(path, options);
}

/**
 * Reads a table with a column of texts and one of classes, or a folder with `train.csv` and possibly `test.csv` and `val.csv` (`.tsv` and
 * `.gz`, too). A table to test on that has no classes is left out.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT naming the line of a row of another length; ERR_DATA for an empty text or label; ERR_OPTION
 */
export async function readTextTables(path: string, options: TextTableOptions): Promise<FoundTexts> {
  const notes: string[] = [];
  const files = isTableName(path)
    ? { train: path }
    : await (async () => {
        const names = await readdir(path);
        const others = filesOfSplits(names, ENDINGS, notes);
        const of = (name: string | undefined) => (name === undefined ? undefined : join(path, name));
        return {
          train: (await tableIn(path, names))!,
          validation: of(others.validation),
          test: of(others.test),
        };
      })();
  let layout: TextLayout | undefined;
  const splits = await readSplits(files, notes, async (file) => {
    const read = await readTable(file, options, layout);
    layout ??= read.layout;
    notes.push(...read.layout.notes);
    return read.texts;
  });
  return { name: nameOf(path, /\.[ct]sv(\.gz)?$/i), path, splits, notes };
}

async function readTable(
  path: string,
  options: TextTableOptions,
  train?: TextLayout,
): Promise<{ layout: TextLayout; texts?: Texts }> {
  const table = await openTexts(path, options);
  const layout = textLayoutOf(path, await headOf(table), options, train);
  const { header, columns, text, label } = layout;
  if (label === undefined) return { layout };
  const texts = new Texts();
  let isHeader = header !== undefined;
  for await (const { cells, line } of rowsOf(table)) {
    if (isHeader) {
      isHeader = false;
      continue;
    }
    if (cells.length !== columns)
      throw new LimbeckError(
        'ERR_FILE_FORMAT',
        `${path}: line ${line} has ${cells.length} columns, expected ${columns}; a text with separators in it must stand in quotes.`,
      );
    texts.add(cells[text], cells[label], `${path}: line ${line}`);
  }
  if (texts.texts.length === 0)
    throw unreadable(path, 'table', 'it has a header and no rows (or say --header no)');
  return { layout, texts };
}
