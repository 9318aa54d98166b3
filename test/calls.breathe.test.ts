/** A call lets other work of its thread run while its program is recorded, planned and loaded. */
import { expect, test, vi } from 'vitest';
import { createNetwork, metaGradient, openDevice, trajectoryMatching } from '../src/index.js';

const network = { name: 'mlp', inputShape: [1, 2, 2], classes: 3, width: 4 } as const;
const { count } = createNetwork(network);
const tenths = (length: number) => new Float32Array(length).fill(0.1);
const inner = { network, images: tenths(20), labels: tenths(15), learningRates: [0.01], steps: 5 };
const real = { realImages: tenths(16), realLabels: tenths(12) };

/** How often other work may run until a promise is settled. */
async function pausesDuring(work: () => Promise<unknown>): Promise<number> {
  const immediate = vi.spyOn(globalThis, 'setImmediate');
  await work();
  const pauses = immediate.mock.calls.length;
  immediate.mockRestore();
  return pauses;
}

test.each([
  [
    'metaGradient',
    (device, epochs) => metaGradient(device, { ...inner, ...real, parameters: tenths(count), epochs }),
  ],
  [
    'trajectoryMatching',
    (device, epochs) =>
      trajectoryMatching(device, { ...inner, start: tenths(count), target: tenths(count).fill(0.2), epochs }),
  ],
] satisfies [string, (device: Awaited<ReturnType<typeof openDevice>>, epochs: number) => Promise<unknown>][])(
  'the first call of %s pauses the more often the more steps there are',
  async (_, call) => {
    await using device = await openDevice('cpu', { threads: 1 });
    const few = await pausesDuring(() => call(device, 1));
    const many = await pausesDuring(() => call(device, 20));
    expect(many - few).toBeGreaterThan(8);
  },
);
