import { readdir, stat } from 'node:fs/promises';
import { LimbeckError } from '../util/errors.js';
import { expectObject, shown } from '../util/expect.js';
import { checkOption } from '../util/option.js';
import { flagOf } from '../util/words.js';
import { isArrayFolder, loadArrayFile } from './array-files.js';
import type { SplitOptions } from './assemble.js';
import { isCifar, loadCifar } from './cifar.js';
import { isClassArrays, loadClassArrays } from './class-arrays.js';
import { isCsvFolder, loadCsv } from './csv.js';
import type { Dataset } from './dataset.js';
import { type DigitsOptions, generateDigits } from './digits.js';
import { isIdxName, loadIdxFolder } from './idx.js';
import type { DecodeOptions } from './image-files.js';
import { loadImageFolder } from './image-folder.js';
import { isImageFolder } from './image-list.js';
import { isParquetFolder, loadParquet } from './parquet.js';
import { downloadedTo, downloadNames } from './published.js';
import { type Reading, readingTable } from './reading.js';
import { broughtTo } from './shape.js';
import { isStl10, isStl10Archive, loadStl10 } from './stl10.js';
import { isSvhn, loadSvhn } from './svhn.js';
import { isTarName } from './tar.js';
import { isTextFolder, readTextFolder } from './text/folders.js';
import { isJsonLinesFolder, isJsonLinesName, readJsonLines } from './text/json-lines.js';
import { textsBy } from './text/load-texts.js';
import { isLinesFile, isLinesFolder, isLinesName, readLines } from './text/questions.js';
import { isTableName, isTextTable, isTextTableFolder, readTextTables } from './text/tables.js';
import { whiten } from './zca.js';

/** What `loadDataset` takes; an option that does not apply to the format is ERR_OPTION. */
export interface LoadOptions extends SplitOptions, Reading, Pick<DecodeOptions, 'onProgress'> {
  /** For 'digits': how many images to generate, and from which seed. */
  readonly digits?: DigitsOptions;
}

type OptionName = keyof LoadOptions;

interface Format {
  readonly what: string;
  readonly options: readonly OptionName[];
  /** Whether a folder is of this format, by the names of the files in it. */
  isFolder?(files: readonly string[], folder: string, options: LoadOptions): boolean | Promise<boolean>;
  /** Whether a file is, by its name in lower case, or by what is in it. */
  isFile?(name: string, path: string, options: LoadOptions): boolean | Promise<boolean>;
  load(path: string, options: LoadOptions): Promise<Dataset>;
}

const general = ['validation', 'test', 'splitSeed', 'name'] as const;
const pixels = [...general, 'classes', 'imageSize', 'channels', 'layout'] as const;
const arrays = [...pixels, 'background'] as const;

const images = ['imageSize', 'channels', 'background', 'badImages'] as const;

const texts = [...general, 'embeddings', 'embeddingSize', 'textLength', 'vocabulary', 'encoding'] as const;

/** In the order in which they are tried. */
const FORMATS: readonly Format[] = [
  {
    what: 'a folder with the four IDX files of MNIST form (EMNIST and QMNIST, too)',
    options: [...general, 'classes', 'labelSet'],
    isFolder: (names) => names.some(isIdxName),
    load: loadIdxFolder,
  },
  {
    what: 'STL-10, binary version (folder or .tar.gz)',
    options: general,
    isFolder: isStl10,
    isFile: (name, path) => isTarName(name) && isStl10Archive(path),
    load: loadStl10,
  },
  {
    what: 'CIFAR-10 or CIFAR-100, binary or Python version (folder or .tar.gz)',
    options: [...general, 'labelSet'],
    isFolder: isCifar,
    isFile: isTarName,
    load: loadCifar,
  },
  {
    what: 'a folder with the .mat files of SVHN',
    options: general,
    isFolder: isSvhn,
    load: loadSvhn,
  },
  {
    what: 'a .npz, .safetensors or .mat file or a folder of .npy files (x_train, y_train, x_test, y_test)',
    options: arrays,
    isFolder: isArrayFolder,
    isFile: (name) => /\.(npz|safetensors|mat)$/.test(name),
    load: loadArrayFile,
  },
  {
    what: 'a folder of .npy files, one for each class (Quick, Draw!)',
    options: arrays.filter((name) => name !== 'classes'),
    isFolder: isClassArrays,
    load: loadClassArrays,
  },
  {
    what: 'a .parquet file or a folder of them (train-*.parquet, test-*.parquet), as the Hugging Face hub has',
    options: [...general, ...images, 'labelColumn'],
    isFolder: (_names, folder) => isParquetFolder(folder),
    isFile: (name) => /\.parquet$/.test(name),
    load: loadParquet,
  },
  {
    what: 'a folder of images (train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg)',
    options: [...general, ...images, 'labelColumn', 'encoding'],
    isFolder: (_names, folder) => isImageFolder(folder),
    load: loadImageFolder,
  },
  {
    what: 'a .csv or .tsv table of texts and classes or a folder with train.csv and test.csv',
    options: [...texts, 'textColumn', 'labelColumn', 'header'],
    isFolder: isTextTableFolder,
    isFile: (name, path, options) => isTableName(name) && isTextTable(path, options),
    load: textsBy(readTextTables),
  },
  {
    what: 'a file of JSON lines (.jsonl) with texts and classes or a folder with train.jsonl and test.jsonl',
    options: [...texts, 'textColumn', 'labelColumn'],
    isFolder: isJsonLinesFolder,
    isFile: isJsonLinesName,
    load: textsBy(readJsonLines),
  },
  {
    what: 'a .csv or .tsv table of images or a folder with train.csv and test.csv',
    options: [...pixels, 'labelColumn', 'header', 'encoding'],
    isFolder: isCsvFolder,
    isFile: isTableName,
    load: loadCsv,
  },
  {
    what: 'a folder of texts (train/CLASS/*.txt and test/CLASS/*.txt, or CLASS/*.txt), as IMDB is',
    options: texts,
    isFolder: (_names, folder) => isTextFolder(folder),
    load: textsBy(readTextFolder),
  },
  {
    what: 'TREC questions or the Stanford sentiment treebank (train.txt, test.txt, possibly dev.txt)',
    options: [...texts, 'labelSet'],
    isFolder: isLinesFolder,
    isFile: (name, path) => isLinesName(name) && isLinesFile(path),
    load: textsBy(readLines),
  },
];

const LAYOUTS =
  'known are folders of images (CLASS/*.jpg), tables (.csv, .tsv, .jsonl, .parquet), arrays (.npz, .npy, .mat, .safetensors), folders of texts ' +
  '(CLASS/*.txt) and the files of MNIST, CIFAR, SVHN, STL-10 and TREC; docs/data.md shows each';

/** For a word that is no path: whoever mistyped a name is not looking for a format. */
const NAMED =
  `known are 'digits' (generated, needs no file) and whatever lies in a file or folder, by its path: pictures/CLASS/*.jpg, a table of texts ` +
  `or images, arrays, ${downloadNames.join(', ')} as limbeck download fetches them`;

/**
 * A data set by name or by path: `'digits'`, or a file or folder whose content or name tells its format (a folder named
 * digits is `'./digits'`). The name of a published data set is where `downloadDataset` leaves it, below the working folder, if no file or
 * folder of that name is there.
 *
 * @throws ERR_OPTION for an unknown name or an option that does not apply; ERR_FILE_MISSING; what the loaders throw
 */
export async function loadDataset(nameOrPath: string, options: LoadOptions = {}): Promise<Dataset> {
  if (typeof nameOrPath !== 'string')
    throw new LimbeckError(
      'ERR_OPTION',
      `loadDataset: the data set is ${shown(nameOrPath)}, expected a name or the path of a file or folder`,
    );
  expectObject('loadDataset', options);
  for (const [name, option] of Object.entries(readingTable)) {
    const value = options[name as keyof Reading];
    if (value !== undefined) checkOption(`loadDataset: ${name}`, option, value);
  }
  const { zca, shape, ...rest } = options;
  const place = downloadedTo(nameOrPath);
  const found = await loadFormat(place ?? nameOrPath, rest);
  const read = place
    ? { ...found, notes: [`read from ${place}, where limbeck download puts it`, ...(found.notes ?? [])] }
    : found;
  for (const [option, value] of Object.entries({ zca, shape }))
    if (value && read.text)
      throw new LimbeckError(
        'ERR_OPTION',
        `${option} is for images, and ${nameOrPath} holds texts: leave it out (--${option}).`,
      );
  const dataset = shape ? await broughtTo(read, shape) : read;
  return zca ? whiten(dataset) : dataset;
}

async function loadFormat(nameOrPath: string, options: LoadOptions): Promise<Dataset> {
  const { digits, ...others } = options;
  if (nameOrPath === 'digits') {
    checkApplies(others, ['onProgress'], "'digits'");
    return generateDigits(digits);
  }
  if (digits !== undefined) checkApplies({ digits }, [], nameOrPath);
  const format = await recognise(nameOrPath, others);
  checkApplies(others, [...format.options, 'onProgress'], `${nameOrPath}, ${format.what}`);
  return format.load(nameOrPath, others);
}

async function recognise(path: string, options: LoadOptions): Promise<Format> {
  if (!(await isFolder(path))) {
    for (const format of FORMATS) if (await format.isFile?.(path.toLowerCase(), path, options)) return format;
    if (/\.(zip|7z|rar|tar\.\w+|gz)$/i.test(path))
      throw new LimbeckError(
        'ERR_OPTION',
        `${path} is an archive: unpack it and name the folder; ${LAYOUTS}.`,
      );
    throw new LimbeckError(
      'ERR_OPTION',
      `${path} is a file of no format known by its name, expected a data set; ${LAYOUTS}.`,
    );
  }
  const entries = await readdir(path, { withFileTypes: true });
  const names = entries.map(({ name }) => name);
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  for (const format of FORMATS) if (await format.isFolder?.(files, path, options)) return format;
  const some = names.slice(0, 8).join(', ');
  throw new LimbeckError(
    'ERR_FILE_MISSING',
    `${path} holds ${names.length === 0 ? 'nothing' : `${some}${names.length > 8 ? ', …' : ''}`}, which is no data ` +
      `set; ${LAYOUTS}.`,
  );
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    // A bare word was more likely meant as a name than as a folder.
    if (/^[\w-]+$/.test(path))
      throw new LimbeckError(
        'ERR_OPTION',
        `Data set '${path}' is neither known nor a file or folder here; ${downloadNames.includes(path) ? `limbeck download ${path} fetches it to data/${path}, and by that name it is then found, or give the path where it lies; ` : ''}${NAMED}.`,
        { cause },
      );
    throw new LimbeckError('ERR_FILE_MISSING', `${path} does not exist or cannot be read; check the path.`, {
      cause,
    });
  }
}

function checkApplies(options: LoadOptions, applying: readonly OptionName[], dataset: string): void {
  for (const [name, value] of Object.entries(options))
    if (value !== undefined && !applying.includes(name as OptionName))
      throw new LimbeckError(
        'ERR_OPTION',
        `Option ${name} does not apply to data set ${dataset}; leave it out (${flagOf(name)}).`,
      );
}
