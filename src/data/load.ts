import { stat } from 'node:fs/promises';
import { LimbeckError } from '../util/errors.js';
import type { Dataset } from './dataset.js';
import { type DigitsOptions, generateDigits } from './digits.js';
import { type IdxFolderOptions, loadIdxFolder } from './idx.js';

export interface LoadOptions extends IdxFolderOptions {
  /** For 'digits': how many images to generate, and from which seed. */
  readonly digits?: DigitsOptions;
}

const KNOWN =
  "known are 'digits' (generated, needs no file) and a folder with the four IDX files of MNIST form";

/**
 * A data set by name or by folder: `'digits'`, or a folder with IDX files (a folder of that name is `'./digits'`).
 *
 * @throws ERR_OPTION for an unknown name or an option that does not apply; ERR_FILE_MISSING; what the loaders throw
 */
export async function loadDataset(nameOrFolder: string, options: LoadOptions = {}): Promise<Dataset> {
  const { digits, ...idx } = options;
  if (nameOrFolder === 'digits') {
    const unused = Object.entries(idx).find(([, value]) => value !== undefined);
    if (unused) throw inapplicable(unused[0], "'digits'");
    return generateDigits(digits);
  }
  if (digits !== undefined) throw inapplicable('digits', nameOrFolder);
  await checkFolder(nameOrFolder);
  return loadIdxFolder(nameOrFolder, idx);
}

async function checkFolder(path: string): Promise<void> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (cause) {
    // A bare word was more likely meant as a name than as a folder.
    if (/^[\w-]+$/.test(path)) {
      throw new LimbeckError(
        'ERR_OPTION',
        `Data set '${path}' is neither known nor a folder here; ${KNOWN}.`,
        {
          cause,
        },
      );
    }
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `The folder ${path} does not exist or cannot be read; ${KNOWN}.`,
      {
        cause,
      },
    );
  }
  if (!isFolder) {
    throw new LimbeckError('ERR_OPTION', `${path} is a file, expected a folder or a name; ${KNOWN}.`);
  }
}

function inapplicable(option: string, dataset: string): LimbeckError {
  return new LimbeckError(
    'ERR_OPTION',
    `Option ${option} does not apply to data set ${dataset}; leave it out.`,
  );
}
