/** Labels alone are learned, of images that stay what they begin as. */
import { describe, expect, it } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { DistillOptions } from '../src/methods/index.js';
import { findMethod, resolveFor } from '../src/runs/options.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';

const dataset = generateDigits({ train: 100, validation: 10, test: 10, size: 12 });
const device = new ReferenceDevice();
const common = { network: 'mlp:width=8', batch: 20, iterations: 4, first: 'real' } as const;
const methods = {
  frepo: { method: 'frepo', ipc: 2, ridge: 0.01, pool: 1, labelLr: 0.1 },
  unrolled: { method: 'unrolled', labels: 'soft', steps: 1, epochs: 2, innerLr: 0.1 },
} as const;

/** Names of the state, and images and labels before and after an outer step. */
async function run(given: DistillOptions) {
  const { options } = resolveFor('test', { ...common, ...given }, dataset);
  const train = await uploadTraining(device, dataset, options);
  const process = await findMethod(options.method).begin(await settingFor(device, dataset, options, train));
  const both = async () => {
    const { images, labels } = await process.result();
    return { images, labels };
  };
  const first = await both();
  await process.advance(1);
  const second = await both();
  const names = Object.keys(process.tensors);
  process.dispose();
  return { names, first, second };
}

describe.each(Object.entries(methods))('%s with fixed images', (_, given) => {
  it('moves the labels as it would with images that move, and no images', async () => {
    const [fixed, moving] = [await run({ ...given, fixedImages: true }), await run(given)];
    expect(fixed.second.images).toEqual(fixed.first.images);
    expect(moving.second.images).not.toEqual(moving.first.images);
    expect(fixed.second.labels).not.toEqual(fixed.first.labels);
    // In the first step they come from the same images.
    expect(fixed.second.labels).toEqual(moving.second.labels);
    expect(fixed.names.filter((name) => name.startsWith('pixels'))).toEqual(['pixels']);
  });
});

it('unrolled with hard labels would learn rates alone, and refuses that', () => {
  const given = { ...common, ...methods.unrolled, labels: 'hard', fixedImages: true } as const;
  expect(() => resolveFor('test', given, dataset)).toThrow(
    /fixedImages is given and labels is hard: .* expected labels: soft/,
  );
});
