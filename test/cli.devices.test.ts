/** `limbeck devices`, and devices by name, as users have them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDevice } from '../src/engine/open.js';
import type { AdapterReport } from '../src/engine/webgpu/probe.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-cli-devices-'));
const { limbeck } = commandLine(folder);

beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('every engine, available or not, and the one auto takes', async () => {
  const { status, stdout } = await limbeck('devices', '--json');
  expect(status).toBe(0);
  const { engines, auto } = JSON.parse(stdout);
  expect(engines.map(({ engine }: { engine: string }) => engine).sort()).toEqual([
    'cpu',
    'reference',
    'webgpu',
  ]);
  for (const engine of engines)
    expect(engine).toMatchObject({ available: expect.any(Boolean), description: expect.stringMatching(/./) });
  expect(engines.map(({ engine }: { engine: string }) => engine)).toContain(auto.engine);
  expect(auto.reason).toMatch(/./);
});

test('adapters by number, with backend and driver; one that is not there is refused with the list', async () => {
  const { engines } = JSON.parse((await limbeck('devices', '--json')).stdout);
  const [{ adapters }] = engines;
  const { stdout } = await limbeck('devices');
  adapters.forEach(({ name, backend, driver, software }: AdapterReport, number: number) => {
    expect(stdout).toContain(
      `${number}: ${name}, ${software ? 'software: computes on the processor' : 'GPU'}`,
    );
    expect(stdout).toContain(`${backend}, ${driver}`);
  });
  const order = adapters.map(({ software }: AdapterReport) => Number(software));
  expect(order).toEqual([...order].sort());
  const none = await limbeck('distill', '--device', 'webgpu:nobody', '--digits-size', '20');
  expect(none).toMatchObject({ status: 2, stdout: '' });
  expect(none.stderr).toMatch(
    /^limbeck: webgpu: (there is no adapter nobody; there are: 0: |.*use the cpu engine).*\[ERR_DEVICE\]\n$/,
  );
  const threads = await limbeck('distill', '--device', 'webgpu:0', '--threads', '2');
  expect(threads.stderr).toMatch(/--threads is 2, but the device is webgpu:0: .*\[ERR_OPTION\]\n$/);
});

test('half precision is refused where it cannot be had, with what to do', async () => {
  const { engines, auto } = JSON.parse((await limbeck('devices', '--json')).stdout);
  const half = (...more: string[]) => limbeck('distill', '--digits-size', '20', '--precision', ...more);
  const refused = async (given: string[], stderr: RegExp) =>
    expect(await half(...given)).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(stderr),
    });
  await refused(
    ['quarter'],
    /^limbeck: precision "quarter" is unknown; there are: single, half \[ERR_OPTION\]\n$/,
  );
  const elsewhere = (why: string) =>
    new RegExp(
      `^limbeck: precision half is for a GPU with matrix units, and ${why}.*; take the device webgpu, or leave precision out \\[ERR_OPTION\\]\n$`,
    );
  await refused(['half', '--device', 'cpu'], elsewhere('the device is cpu'));
  if (auto.engine === 'cpu') await refused(['half'], elsewhere('auto takes cpu: no GPU to use'));
  const [{ adapters }] = engines;
  const units = 'chromium-experimental-subgroup-matrix';
  const without = adapters.findIndex(({ features }: AdapterReport) => !features.includes(units));
  if (without >= 0)
    await refused(
      ['half', '--device', `webgpu:${without}`],
      /^limbeck: webgpu: half precision needs an adapter that multiplies matrices of f16 .* lacks .*; leave precision out \[ERR_DEVICE\]\n$/,
    );
  await expect(openDevice('reference', { precision: 'half' })).rejects.toMatchObject({ code: 'ERR_OPTION' });
});
