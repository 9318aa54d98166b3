import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sweepTemporaryFiles, writeFileAtomic } from '../src/util/atomic-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limbeck-atomic-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('writeFileAtomic', () => {
  test('writes new files and replaces old ones, leaving nothing else', async () => {
    const path = join(folder, 'result.bin');
    await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
    await writeFileAtomic(path, 'ä');
    expect(await readFile(path, 'utf8')).toBe('ä');
    expect(await readdir(folder)).toEqual(['result.bin']);
  });

  test('writes of one path at the same time happen in the order of the calls', async () => {
    const path = join(folder, 'result.txt');
    const text = (i: number) => String(i).repeat(10_000 + i);
    await Promise.all(Array.from({ length: 10 }, (_, i) => writeFileAtomic(path, text(i))));
    expect(await readFile(path, 'utf8')).toBe(text(9));
    expect(await readdir(folder)).toEqual(['result.txt']);
  });

  test('one failed write does not stop those behind it', async () => {
    const path = join(folder, 'result.txt');
    await mkdir(path); // renaming a file over a folder fails
    const first = writeFileAtomic(path, 'first');
    await expect(first).rejects.toMatchObject({ code: 'ERR_FILE_WRITE', cause: expect.any(Error) });
    expect(await readdir(folder)).toEqual(['result.txt']);
    const failing = writeFileAtomic(path, 'second');
    const elsewhere = writeFileAtomic(join(folder, 'other.txt'), 'third');
    await expect(failing).rejects.toMatchObject({ code: 'ERR_FILE_WRITE' });
    await elsewhere;
    expect((await readdir(folder)).sort()).toEqual(['other.txt', 'result.txt']);
  });

  test('a missing folder is an error with its cause', async () => {
    await expect(writeFileAtomic(join(folder, 'no', 'x'), 'x')).rejects.toMatchObject({
      code: 'ERR_FILE_WRITE',
      message: expect.stringContaining('ENOENT'),
      cause: expect.objectContaining({ code: 'ENOENT' }),
    });
  });
});

describe('sweepTemporaryFiles', () => {
  test('removes what dead processes left and nothing else', async () => {
    const dead = '.result.bin.99999999.tmp'; // beyond the largest process id
    const own = `.result.bin.${process.pid}.tmp`;
    const living = `.result.bin.${process.ppid}.tmp`;
    const others = ['result.bin', '.hidden', 'x.1.tmp', '.x.tmp'];
    for (const name of [dead, own, living, ...others]) await writeFile(join(folder, name), 'x');
    expect((await sweepTemporaryFiles(folder)).sort()).toEqual([dead, own].sort());
    expect((await readdir(folder)).sort()).toEqual([living, ...others].sort());
  });

  test('spares a write under way', async () => {
    const path = join(folder, 'large.bin');
    const write = writeFileAtomic(path, new Uint8Array(8 << 20).fill(5));
    while ((await readdir(folder)).length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await sweepTemporaryFiles(folder);
    await write;
    expect((await readFile(path)).length).toBe(8 << 20);
  });

  test('a folder that does not exist holds none', async () => {
    expect(await sweepTemporaryFiles(join(folder, 'no'))).toEqual([]);
  });

  test.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'says what it may not do',
    async () => {
      await chmod(folder, 0o000);
      await expect(sweepTemporaryFiles(folder)).rejects.toMatchObject({ code: 'ERR_FILE_WRITE' });
      await chmod(folder, 0o700);
    },
  );
});
