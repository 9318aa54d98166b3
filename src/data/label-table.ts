import { basename } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { readBytes } from './bytes.js';
import { type SplitName, splitNames } from './dataset.js';
import {
  type Columns,
  type LabelColumnOption,
  labelNames,
  missingLabel,
  namedColumn,
  usualColumn,
} from './label-column.js';
import { splitWords } from './split-names.js';
import { type Encoding, openTable, rowsOf } from './table-text.js';

/** How to read a table of file names and classes. */
export interface LabelTableOptions extends LabelColumnOption {
  readonly encoding?: Encoding;
}

const ENDING = '\\.(csv|tsv|txt)$';

/**
 * The classes of images that lie together, from the first of some files that is a table for them: `val_annotations.txt`, `labels.csv`,
 * `train.csv`, `trainLabels.csv` and the like, those with the name of the split first.
 *
 * @param files that may be such a table
 * @param images their file names
 * @returns undefined where no table names any of them
 * @throws ERR_DATA naming an image that the table lacks, or that has two classes in it, and where no table names images to train on;
 * ERR_OPTION where the table leaves open which column has the classes
 */
export async function findLabels(
  files: readonly string[],
  part: SplitName,
  images: readonly string[],
  options: LabelTableOptions,
  notes: string[],
): Promise<((image: string) => string) | undefined> {
  const word = `(${splitWords[part].join('|')})`;
  const kinds = '(labels?|annotations|metadata)';
  const patterns = [`^${word}([_-]?${kinds})?${ENDING}`, `^${kinds}${ENDING}`].map(
    (pattern) => new RegExp(pattern, 'i'),
  );
  const tables = patterns.flatMap((pattern) => files.filter((file) => pattern.test(basename(file))));
  for (const path of tables) {
    const labels = await readLabels(path, part, images, options, notes);
    if (labels) return labels;
  }
  if (tables.length === 0 || part !== 'train') return undefined;
  throw new LimbeckError(
    'ERR_DATA',
    `${tables.join(', ')}: no column names images such as ${images[0]}; expected a table of file names and classes.`,
  );
}

/** What a table may call an image: by its file's name, or without the ending of that. */
const waysToName = (image: string): string[] => [image, image.replace(/\.\w+$/, '')];
const partsOf = (cell: string): string[] => cell.split(/[/\\]/);
const fileNameIn = (cell: string): string => partsOf(cell).at(-1)!;
const endingOf = (name: string): string => /\.\w+$/.exec(name)?.[0].toLowerCase() ?? '';

/** Whether a cell names a file in the folder of another split. */
function isOfAnother(cell: string, part: SplitName): boolean {
  const folders = partsOf(cell.toLowerCase()).slice(0, -1);
  const named = splitNames.filter((one) => splitWords[one].some((word) => folders.includes(word)));
  return named.length > 0 && !named.includes(part);
}

async function readLabels(
  path: string,
  part: SplitName,
  images: readonly string[],
  options: LabelTableOptions,
  notes: string[],
): Promise<((image: string) => string) | undefined> {
  const rows: { cells: string[]; line: number }[] = [];
  const text = await openTable(await readBytes(path), path, options.encoding);
  for await (const { cells, line } of rowsOf(text)) rows.push({ cells, line });
  const known = new Set(images.flatMap(waysToName));
  const isImage = (cell: string | undefined) => cell !== undefined && known.has(fileNameIn(cell));
  const [first] = rows;
  const hits = first.cells.map((_, i) => rows.filter(({ cells }) => isImage(cells[i])).length);
  const file = hits.indexOf(Math.max(...hits));
  if (!hits[file]) return undefined;
  const columns = first.cells.length;
  if (columns === 1) return undefined;
  // The first row may be an image of another split.
  const endings = new Set(images.map(endingOf));
  const isRow = isImage(first.cells[file]) || endings.has(endingOf(first.cells[file]));
  const header = isRow ? undefined : first.cells;
  const label = columnOf(path, { header, columns }, file, options);
  const classes = new Map<string, string>();
  for (const { cells, line } of header ? rows.slice(1) : rows) {
    const className = cells[label];
    if (!className || !isImage(cells[file]) || isOfAnother(cells[file], part)) continue;
    const name = fileNameIn(cells[file]);
    const before = classes.get(name);
    if (before !== undefined && before !== className)
      throw new LimbeckError(
        'ERR_DATA',
        `${path}: line ${line} says that ${name} is of class ${className}, and a line before it ${before}; expected one class for each image.`,
      );
    classes.set(name, className);
  }
  if (classes.size === 0) return undefined;
  const missing = missingLabel(classes.values());
  if (missing !== undefined)
    throw new LimbeckError(
      'ERR_DATA',
      `${path}: an image has the class ${missing}, and all others are numbers: correct it, or remove the row and move the image elsewhere.`,
    );
  if (header && columns > 2)
    notes.push(
      `${path}: the classes are those of column ${JSON.stringify(header[label])}; --label-column names another`,
    );
  return (image) => {
    for (const name of waysToName(image)) {
      const found = classes.get(name);
      if (found !== undefined) return found;
    }
    throw new LimbeckError(
      'ERR_DATA',
      `${path} has no class for ${image}; add a row, or move the image elsewhere.`,
    );
  };
}

function columnOf(path: string, table: Columns, file: number, { labelColumn }: LabelTableOptions): number {
  if (labelColumn !== undefined) return namedColumn(path, table, labelColumn, 'label');
  const { header, columns } = table;
  const usual = usualColumn(header, labelNames);
  if (usual !== undefined) return usual;
  if (columns === 2) return 1 - file;
  // File, class, and a box: Tiny ImageNet's.
  if (!header && file + 1 < columns) return file + 1;
  throw new LimbeckError(
    'ERR_OPTION',
    `${path} does not tell which column has the classes; name one with --label-column${header ? `: ${header.join(', ').slice(0, 200)}` : ''}.`,
  );
}
