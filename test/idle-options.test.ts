/** Options that would do nothing beside others are refused where they are given, and augmentation is told as it is taken. */
import { describe, expect, it, test } from 'vitest';
import type { DistillOptions } from '../src/methods/index.js';
import { resolveFor, resolveOptions } from '../src/runs/options.js';
import { strategies } from '../src/train/augmentation.js';

const layers = [{ convTranspose: 1, kernel: 4, stride: 2, padding: 1 }];
const own = { name: 'decoder', layers, latent: [1, 3, 4], images: 2 };
const teacher = 'a folder';

describe('options that do nothing beside the others', () => {
  test.each<[object, RegExp]>([
    [
      { momentum: 0.5 },
      /^option momentum is 0.5, but optimizer is sgd, .* expected optimizer: momentum or nesterov/,
    ],
    [
      { innerBeta1: 0.1 },
      /^option innerBeta1 is 0.1, but optimizer is sgd, .* expected optimizer: adam or adamw/,
    ],
    [{ optimizer: 'momentum', innerEpsilon: 1 }, /^option innerEpsilon is 1, but optimizer is momentum/],
    [{ labelLr: 9 }, /^option labelLr is 9, but labels is hard, .* expected labels: soft/],
    [{ fixedImages: true, labels: 'soft', lr: 3 }, /^option lr is 3, but fixedImages is given/],
    [{ method: 'rat', momentum: 0.3 }, /^option momentum is 0.3, but optimizer is adam/],
    [{ method: 'rat', labelLr: 9 }, /^option labelLr is 9, but labels is hard/],
    [
      { method: 'at', innerBeta2: 0.5, optimizer: 'nesterov' },
      /^option innerBeta2 is 0.5, but optimizer is nesterov/,
    ],
    [{ method: 'kip', labelLr: 9 }, /^option labelLr is 9, but labels is hard/],
    [{ method: 'kip', solveLabels: true, labelLr: 9 }, /^option labelLr is 9, but solveLabels is given/],
    [{ method: 'frepo', fixedImages: true, lr: 1 }, /^option lr is 1, but fixedImages is given/],
    [
      { method: 'rded', teacher, average: 0.9 },
      /^option average is 0.9, but method rded .* nothing to average/,
    ],
    [
      { method: 'dm', parametrisation: own, first: 'means' },
      /^option first is "means", but latents of a decoder of your own/,
    ],
  ])('%j', (given, message) => {
    const error = expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringMatching(message) });
    expect(() => resolveOptions(given as DistillOptions)).toThrow(error);
    expect(() => resolveFor('here', given as DistillOptions)).toThrow(/^here: option/);
  });

  it('are taken where they do something', () => {
    const fine: object[] = [
      { optimizer: 'momentum', momentum: 0.5 },
      { optimizer: 'adamw', innerBeta1: 0.1, innerBeta2: 0.5, innerEpsilon: 1 },
      { labels: 'soft', labelLr: 9 },
      { method: 'kip', labels: 'soft', labelLr: 9, lr: 1 },
      { method: 'frepo', labelLr: 9, fixedImages: true },
      { method: 'dm', parametrisation: { name: 'decoder', images: 2 }, first: 'means', average: 0.9 },
    ];
    for (const given of fine) expect(resolveOptions(given as DistillOptions)).toMatchObject(given);
  });

  it('are taken with the values that they have anyway, as a record of a run holds them', () => {
    for (const given of [
      {},
      { method: 'rat' },
      { method: 'kip', solveLabels: true },
      { method: 'rded', teacher },
    ]) {
      const { ...options } = resolveOptions(given as DistillOptions);
      expect(resolveOptions(options as DistillOptions)).toEqual(options);
    }
    // Of a run of few images, where it began so by default.
    const begun = { parametrisation: own, first: 'real', iterations: 5 } as DistillOptions;
    expect(resolveOptions(begun).first).toBe('real');
  });
});

test('an augmentation that is refused is not among those that are expected', () => {
  const messageOf = (augmentation: string): string => {
    try {
      resolveOptions({ method: 'dm', augmentation });
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  for (const wrong of ['dc-mnist', 'dsaa', 'shift']) {
    const [, expected] = messageOf(wrong).split(', expected ');
    expect(expected).toMatch(
      /^none, dsa, dsa-digits, resized-crop, .* or different ones of color, .* such as crop_rotate$/,
    );
  }
  for (const name of Object.keys(strategies)) expect(messageOf(name) === '').toBe(name !== 'dc-mnist');
});
