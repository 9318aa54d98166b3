import type { SchemaElement } from 'hyparquet';

/**
 * Levels and places in a dictionary stand in a Parquet page as runs: a value and how often it comes, or packed bits. hyparquet believes
 * how often, whatever the page has room for, so that one damaged byte keeps it busy for minutes. Here the lengths alone are looked at,
 * byte for byte as it reads them.
 */

/** Packed bits come by eights, and a writer may fill up more than the last. */
const SPARE = 512;

/** The largest levels of a column, 0 where it has none. */
export interface Levels {
  readonly repetition: number;
  readonly definition: number;
}

/** By the schema, which lists every element before its children. */
export function levelsOf(schema: readonly SchemaElement[], path: readonly string[]): Levels {
  const levels = { repetition: schema[0]?.repetition_type === 'REPEATED' ? 1 : 0, definition: 0 };
  let at = 1;
  for (const name of path) {
    while (at < schema.length && schema[at].name !== name) at = behind(schema, at);
    if (at >= schema.length) throw new Error(`its schema has no column ${path.join('.')}`);
    const { repetition_type: kind } = schema[at++];
    if (kind === 'REPEATED') levels.repetition++;
    if (kind !== 'REQUIRED') levels.definition++;
  }
  return levels;
}

/** Where the next element stands that is no child of this one. */
function behind(schema: readonly SchemaElement[], at: number): number {
  let next = at + 1;
  for (let left = schema[at].num_children ?? 0; left > 0 && next < schema.length; left--)
    next = behind(schema, next);
  return next;
}

/** A page without its compression. */
export interface Page {
  readonly bytes: Uint8Array;
  /** Values that it says it has. */
  readonly values: number;
  /** Of its values, not of its levels; a number of Parquet's. */
  readonly encoding: number;
}

const [DICTIONARY_OLD, RLE, DICTIONARY] = [2, 3, 8];

/** A page whose levels stand before its values, behind their lengths. @throws an Error for a run that is longer than the page */
export function checkPage(page: Page, levels: Levels): void {
  let at = 0;
  for (const largest of [levels.repetition, levels.definition])
    if (largest > 0) at = checkPrefixed(page, at, widthOf(largest));
  checkValues(page, at);
}

/** A page of the second version, whose header says how long its levels are; they are never compressed. @throws as `checkPage` */
export function checkLevels(page: Page, levels: Levels, repetitionBytes: number): void {
  if (levels.repetition > 0) checkRuns(page, 0, widthOf(levels.repetition));
  if (levels.definition > 0) checkRuns(page, repetitionBytes, widthOf(levels.definition));
}

/** The values of a page, from `at` on. @throws as `checkPage` */
export function checkValues(page: Page, at: number): void {
  const { bytes, encoding } = page;
  if (encoding === RLE) checkPrefixed(page, at, 1);
  else if ((encoding === DICTIONARY || encoding === DICTIONARY_OLD) && at < bytes.length)
    checkRuns(page, at + 1, bytes[at]);
}

const widthOf = (largest: number): number => 32 - Math.clz32(largest);

/** Runs behind their length in bytes; where they end. */
function checkPrefixed(page: Page, at: number, width: number): number {
  const { bytes } = page;
  if (at + 4 > bytes.length) return bytes.length;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
  checkRuns(page, at + 4, width);
  return at + 4 + length;
}

/** The reader notices itself where bytes are missing, so that looking ends there. */
function checkRuns({ bytes, values }: Page, from: number, width: number): void {
  let at = from;
  for (let seen = 0; seen < values && at < bytes.length; ) {
    let header = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++];
      // In 32 bits, and from the beginning again beyond them, as the reader does.
      header |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    const packed = (header & 1) === 1;
    const count = packed ? (header >> 1) << 3 : header >>> 1;
    if (count < 0 || count > values + SPARE)
      throw new Error(`a run in it has ${count} values, in a page of ${values}`);
    at += packed ? Math.max(1, Math.ceil((count * width) / 8)) : (width + 7) >> 3;
    seen += count;
  }
}
