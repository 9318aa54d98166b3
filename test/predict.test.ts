/** What trained networks say of images, by the library and by the command line. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Dataset,
  type Device,
  encodeModel,
  encodePng,
  generateDigits,
  type Model,
  openDevice,
  predict,
  trainNetworks,
  whiten,
} from '../src/index.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { npy } from './harness/data-files.js';
import { madeFolders } from './harness/folders.js';

const digits = generateDigits({ size: 12, train: 200, validation: 20, test: 60 });
const pixels = 144;
const layers = [{ conv: 4, kernel: 3, stride: 2 }, 'batchNorm', 'relu', { linear: 10 }];
const training = { network: { name: 'custom', layers }, networks: 2, epochs: 8, batch: 20 };

let device: Device;
let model: Model;
beforeAll(async () => {
  device = await openDevice('reference');
  ({ model } = await trainNetworks(device, digits, training));
});
afterAll(() => device.dispose());

/** Percent of the test images whose class is predicted. */
async function percent(data: Dataset, one: Model): Promise<number> {
  const { test } = data.zca?.source ?? data;
  const { classes } = await predict(device, one, test.images);
  return (100 * classes.filter((label, i) => label === test.labels[i]).length) / test.count;
}

/** One of the networks of a model. */
const member = ({ parameters, statistics, ...rest }: Model, p: number): Model => {
  const part = (all: Float32Array) => all.slice((p * all.length) / 2, ((p + 1) * all.length) / 2);
  return { ...rest, parameters: part(parameters), statistics: statistics && part(statistics) };
};

describe('predictions', () => {
  it('are right as often as was measured, for batch norm and whitened images too', async () => {
    const whitened = await whiten(digits);
    for (const data of [digits, whitened]) {
      const { model, accuracy } = await trainNetworks(device, data, training);
      const each = [await percent(data, member(model, 0)), await percent(data, member(model, 1))];
      expect((each[0] + each[1]) / 2).toBeCloseTo(accuracy.mean, 9);
      expect(Math.abs(each[0] - each[1]) / Math.SQRT2).toBeCloseTo(accuracy.std, 9);
      expect(accuracy.mean).toBeGreaterThan(30);
    }
  });

  it('are probabilities, and of several networks their mean', async () => {
    const images = digits.test.images.subarray(0, 5 * pixels);
    const both = await predict(device, model, images);
    const [one, other] = [0, 1].map((p) => predict(device, member(model, p), images));
    const parts = [(await one).scores, (await other).scores];
    expect(parts[0]).not.toEqual(parts[1]);
    expect(both.kind).toBe('probabilities');
    expect(both.scores).toHaveLength(50);
    for (const [i, score] of both.scores.entries())
      expect(score).toBeCloseTo((parts[0][i] + parts[1][i]) / 2, 6);
    for (let row = 0; row < 5; row++) {
      const scores = both.scores.subarray(10 * row, 10 * row + 10);
      expect(scores.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
      expect(both.classes[row]).toBe(scores.indexOf(Math.max(...scores)));
    }
    const squared = await predict(device, { ...member(model, 0), loss: 'squared-error' }, images);
    const logistic = await predict(device, { ...member(model, 0), loss: 'binary-cross-entropy' }, images);
    expect([squared.kind, logistic.kind]).toEqual(['outputs', 'probabilities']);
    for (const [i, logit] of squared.scores.entries())
      expect(logistic.scores[i]).toBeCloseTo(1 / (1 + Math.exp(-logit)), 6);
  });

  it('do not depend on what else is asked, nor on whether pixels are bytes', async () => {
    const many = Uint8Array.from({ length: 300 * pixels }, (_, i) => digits.test.images[i % (7 * pixels)]);
    const all = await predict(device, model, many);
    const floats = Float32Array.from(many.subarray(0, 7 * pixels), (byte) => byte / 255);
    const few = await predict(device, model, floats);
    for (const i of [0, 33, 69]) {
      expect(all.scores[i]).toBeCloseTo(few.scores[i], 6);
      expect(all.scores[2800 + i]).toBeCloseTo(few.scores[i], 6);
    }
  });

  it('are refused where scores are not finite', async () => {
    const parameters = model.parameters.map((value) => value * 1e30);
    const images = digits.test.images.subarray(0, 2 * pixels);
    for (const loss of ['cross-entropy', 'squared-error'] as const)
      await expect(predict(device, { ...model, parameters, loss }, images)).rejects.toMatchObject({
        ...{ code: 'ERR_DATA', message: expect.stringContaining('scores of image 0 are not finite') },
      });
  });

  it.each([
    ['of another size', new Uint8Array(pixels + 1), 'ERR_SHAPE'],
    ['none at all', new Uint8Array(0), 'ERR_SHAPE'],
    ['that are no numbers', new Float32Array(pixels).fill(Number.NaN), 'ERR_DATA'],
    ['in a list', [1, 2], 'ERR_OPTION'],
  ])('are refused for images %s', async (_, images, code) => {
    await expect(predict(device, model, images as Uint8Array)).rejects.toMatchObject({ code });
  });
});

describe('limbeck predict', () => {
  const made = madeFolders('predict');
  let folder: string;
  let limbeck: ReturnType<typeof commandLine>['limbeck'];
  const image = (i: number) => Uint8Array.from(digits.test.images.subarray(i * pixels, (i + 1) * pixels));
  const png = (i: number) => encodePng({ width: 12, height: 12, channels: 1, data: image(i) });
  beforeAll(async () => {
    await buildWhereStale();
    const five = Array.from({ length: 5 }, (_, i) => [...image(i)]).flat();
    folder = await made.write({
      'net/network.safetensors': encodeModel(model),
      'one.png': png(0),
      'all/b.png': png(1),
      'all/a.png': png(2),
      'five.npy': npy([5, 12, 12], five),
      'alone.npy': npy([12, 12], image(3)),
      'small.npy': npy([1, 11, 11], image(3).subarray(0, 121)),
      'five.idx': Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 12, 0, 0, 0, 12, ...five]),
      'empty/notes.txt': '',
    });
    ({ limbeck } = commandLine(folder));
  });
  const reference = ['--device', 'reference'];

  it('names the classes of files, folders and arrays', async () => {
    const sources = ['one.png', 'all', 'five.npy', 'alone.npy', 'five.idx'];
    const { status, stdout, stderr } = await limbeck('predict', 'net', ...sources, '--json', ...reference);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { predictions } = JSON.parse(stdout);
    const expected = await predict(device, model, digits.test.images.subarray(0, 5 * pixels));
    const many = (name: string) => [0, 1, 2, 3, 4].map((i) => [`${name}[${i}]`, i] as const);
    const rows = [
      ['one.png', 0],
      ['all/a.png', 2],
      ['all/b.png', 1],
      ...many('five.npy'),
      ['alone.npy', 3],
      ...many('five.idx'),
    ] as const;
    expect(predictions).toHaveLength(rows.length);
    for (const [i, [name, row]] of rows.entries()) {
      expect(predictions[i]).toMatchObject({ image: name, class: String(expected.classes[row]) });
      const scores = Object.values<number>(predictions[i].probabilities);
      for (const [k, score] of scores.entries()) expect(score).toBeCloseTo(expected.scores[10 * row + k], 6);
    }
  });

  it('leaves out what cannot be decoded where it is told to, and keeps names with their images', async () => {
    for (const [name, content] of [
      ['a.png', png(2)],
      ['b.png', png(1).subarray(0, 60)],
      ['c.png', png(3)],
    ] as const) {
      mkdirSync(join(folder, 'some'), { recursive: true });
      writeFileSync(join(folder, 'some', name), content);
    }
    const refused = await limbeck('predict', 'net', 'some', ...reference);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/some\/b\.png: .*leave them out by --bad-images skip/);
    const { status, stdout, stderr } = await limbeck(
      ...['predict', 'net', 'some', '--bad-images', 'skip', '--json', ...reference],
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const named = JSON.parse(stdout).predictions.map(({ image }: { image: string }) => image);
    expect(named).toEqual(['some/a.png', 'some/c.png']);
    const alone = JSON.parse((await limbeck('predict', 'net', 'some/c.png', '--json', ...reference)).stdout);
    expect(JSON.parse(stdout).predictions[1]).toEqual(alone.predictions[0]);
  });

  it('shows the best three, and says how images were brought to size', async () => {
    writeFileSync(
      join(folder, 'large.png'),
      encodePng({ width: 24, height: 30, channels: 3, data: new Uint8Array(2160) }),
    );
    const { stdout, stderr } = await limbeck('predict', 'net/network.safetensors', 'large.png', ...reference);
    expect(stdout).toMatch(
      /^all 200 training images of digits, 2 networks of 1,\d+ parameters, right on \d+\.\d % of the test images\n {2}image +class +probability +then\n/,
    );
    expect(stdout).toMatch(/\n {2}large\.png +\d +\d+\.\d % {2}\d \d+\.\d %, \d \d+\.\d %\n$/);
    expect(stderr).toContain('image files are brought to 12x12 grey pixels');
  });

  it.each([
    [['net'], /predict needs a network and images/],
    [['none', 'one.png'], /none cannot be read: .*limbeck train --on/],
    [['net', 'one.png', '--bad-images', 'mend'], /--bad-images is "mend", expected refuse or skip/],
    [['net', 'none.png'], /none\.png cannot be decoded|none\.png cannot be read/],
    [['net', 'empty'], /empty holds no images/],
    [['net', 'small.npy'], /holds images of \[1, 11, 11\], expected \[1, 12, 12\]/],
    [['one.png', 'one.png'], /one\.png: .*ERR_FILE_FORMAT/],
  ])('refuses %j', async (args, message) => {
    const { status, stdout, stderr } = await limbeck('predict', ...args, ...reference);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
