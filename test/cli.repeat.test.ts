/** `limbeck distill run.json`: the record of a run as a configuration. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWhereStale, commandLine } from './harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-repeat-'));
const at = (...names: string[]) => join(folder, ...names);
const { limbeck } = commandLine(folder);
const tiny = '--device reference --network mlp:width=8 --digits-size 100 --batch 16'.split(' ');
const config = (run: string) => JSON.parse(readFileSync(at(run, 'run.json'), 'utf8')).config;

beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('repeats a run to the same bits', async () => {
  const once = await limbeck('distill', ...tiny, '--iterations', '3', '--seed', '7', '--out', 'once');
  expect(once.status, once.stderr).toBe(0);
  const again = await limbeck('distill', 'once/run.json', '--out', 'twice');
  expect(again.status, again.stderr).toBe(0);
  const set = (run: string) => readFileSync(at(run, 'distilled.safetensors'));
  expect(set('twice').equals(set('once'))).toBe(true);
  expect(config('twice')).toEqual(config('once'));
});

test('of another layout, or of data that no file holds, is refused', async () => {
  const record = JSON.parse(readFileSync(at('once', 'run.json'), 'utf8'));
  const { dataset, ...brought } = record.config;
  const refused = async (content: object) => {
    writeFileSync(at('record.json'), JSON.stringify(content));
    const { status, stderr } = await limbeck('distill', 'record.json');
    expect(status).toBe(2);
    return stderr;
  };
  expect(await refused({ ...record, format: 'limbeck-run-9' })).toMatch(/"limbeck-run-9.*limbeck-run-1/);
  expect(await refused({ ...record, config: brought })).toMatch(/a program on data of its own/);
});
