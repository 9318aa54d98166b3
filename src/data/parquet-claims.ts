import type { FileMetaData } from 'hyparquet';
import { bytesText, count } from '../util/words.js';
import { checkLevels, checkPage, checkValues, type Levels, levelsOf } from './parquet-runs.js';
import { footerOf, ThriftStruct } from './thrift.js';
import { roomFor, tooLarge } from './unpack.js';

/** What the headers of a Parquet file claim, held against its size: the reader makes room for all of it before it looks. */

/** Statistics of columns of pictures may hold whole pictures: a tenth of a file. */
const mostFooter = (size: number): number => Math.max(2 ** 21, size / 10);
/** Values that any file may have, and bytes of a larger one for each: a picture alone takes more. */
const VALUES = { any: 2 ** 17, bytesEach: 16 } as const;

/** @throws an Error where the footer is no struct, or far more than columns and groups of rows need */
export function checkFooter(bytes: Uint8Array): void {
  const { begin, end, containers } = footerOf(bytes);
  const length = end - begin;
  if (length > mostFooter(bytes.length))
    throw new Error(`its footer has ${length} bytes, expected ${mostFooter(bytes.length)} at most`);
  if (containers > 1000 + length / 6)
    throw new Error(`its footer has ${containers} lists and objects in ${length} bytes`);
}

/** Takes a page out of its compression. */
export type Decompress = (bytes: Uint8Array, size: number) => Uint8Array;

/**
 * Looks at every page of some columns: at its header, and at the lengths of its runs.
 *
 * @param decompress by the name of the compression
 * @throws ERR_DATA where more comes out of their compression than `roomFor` allows; an Error where they claim more rows than bytes of that
 * number can hold, or a run is longer than its page
 */
export function checkPages(
  bytes: Uint8Array,
  path: string,
  { num_rows: rows, row_groups: groups, schema }: Pick<FileMetaData, 'num_rows' | 'row_groups' | 'schema'>,
  columns: readonly string[],
  decompress: Readonly<Record<string, Decompress>>,
): void {
  const most = VALUES.any + bytes.length / VALUES.bytesEach;
  const room = roomFor(bytes.length);
  const sums = { values: 0, unpacked: 0 };
  const add = (values: number, unpacked: number) => {
    if (!(values >= 0 && unpacked >= 0)) throw new Error('a page of it promises less than nothing');
    sums.values += values;
    sums.unpacked += unpacked;
    if (sums.values > most)
      throw new Error(`it promises ${count(sums.values)} rows and more, but has ${bytes.length} bytes`);
    if (sums.unpacked > room) throw tooLarge(path, bytesText(sums.unpacked), room);
  };
  add(Number(rows), 0);
  for (const { num_rows, columns: chunks } of groups) {
    add(Number(num_rows), 0);
    for (const { meta_data: chunk } of chunks) {
      if (!chunk || !columns.includes(chunk.path_in_schema[0])) continue;
      add(Number(chunk.num_values), 0);
      const levels = levelsOf(schema, chunk.path_in_schema);
      const begin = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
      const end = begin + Number(chunk.total_compressed_size);
      if (!(begin >= 0 && end <= bytes.length)) throw new Error('a column of it lies beyond its end');
      for (let at = begin; at < end - 1; ) {
        const { numbers, end: data } = new ThriftStruct(bytes.subarray(0, end), at);
        const values = Math.max(0, ...['5.1', '7.1', '8.1'].map((field) => numbers.get(field) ?? 0));
        add(values, numbers.get('2') ?? 0);
        // The reader would go back to a page again and again.
        const packed = numbers.get('3') ?? 0;
        if (!(packed >= 0 && packed <= end - data)) throw new Error('a page of it lies beyond its column');
        checkPageRuns(bytes.subarray(data, data + packed), numbers, levels, decompress[chunk.codec]);
        at = data + packed;
      }
    }
  }
}

const [DATA_PAGE, DATA_PAGE_V2] = [0, 3];

/** @param numbers of its header, by their places in Parquet's PageHeader */
function checkPageRuns(
  bytes: Uint8Array,
  numbers: ReadonlyMap<string, number>,
  levels: Levels,
  decompress: Decompress | undefined,
): void {
  // The reader goes on with a missing one as if it were a number.
  const number = (field: string): number => {
    const value = numbers.get(field);
    if (value === undefined) throw new Error(`the header of a page lacks field ${field}`);
    return value;
  };
  const whole = (packed: Uint8Array, size: number) =>
    decompress && packed.length > 0 ? decompress(packed, size) : packed;
  if (number('1') === DATA_PAGE) {
    const page = { values: number('5.1'), encoding: number('5.2') };
    checkPage({ ...page, bytes: whole(bytes, number('2')) }, levels);
  } else if (number('1') === DATA_PAGE_V2) {
    const page = { values: number('8.1'), encoding: number('8.4') };
    const [definition, repetition] = [number('8.5'), number('8.6')];
    if (definition < 0 || repetition < 0) throw new Error('a page of it has levels of a negative length');
    checkLevels({ ...page, bytes }, levels, repetition);
    const values = bytes.subarray(definition + repetition);
    const size = number('2') - definition - repetition;
    checkValues({ ...page, bytes: numbers.get('8.7') === 0 ? values : whole(values, size) }, 0);
  }
}
