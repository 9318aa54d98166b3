/** Results are not written where they would be read as data. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataSource, refuseAmongData } from '../src/cli/sources.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';

let folder: string;
beforeAll(async () => {
  await buildWhereStale();
  folder = mkdtempSync(join(tmpdir(), 'limbeck-among-'));
  const rows = Array.from({ length: 40 }, (_, i) => `${i % 2},${i},${2 * i},0,${255 - i}`);
  writeFileSync(join(folder, 'train.csv'), `label,a,b,c,d\n${rows.join('\n')}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['.', true],
  ['runs/first', true],
  ['..runs', true],
  ['..', false],
  ['../runs', false],
])('a folder at %s of the data lies among them: %s', (out, among) => {
  const refuse = () => refuseAmongData(join(folder, out), dataSource({ dataset: folder }));
  if (among) expect(refuse).toThrow(/lies within the data, .*name one elsewhere with --out/);
  else expect(refuse).not.toThrow();
});

test('a file, and the generated digits, have nothing among them', () => {
  refuseAmongData(join(folder, 'runs'), dataSource({ dataset: join(folder, 'train.csv') }));
  refuseAmongData('digits/runs', dataSource({ dataset: 'digits' }));
});

test.each([
  ['distill', '--dataset', '.', '--iterations', '1'],
  ['distill', '--dataset', '.', '--iterations', '1', '--out', 'runs/first'],
  ['compare', '--dataset', '.', '--methods', 'unrolled'],
  ['experts', '--dataset', '.', '--out', 'experts'],
  ['train', '--dataset', '.', '--out', 'net'],
])('%s refuses', async (...args) => {
  const { status, stderr } = await commandLine(folder).limbeck(...args);
  expect(stderr).toMatch(/lies within the data/);
  expect(status).toBe(2);
  expect(readdirSync(folder)).toEqual(['train.csv']);
});
