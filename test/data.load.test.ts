import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadDataset } from '../src/data/load.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limbeck-load-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function labels(count: number): Uint8Array {
  return Uint8Array.from([0, 0, 8, 1, 0, 0, 0, count, ...Array.from({ length: count }, (_, i) => i % 2)]);
}

function images(count: number): Uint8Array {
  return Uint8Array.from([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0, 1, ...Array(count).keys()]);
}

describe('loadDataset', () => {
  test('digits, with its options', async () => {
    const set = await loadDataset('digits', {
      digits: { seed: 3, train: 10, validation: 2, test: 2, size: 16 },
    });
    expect(set).toMatchObject({ name: 'digits', imageShape: [1, 16, 16], train: { count: 10 } });
  });

  test('a folder, with its options', async () => {
    for (const [part, count] of Object.entries({ train: 20, t10k: 4 })) {
      await writeFile(join(folder, `${part}-images-idx3-ubyte`), images(count));
      await writeFile(join(folder, `${part}-labels-idx1-ubyte`), labels(count));
    }
    const set = await loadDataset(folder, { validation: 5, name: 'tiny' });
    expect(set).toMatchObject({
      name: 'tiny',
      train: { count: 15 },
      validation: { count: 5 },
      test: { count: 4 },
    });
  });

  test.each([
    [
      'an unknown name',
      'mnitsx',
      {},
      'ERR_OPTION',
      /'mnitsx' is neither known nor a file or folder here; known are 'digits'/,
    ],
    ['a folder that is not there', './no/folder', {}, 'ERR_FILE_MISSING', /does not exist/],
    [
      'a path that is not there',
      'no/set.npz',
      {},
      'ERR_FILE_MISSING',
      /set\.npz does not exist or cannot be read; check/,
    ],
    ['a file', 'package.json', {}, 'ERR_OPTION', /is a file of no format known by its name/],
    ['options of folders for digits', 'digits', { classes: 10 }, 'ERR_OPTION', /classes does not apply/],
    ['options of digits for folders', '.', { digits: {} }, 'ERR_OPTION', /digits does not apply/],
    [
      'a folder without the files',
      'src',
      {},
      'ERR_FILE_MISSING',
      /src holds .*browser.ts, .*no data set; .*docs\/data.md shows each/,
    ],
  ])('refuses %s', async (_what, name, options, code, message) => {
    await expect(loadDataset(name, options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test('refuses an archive, and says to unpack it', async () => {
    const path = join(folder, 'pictures.zip');
    await writeFile(path, 'PK');
    await expect(loadDataset(path)).rejects.toThrow(
      /pictures\.zip is an archive: unpack it and name the folder/,
    );
  });
});
