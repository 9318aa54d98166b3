/** What a run under way shows: a line for each look, and pictures and a page before it has ended. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { distillToFolder, openDevice, RunFolder, resumeFolder } from '../src/index.js';
import { shortRun, twoClasses } from './harness/made-data.js';
import { all, readPage, textOf } from './harness/page.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-live-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const options = { ...shortRun, iterations: 6, validateEvery: 2 };
const linesOf = ({ paths }: RunFolder) =>
  (existsSync(paths.progress) ? readFileSync(paths.progress, 'utf8') : '')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

test('each look adds its point, and the first draws the page of a run that goes on', async () => {
  await using device = await openDevice('reference');
  const run = new RunFolder(join(folder, 'whole'));
  const seen: { lines: number; page?: string }[] = [];
  const { record } = await distillToFolder(device, twoClasses(), run.folder, options, {
    onProgress: () => {
      const lines = linesOf(run).length;
      seen.push({ lines, page: lines ? readFileSync(run.paths.report, 'utf8') : undefined });
    },
  });
  expect(seen.map(({ lines }) => lines)).toContain(1);
  const { page } = seen.find(({ lines }) => lines === 1)!;
  const [note] = all(readPage(page!), 'p').filter(({ attributes }) => attributes.class === 'warning');
  expect(textOf(note)).toMatch(/^2 of 6 outer steps were done when this page was written/);
  expect(record.curve).toHaveLength(3);
  expect(linesOf(run)).toEqual(JSON.parse(JSON.stringify(record.curve)));
});

test('a run that goes on has the lines of its checkpoint, whatever the file held', async () => {
  await using device = await openDevice('reference');
  const run = new RunFolder(join(folder, 'parts'));
  const stop = new AbortController();
  const onProgress = () => {
    if (linesOf(run).length === 1) stop.abort();
  };
  const control = { signal: stop.signal, onProgress };
  const stopped = await distillToFolder(device, twoClasses(), run.folder, options, control);
  expect(stopped.record.stopped).toBe(true);
  rmSync(run.paths.progress);
  let atOnce = 0;
  const { record } = await resumeFolder(device, twoClasses(), run.folder, {
    onProgress: () => {
      atOnce ||= linesOf(run).length;
    },
  });
  expect(atOnce).toBeGreaterThan(0);
  expect(record.curve).toHaveLength(3);
  expect(linesOf(run)).toEqual(JSON.parse(JSON.stringify(record.curve)));
});

test('a run that ends in an error before its first look leaves no folder', async () => {
  await using device = await openDevice('reference');
  const broken = Object.assign(Object.create(device) as typeof device, {
    tensor: async () => {
      throw new Error('no more');
    },
  });
  const out = join(folder, 'none');
  await expect(distillToFolder(broken, twoClasses(), out, options)).rejects.toThrow('no more');
  expect(existsSync(out)).toBe(false);
});
