/** Files are whole or absent at any moment: by the calls that write them, in their order. */
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { distillToFolder, openDevice } from '../src/index.js';
import { writeFileAtomic } from '../src/util/atomic-file.js';
import { shortRun, twoClasses } from './harness/made-data.js';

/** What was asked of the file system, as `sync result.bin`; folders end in a slash. */
const calls = vi.hoisted((): string[] => []);
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const called = (path: unknown) =>
    `${basename(String(path))}${statSync(String(path), { throwIfNoEntry: false })?.isDirectory() ? '/' : ''}`;
  const watchedHandle = (handle: FileHandle, name: string) =>
    new Proxy(handle, {
      get(target, key) {
        const value = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return async (...given: unknown[]) => {
          const result = await value.apply(target, given);
          // Noted when it is done: a call that is not awaited comes too late.
          calls.push(`${String(key)} ${name}`);
          return result;
        };
      },
    });
  const watched = {
    ...real,
    async open(...given: Parameters<typeof real.open>) {
      const name = called(given[0]);
      if (given[1] !== 'r') calls.push(`create ${name}`);
      return watchedHandle(await real.open(...given), name);
    },
    async writeFile(...given: Parameters<typeof real.writeFile>) {
      calls.push(`create ${called(given[0])}`);
      return real.writeFile(...given);
    },
    async rename(from: string, to: string) {
      await real.rename(from, to);
      calls.push(`rename ${called(from)} to ${called(to)}`);
    },
  };
  return { ...watched, default: watched };
});

const folder = mkdtempSync(join(tmpdir(), 'limbeck-whole-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => void calls.splice(0));

test('a file is written aside, synchronised, renamed, and its folder synchronised', async () => {
  await writeFileAtomic(join(folder, 'result.bin'), 'content');
  const aside = `.result.bin.${process.pid}.tmp`;
  const inFolder = `${basename(folder)}/`;
  expect(calls).toEqual([
    `create ${aside}`,
    `writeFile ${aside}`,
    `sync ${aside}`,
    `close ${aside}`,
    `rename ${aside} to result.bin`,
    `sync ${inFolder}`,
    `close ${inFolder}`,
  ]);
});

test('whoever reads the old file while a new one is written finds the old one whole', async () => {
  const path = join(folder, 'read.txt');
  await writeFileAtomic(path, 'old and long');
  const reader = openSync(path, 'r');
  await writeFileAtomic(path, 'new');
  expect(readFileSync(reader, 'utf8')).toBe('old and long');
  expect(readFileSync(path, 'utf8')).toBe('new');
});

describe('a run in a folder', () => {
  test('writes every file that way', async () => {
    await using device = await openDevice('reference');
    const run = join(folder, 'run');
    await distillToFolder(device, twoClasses(), run, { ...shortRun, iterations: 2 });
    const names = readdirSync(run);
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) {
      const aside = `.${name}.${process.pid}.tmp`;
      expect(calls, 'written into directly').not.toContain(`create ${name}`);
      const renamed = calls.lastIndexOf(`rename ${aside} to ${name}`);
      expect(renamed, name).toBeGreaterThan(0);
      const before = calls.slice(calls.lastIndexOf(`create ${aside}`, renamed), renamed);
      expect(before).toContain(`sync ${aside}`);
      expect(before.lastIndexOf(`sync ${aside}`)).toBeGreaterThan(before.lastIndexOf(`writeFile ${aside}`));
      expect(calls.slice(renamed), name).toContain('sync run/');
    }
  });
});
