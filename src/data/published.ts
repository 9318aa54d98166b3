import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { catalogue } from './catalogue.js';
import { type DownloadOptions, downloadFile } from './download.js';

/** Where a published data set of this name lies below the working folder, as `downloadDataset` leaves it; undefined where something of the name itself is there. */
export function downloadedTo(name: string): string | undefined {
  if (!Object.hasOwn(catalogue, name) || existsSync(name)) return undefined;
  const folder = join('data', name);
  return [join(folder, catalogue[name].open ?? ''), folder].find((place) => existsSync(place));
}

/** A file of a published data set that is there now. */
export interface DownloadedFile {
  /** Its path. */
  readonly file: string;
  /** Its MD5 sum, in hexadecimal. */
  readonly md5: string;
  /** Whether there is a published checksum, which it then fits. */
  readonly checked: boolean;
  /** False where it was there already. */
  readonly fetched: boolean;
}

/** A published data set that is there now. */
export interface DownloadedDataset {
  /** What `loadDataset` takes: the folder or file. */
  readonly dataset: string;
  /** In the order of the catalogue. */
  readonly files: readonly DownloadedFile[];
}

/** Where to fetch a published data set from, and where to. */
export interface DownloadDatasetOptions extends DownloadOptions {
  /** Folder for the files; default `data/<name>`. */
  readonly to?: string;
  /** Address to fetch from instead, ending with a slash; the checksums stay. */
  readonly from?: string;
  /** Called for every file that is there, in order. */
  readonly onFile?: ((file: DownloadedFile) => void) | undefined;
}

/** The published data sets that `downloadDataset` knows. */
export const downloadNames: readonly string[] = Object.keys(catalogue);

/**
 * Fetches a published data set (one of `downloadNames`) and checks it; goes on where it was stopped.
 *
 * @throws ERR_OPTION for an unknown name or an address that is none; ERR_DOWNLOAD where no mirror has a file; ERR_CHECKSUM for one
 * that is not the published one; ERR_FILE_WRITE
 */
export async function downloadDataset(
  name: string,
  options: DownloadDatasetOptions = {},
): Promise<DownloadedDataset> {
  if (!Object.hasOwn(catalogue, name))
    throw new LimbeckError(
      'ERR_OPTION',
      `${JSON.stringify(name)} cannot be downloaded; there are: ${downloadNames.join(', ')}`,
    );
  const { mirrors, files, open = '' } = catalogue[name];
  const { to = join('data', name), from, onFile, ...rest } = options;
  if (from !== undefined && !(/^https?:/.test(from) && URL.canParse(from) && from.endsWith('/')))
    throw new LimbeckError(
      'ERR_OPTION',
      `from is ${JSON.stringify(from)}, expected an address such as https://example.org/files/ with a slash at its end`,
    );
  const done: DownloadedFile[] = [];
  for (const file of files) {
    const { fetched, md5 } = await downloadFile(file, from === undefined ? mirrors : [from], to, rest);
    const entry = { file: join(to, file.name), md5, checked: file.md5 !== undefined, fetched };
    done.push(entry);
    onFile?.(entry);
  }
  return { dataset: join(to, open), files: done };
}
