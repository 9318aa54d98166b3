/** A whole run in half precision, as users have it: the command line, and going on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateDigits } from '../../src/data/digits.js';
import { openDevice } from '../../src/engine/open.js';
import { distillToFolder } from '../../src/report/run-folder.js';
import { buildWhereStale, commandLine } from '../harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-half-'));
const { limbeck } = commandLine(folder);

beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const digits = { train: 60, validation: 6, test: 12 };
const options = { network: { name: 'mlp', width: 32 }, iterations: 4, batch: 32, validateEvery: 1 } as const;
const half = /half precision/;

test('distil, stop, resume and evaluate; resuming stays in half precision', async () => {
  const run = join(folder, 'run');
  const device = await openDevice('webgpu', { precision: 'half' });
  const stop = new AbortController();
  const { record } = await distillToFolder(device, generateDigits(digits), run, options, {
    origin: { dataset: 'digits', digitsSize: digits.train, device: 'webgpu', precision: 'half' },
    signal: stop.signal,
    onProgress: () => stop.abort(),
  });
  await device.dispose();
  expect(record).toMatchObject({ stopped: true, config: { precision: 'half' } });

  const resumed = await limbeck('resume', run, '--json');
  expect(resumed).toMatchObject({ status: 0, stderr: expect.not.stringMatching(/begun on/) });
  const { engine, config, curve } = (await import(join(run, 'run.json'), { with: { type: 'json' } })).default;
  expect(config.precision).toBe('half');
  expect(engine).toMatchObject({ name: 'webgpu', description: expect.stringMatching(half) });
  expect(engine.earlierProcessors).toBeUndefined();
  for (const { loss } of curve) expect(loss).toBeLessThan(10);

  const file = join(run, 'distilled.safetensors');
  const evaluated = await limbeck('evaluate', file, '--device', 'webgpu', '--precision', 'half');
  expect(evaluated).toMatchObject({ status: 0, stderr: expect.stringMatching(half) });
});

test('what is begun on the command line says in its record how', async () => {
  const out = join(folder, 'begun');
  const sizes = ['--digits-size', '60', '--batch', '32', '--iterations', '2', '--network', 'mlp:width=32'];
  const begun = await limbeck('distill', ...sizes, '--device', 'webgpu', '--precision', 'half', '--out', out);
  expect(begun).toMatchObject({ status: 0, stderr: expect.stringMatching(half) });
  const { config } = (await import(join(out, 'run.json'), { with: { type: 'json' } })).default;
  expect(config).toMatchObject({ device: 'webgpu', precision: 'half' });
});
