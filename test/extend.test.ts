/** Runs that go on to more outer steps than they were begun with. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../src/cli/config.js';
import { runOptions } from '../src/cli/options.js';
import { type Device, distillToFolder, openDevice, resumeFolder } from '../src/index.js';
import { shortRun, twoClasses } from './harness/made-data.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-extend-'));
const at = (...names: string[]) => join(folder, ...names);
const data = twoClasses();
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(async () => {
  await device.dispose();
  rmSync(folder, { recursive: true, force: true });
});

test('a finished run goes on to the same bits as one that was begun with as many steps', async () => {
  const iterations = shortRun.iterations!;
  const whole = await distillToFolder(device, data, at('whole'), shortRun);
  await distillToFolder(device, data, at('parts'), { ...shortRun, iterations: 3 });
  const longer = await resumeFolder(device, data, at('parts'), { iterations });
  expect(longer.record.outerSteps).toBe(iterations);
  expect(longer.record.curve).toEqual(whole.record.curve);
  expect(longer.record.config.options).toEqual(whole.record.config.options);
  expect(longer.record.config.continued).toEqual([{ iteration: 3, iterations: 3 }]);
  expect(whole.record.config.continued).toBeUndefined();
  const set = (run: string) => readFileSync(at(run, 'distilled.safetensors'));
  expect(set('parts').equals(set('whole'))).toBe(true);
  // It was tested before and after.
  expect(longer.record.testOpened).toBe(2);
});

test('whoever repeats such a run is told that it comes out otherwise', async () => {
  const record = JSON.parse(readFileSync(at('parts', 'run.json'), 'utf8'));
  writeFileSync(
    at('named.json'),
    JSON.stringify({ ...record, config: { ...record.config, dataset: 'digits' } }),
  );
  const warned: string[] = [];
  await readConfig(at('named.json'), runOptions, (text) => warned.push(text));
  expect(warned).toEqual([
    expect.stringMatching(/was begun with 3 outer steps, and went on with more after 3; begun anew/),
  ]);
});

test('a number that is not beyond where the run stands is refused, and nothing changes', async () => {
  await distillToFolder(device, data, at('short'), { ...shortRun, iterations: 4 });
  const before = readFileSync(at('short', 'run.json'));
  for (const iterations of [4, 3, 0, 4.5, Number.NaN])
    await expect(resumeFolder(device, data, at('short'), { iterations })).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(/^iterations is .*, expected a whole number above the 4 outer steps/),
    });
  expect(readFileSync(at('short', 'run.json')).equals(before)).toBe(true);
});

test('a run ends where looks have brought nothing better for as long as it has patience, in one piece or in two', async () => {
  // The best look of a run of eight is not its last.
  const whole = await distillToFolder(device, data, at('patient'), { ...shortRun, iterations: 40 });
  const { curve, best } = whole.record;
  const patience = 3;
  let [place, top] = [0, 0];
  while (place < curve.length && place - top < patience) {
    place++;
    if (curve[place] && curve[place].validationAccuracy > curve[top].validationAccuracy) top = place;
  }
  expect(place).toBeLessThan(curve.length);
  const options = { ...shortRun, iterations: 40, patience };
  const { record } = await distillToFolder(device, data, at('impatient'), options);
  expect(record.stopped).toBe(false);
  expect(record.testAccuracy).not.toBeNull();
  expect(record.outerSteps).toBe(curve[place].iteration);
  expect(record.curve).toEqual(curve.slice(0, place + 1));
  expect(record.best.iteration).toBe(curve[top].iteration);
  expect(best.validationAccuracy).toBeGreaterThanOrEqual(record.best.validationAccuracy);

  const stop = new AbortController();
  const control = { signal: stop.signal, onProgress: () => stop.abort() };
  await distillToFolder(device, data, at('pieces'), options, control);
  const resumed = await resumeFolder(device, data, at('pieces'));
  expect(resumed.record.curve).toEqual(record.curve);
  expect(resumed.record.testAccuracy).toEqual(record.testAccuracy);

  // More steps are more patience.
  const longer = await resumeFolder(device, data, at('pieces'), { iterations: record.outerSteps + 5 });
  expect(longer.record.curve).toEqual(curve.slice(0, place + 6));
});
