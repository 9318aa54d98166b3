/** What stands beside a set says how much is chance; networks and looks at the test split are counted. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Artefact,
  continual,
  createNetwork,
  type Device,
  evaluate,
  openDevice,
  search,
  setOfImages,
  trainOn,
  trainSubjects,
} from '../src/index.js';
import { randomInstead } from '../src/uses/subjects.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { learnedSet } from './harness/distilled-set.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';
import { writtenTo } from './harness/written.js';

const data = twoClasses();
const network = { ...smallNetwork, inputShape: data.imageShape, classes: data.classes };
const { mean, std, name: dataset, classNames } = data;
const notes = { dataset, classNames, mean, std, engine: 'none', options: {}, validationAccuracy: 0 };
/** The first four training images. */
const artefact: Artefact = {
  set: setOfImages(
    data,
    { images: data.train.images.subarray(0, 24), labels: [0, 1, 0, 1] },
    { values: 'pixels', network: smallNetwork, protocol: 'full-batch' },
  ),
  notes,
};
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

test('each network learns from random images of its own draw', async () => {
  const { set } = artefact;
  const draws = await Promise.all([5, 6, 7].map((seed) => randomInstead(data, set, seed)));
  const [, random] = await trainSubjects(device, data, artefact, { networks: 3, seed: 5 });
  for (const [p, drawn] of draws.entries()) {
    const { model } = await trainOn(
      device,
      { set: drawn, notes },
      { networks: p + 1, seed: 5, dataset: data },
    );
    const { count } = createNetwork(network);
    const of = (parameters: Float32Array) => [...parameters.subarray(p * count, (p + 1) * count)];
    for (const [i, value] of of(model.parameters).entries())
      expect(of(random.model.parameters)[i]).toBeCloseTo(value, 5);
  }
  const own = await openDevice('reference');
  const written = writtenTo(own, 24);
  await continual(own, data, artefact, { networks: 2, stages: 1, seed: 5 });
  await own.dispose();
  for (const drawn of draws.slice(0, 2)) expect(written).toContainEqual([...drawn.images]);
});

test('from the 21st network on augmentation is none that was there before', async () => {
  const how = { protocol: 'dc', augmentation: 'dsa', epochs: 2, networks: 24 };
  const { accuracy } = await evaluate(device, data, artefact.set, { ...how, withBaselines: false });
  const trained = await trainOn(device, artefact, { ...how, dataset: data });
  expect(accuracy.mean).toBeCloseTo(trained.accuracy!.mean, 9);
  expect(accuracy.std).toBeCloseTo(trained.accuracy!.std, 9);
});

test('a search refuses a set for known networks before anything is trained', async () => {
  const set = learnedSet({
    ...{ network, images: artefact.set.images, labels: artefact.set.labels, init: 'fixed' },
    learningRates: Float32Array.of(0.1),
    initialParameters: new Float32Array(createNetwork(network).count),
  });
  const said: string[] = [];
  const onProgress = ({ training }: { training: string }) => said.push(training);
  const architectures = [2, 3, 4].map((width) => ({ name: 'mlp', width }));
  const options = { architectures, networks: 1, onProgress };
  await expect(search(device, data, { set, notes }, options)).rejects.toThrow(
    /for known networks .* expected one/,
  );
  expect(said).toEqual([]);
  const found = await search(device, data, { set, notes }, { ...options, protocol: 'full-batch' });
  expect(found.architectures).toHaveLength(3);
});

describe('of the command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limbeck-fair-'));
  const { limbeck } = commandLine(folder);
  beforeAll(async () => {
    await buildWhereStale();
    const run = '--network mlp:width=4 --iterations 1 --batch 8 --networks 2 --init random --json'.split(' ');
    for (const [name, size] of [
      ['a', '60'],
      ['b', '80'],
    ]) {
      const given = ['--device', 'cpu', '--digits-size', size, ...run, '--out', name];
      const { status, stderr } = await limbeck('distill', ...given);
      expect(status, stderr).toBe(0);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('looks at the test split are counted, and others are not', async () => {
    const opened = () => JSON.parse(readFileSync(join(folder, 'a/run.json'), 'utf8')).testOpened;
    const looks = async (...given: string[]) => {
      const before = opened();
      const [command, kind, ...more] = given;
      const { status, stderr } = await limbeck(
        command,
        kind,
        'a',
        '--device',
        'cpu',
        '--networks',
        '1',
        ...more,
      );
      expect(status, stderr).toBe(0);
      return opened() - before;
    };
    expect(await looks('use', 'fairness')).toBe(1);
    expect(await looks('use', 'search', '--architectures', 'mlp:width=2,mlp:width=3,mlp:width=4')).toBe(0);
    expect(await looks('analyse', 'mix', '--added', '0')).toBe(1);
    expect(await looks('analyse', 'recognise', '--steps', '1')).toBe(0);
  });

  test('sets that are normalised otherwise are not put beside each other', async () => {
    const { status, stderr } = await limbeck(
      'analyse',
      'recognise',
      'a',
      'b',
      '--device',
      'cpu',
      '--steps',
      '1',
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /b\S* is of images of mean .* and a\S* is of images of mean .*: expected sets of the same/,
    );
  });
});
