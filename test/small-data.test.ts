/** Small data sets, as new users bring them: defaults that fit, and what they are told. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveComparison } from '../src/analysis/compare/options.js';
import type { Dataset } from '../src/data/dataset.js';
import type { DistillOptions } from '../src/methods/index.js';
import { resolveFor, resolveOptions } from '../src/runs/options.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { twoClasses } from './harness/made-data.js';

describe('defaults', () => {
  /** Two classes of `count` training images, the second a third of the first. */
  const data = (count: number, name = 'flowers'): Dataset => {
    const labels = Uint8Array.from({ length: count }, (_, i) => (i % 4 === 0 ? 1 : 0));
    return {
      ...twoClasses(),
      imageShape: [1, 28, 28],
      name,
      train: { images: new Uint8Array(6 * count), labels, count },
    };
  };
  const resolved = (given: DistillOptions, dataset: Dataset) => {
    const { options, fitted } = resolveFor('', given, dataset);
    const { iterations, patience, batch, validateEvery } = options;
    return { options: [iterations, patience, batch, validateEvery], fitted };
  };

  /** Of unrolled training. */
  const small = ['init', 'first', 'epochs'];
  test.each([
    // A tenth of the steps, and a quarter of their 40 looks.
    [{}, 80, [2000, 10, 80, 50], ['batch', ...small, 'iterations', 'patience']],
    [{}, 1200, [2400, 12, 1024, 50], [...small, 'iterations', 'patience']],
    [{}, 10_000, [20_000, 0, 1024, 50], []],
    [{ patience: 0 }, 80, [2000, 0, 80, 50], ['batch', ...small, 'iterations']],
    [{ init: 'fixed' }, 80, [2000, 10, 80, 50], ['batch', 'iterations', 'patience']],
    // Whoever says how many gets them all.
    [{ iterations: 300 }, 80, [300, 0, 80, 50], ['batch']],
    [{ iterations: 300, batch: 1000 }, 80, [300, 0, 1000, 50], []],
    // Real images of each class: the largest has 60. Ten looks.
    [{ method: 'dm' }, 80, [2000, 3, 60, 200], ['batch', 'iterations', 'networks', 'patience']],
    [{ method: 'dm' }, 10_000, [20_000, 0, 256, 2000], []],
    // Its steps follow from other options.
    [{ method: 'dc', outerLoop: 3 }, 2000, [600, 3, 256, 60], ['iterations', 'networks', 'patience']],
  ] as const)('%j on %i images', (given, count, options, names) => {
    const found = resolved(given as DistillOptions, data(count));
    expect(found.options).toEqual(options);
    expect(Object.keys(found.fitted).sort()).toEqual([...names].sort());
  });

  test.each([
    [{ method: 'dm' }, 80, 5],
    [{ method: 'dm' }, 5000, 10],
    [{ method: 'dm' }, 10_000, 20],
    [{ method: 'dm', iterations: 300 }, 80, 5],
    [{ method: 'dm', networks: 20 }, 80, 20],
    // Five as it was published; and where the learned steps are all the training there is, twenty cost nothing.
    [{ method: 'frepo' }, 5000, 5],
    [{}, 80, 20],
  ] as const)('networks of the test of %j on %i images: %i', (given, count, networks) => {
    const { options, fitted } = resolveFor('', given as DistillOptions, data(count));
    expect(options.networks).toBe(networks);
    const own = resolveOptions(given as DistillOptions).networks;
    expect(fitted.networks).toBe(networks === own ? undefined : networks);
  });

  test('of a comparison: as many networks, and epochs on all images in proportion to these', () => {
    const of = (count: number) => resolveComparison('', { methods: ['dm'] }, data(count));
    expect([80, 5000, 10_000].map((count) => of(count).networks)).toEqual([5, 10, 20]);
    expect(resolveComparison('', { methods: ['dm'], networks: 20 }, data(80)).networks).toBe(20);
    // Steps of 128 images: 300 of one each epoch, 1500 of 79 and of 469.
    expect([80, 10_000, 60_000].map((count) => of(count).fullEpochs)).toEqual([300, 19, 4]);
  });

  test('of unrolled training on few images: many networks, images that begin as real ones', () => {
    const { options } = resolveFor('', {}, data(80));
    expect(options).toMatchObject({ init: 'random', first: 'real', epochs: 10, innerLr: 0.02 });
    const said = resolveFor('', { optimizer: 'adam', steps: 2, ipc: 4 }, data(80)).options;
    expect(said).toMatchObject({ init: 'random', steps: 2, innerLr: 0.001 });
  });

  test('a network that takes the images, where nobody names one', () => {
    const tiny = { ...data(80), imageShape: [1, 2, 3] as const };
    expect(resolveFor('', {}, tiny).fitted.network).toBe('mlp');
    expect(resolveFor('', { network: 'lenet' }, tiny).options.network).toBe('lenet');
    const large = { ...tiny, imageShape: [1, 28, 28] as const };
    expect(resolveFor('', {}, large).fitted).not.toHaveProperty('network');
  });

  test('stand behind published settings, and change nothing where there are none but the options', () => {
    const { options, taken } = resolveFor(
      '',
      { method: 'rat', ipc: 10 },
      {
        ...{ ...data(80, 'cifar10'), classes: 10, imageShape: [3, 32, 32] as const },
      },
    );
    expect(taken).not.toEqual({});
    expect(options).toMatchObject(taken);
    expect(resolveFor('', {}, data(55_000, 'mnist')).options).toEqual(resolveOptions({}));
  });
});

describe('a folder of pictures, as a new user has it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limbeck-small-'));
  const { limbeck } = commandLine(folder);
  beforeAll(buildWhereStale);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** A picture of one colour with a darker bar in it, whose place tells the class. */
  const picture = (k: number, i: number, format: 'png' | 'jpeg' | 'webp' | 'gif', palette = false) => {
    const [width, height] = [12 + (i % 5), 11 + (i % 3)];
    const colour = { r: 120 + 9 * i, g: 200 - 5 * i, b: 160 };
    const bar = { create: { width, height: 3, channels: 3 as const, background: '#102030' } };
    const ground = sharp({ create: { width, height, channels: 3, background: colour } });
    const drawn = ground.composite([{ input: bar, left: 0, top: 4 * k }]);
    const coloured = i % 4 === 3 ? drawn.grayscale() : drawn;
    return (palette ? coloured.png({ palette }) : coloured.toFormat(format)).toBuffer();
  };

  test('becomes a page, and is told what was read, what was fitted and what to doubt', async () => {
    const kinds = ['png', 'jpeg', 'webp', 'gif', 'png', 'jpeg'] as const;
    for (const [k, name] of ['low', 'mid', 'top'].entries()) {
      await mkdir(join(folder, 'bars', name), { recursive: true });
      for (let i = 0; i < 18; i++) {
        const kind = kinds[i % kinds.length];
        await writeFile(
          join(folder, 'bars', name, `${i}.${kind}`),
          await picture(2 - k, i, kind, i % 6 === 4),
        );
      }
      await writeFile(join(folder, 'bars', name, 'Thumbs.db'), 'x');
    }
    await mkdir(join(folder, 'bars/__MACOSX/low'), { recursive: true });
    await writeFile(join(folder, 'bars/__MACOSX/low/._0.png'), 'x');
    await writeFile(join(folder, 'bars/notes.txt'), 'mine');
    await writeFile(join(folder, 'bars/mid/broken.jpg'), 'no picture');
    const run = ['distill', '--dataset', 'bars', '--device', 'reference', '--network', 'mlp:width=4'];
    const { status, stderr } = await limbeck(...run, '--iterations', '2', '--networks', '1', '--out', 'run');
    expect(status, stderr).toBe(0);
    for (const said of [
      /brought to 32x32, .* cut at both ends; --image-size HxW says otherwise/,
      /1 image of 55 cannot be decoded and was left out: .*broken\.jpg/,
      /Warning: the validation split has \d images: one of them is \d+\.\d % of accuracy; .*--validation/,
      /Plan: 3 distilled images .* 2 outer steps of (\d+) real images/,
      /Fitted to (\d+) training images, unless given: batch \1\n/,
      /trained on +test accuracy +by test split/,
      /not worth distilling yet|no better than guessing|cannot be told from guessing/,
    ])
      expect(stderr).toMatch(said);
    expect(stderr).not.toMatch(/Thumbs|MACOSX/);
    expect(existsSync(join(folder, 'run/report.html'))).toBe(true);
    const { config } = JSON.parse(readFileSync(join(folder, 'run/run.json'), 'utf8'));
    expect(config.fitted).toEqual({ batch: config.options.batch });
  });
});
