/** What is held out of training images: class by class, at least one image of each left to train on. */
import { describe, expect, test } from 'vitest';
import { assembleDataset, type SplitOptions } from '../src/data/assemble.js';
import { classCounts } from '../src/data/classes.js';
import type { Split } from '../src/data/dataset.js';
import { holdOut } from '../src/data/hold-out.js';

/** Images of one pixel, each its own number, of so many per class; classes take turns. */
function images(counts: readonly number[]) {
  const most = Math.max(...counts);
  const labels = Uint8Array.from(
    Array.from({ length: most }).flatMap((_, i) => [...counts.keys()].filter((k) => i < counts[k])),
  );
  return { images: Float32Array.from(labels, (_, i) => i + 0.5), labels, count: labels.length };
}
const classNames = ['ant', 'bee', 'cat', 'dog', 'eel', 'fox', 'gnu', 'hen', 'ibis', 'jay'];
const split = (counts: readonly number[], options: SplitOptions = {}) =>
  assembleDataset(
    {
      name: 'x',
      path: 'x',
      imageShape: [1, 1, 1],
      classNames: classNames.slice(0, counts.length),
      train: images(counts),
    },
    options,
  );
const perClass = async (counts: readonly number[], options?: SplitOptions) => {
  const { train, validation, test: tested } = await split(counts, options);
  return [train, validation, tested].map(({ labels }) => classCounts(labels, counts.length));
};

describe('holding out', () => {
  test.each<[string, number[], number[][]]>([
    [
      'a class of one image',
      [40, 40, 40, 1],
      [
        [29, 29, 29, 1],
        [3, 3, 3, 0],
        [8, 8, 8, 0],
      ],
    ],
    [
      'nine classes of twenty and one of two',
      [20, 20, 20, 20, 20, 20, 20, 20, 20, 2],
      [
        [14, 14, 14, 14, 15, 15, 15, 15, 15, 1],
        [2, 2, 2, 2, 1, 1, 1, 1, 2, 0],
        [4, 4, 4, 4, 4, 4, 4, 4, 3, 1],
      ],
    ],
    [
      'a class of three',
      [30, 3],
      [
        [24, 1],
        [1, 1],
        [5, 1],
      ],
    ],
  ])('%s', async (_what, counts, expected) => {
    expect(await perClass(counts)).toEqual(expected);
  });

  test('names the classes that are not in every split', async () => {
    expect((await split([40, 40, 40, 1])).notes).toEqual([
      expect.stringMatching(/^held out .* class by class .*: 24 images for test, 9 images for validation$/),
      'classes that are not in every split: dog (no validation, no test)',
    ]);
  });

  test('takes fractions or numbers, and a seed', async () => {
    const counts = async (options: SplitOptions) => {
      const { train, validation, test: tested } = await split([50, 50], options);
      return [train.count, validation.count, tested.count];
    };
    expect(await counts({ validation: 0.25, test: 0.4 })).toEqual([45, 15, 40]);
    expect(await counts({ validation: 7, test: 3 })).toEqual([90, 7, 3]);
    expect(await counts({ validation: 0, test: 0.01 })).toEqual([98, 0, 2]);
    const seeds: string[] = [];
    for (const splitSeed of [undefined, 1, 2])
      seeds.push((await split([50, 50], { splitSeed })).test.images.join());
    expect(seeds[0]).toBe(seeds[1]);
    expect(seeds[2]).not.toBe(seeds[1]);
  });

  test('keeps the order, loses nothing and depends on nothing but seed and labels', () => {
    const all = images([13, 29, 58]);
    const { rest, held } = holdOut(all, 'test', { test: 0.3 });
    for (const part of [rest, held]) expect(part.images).toEqual(part.images.slice().sort());
    expect([...rest.images, ...held.images].sort((a, b) => a - b)).toEqual([...all.images]);
    for (const part of [rest, held])
      for (const [i, image] of part.images.entries())
        expect(part.labels[i]).toBe(all.labels[Math.floor(image)]);
    expect(holdOut(all, 'test', { test: 0.3 })).toEqual({ rest, held });
    expect(classCounts(held.labels, 3)).toEqual([4, 9, 17]);
  });

  test.each<[SplitOptions, RegExp]>([
    [{ validation: 99 }, /validation is 99, expected at most 78.*every class needs one.*\(--validation\)/],
    [{ test: 1.5 }, /test is 1.5, expected a fraction below 1 or a whole number.*\(--test\)/],
    [{ test: -1 }, /test is -1/],
  ])('refuses %j', async (options, message) => {
    await expect(split([50, 50], options)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringMatching(message) }),
    );
  });
});

test('as many images as can be spared leave every class one to train on', () => {
  for (const counts of [
    [1, 5],
    [2, 1, 4],
  ]) {
    const labels = Uint8Array.from(counts.flatMap((count, k) => new Array<number>(count).fill(k)));
    const all: Split = { images: new Uint8Array(labels.length), labels, count: labels.length };
    const validation = labels.length - counts.length;
    const { rest, held } = holdOut(all, 'validation', { validation });
    expect(classCounts(rest.labels, counts.length)).toEqual(counts.map(() => 1));
    expect(held.count).toBe(validation);
  }
});

describe('a data set', () => {
  const found = (train: Split) => ({
    ...{ name: 'x', path: 'pictures', imageShape: [1, 1, 1] as const, train },
  });

  test('whose labels begin with 1 has classes of these names', async () => {
    const train = images([20, 20, 20]);
    const data = await assembleDataset(found({ ...train, labels: train.labels.map((label) => label + 1) }));
    expect(data).toMatchObject({ classes: 3, classNames: ['1', '2', '3'] });
    expect(data.notes).toContain('its labels begin with 1: the classes are called 1 to 3');
    expect(classCounts(data.train.labels, 3)).toEqual([15, 15, 15].map(() => expect.any(Number)));
    const gap = { ...train, labels: train.labels.map((label) => 2 * label + 1) };
    await expect(assembleDataset(found(gap))).rejects.toThrow(
      /class 0 of 0 to 5 has no training image.*--classes/,
    );
  });

  test('that is one shade is refused, a channel that is one is named', async () => {
    const train = images([20, 20]);
    await expect(assembleDataset(found({ ...train, images: new Uint8Array(40) }))).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_DATA',
        message: expect.stringMatching(/^pictures: every training image is the same in every pixel \(0\)/),
      }),
    );
    const grey = Uint8Array.from({ length: 80 }, (_, i) => (i % 2 ? 7 : i));
    const data = await assembleDataset({ ...found({ ...train, images: grey }), imageShape: [2, 1, 1] });
    expect(data.notes).toContain('channel 2 of 2 is 7 in every training image');
  });

  test('names a class without training images', async () => {
    const none = { ...found(images([5, 0, 5])), classNames: ['ant', 'bee', 'cat'] };
    await expect(assembleDataset(none)).rejects.toThrow(
      /class bee has no training image; there are ant, bee, cat/,
    );
  });

  test('with a test split of its own takes no part for one', async () => {
    const own = { ...found(images([5, 5])), test: images([1, 1]) };
    await expect(assembleDataset(own, { test: 0.2 })).rejects.toThrow(
      /has test images of its own: leave it out/,
    );
  });
});
