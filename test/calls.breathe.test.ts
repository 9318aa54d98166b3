/** A call lets other work of its thread run while its program is recorded, planned and loaded. */
import { expect, test } from 'vitest';
import { createNetwork, metaGradient, openDevice, trajectoryMatching } from '../src/index.js';

const network = { name: 'mlp', inputShape: [1, 2, 2], classes: 3, width: 4 } as const;
const { count } = createNetwork(network);
const tenths = (length: number) => new Float32Array(length).fill(0.1);
const inner = { network, images: tenths(20), labels: tenths(15), learningRates: [0.01], steps: 5 };
const real = { realImages: tenths(16), realLabels: tenths(12) };

/** How often the event loop comes round until a promise is settled. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let [turns, over] = [0, false];
  const turn = () => {
    turns++;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await work;
  over = true;
  return turns;
}

// Without pauses in its stages it comes round some twenty times, however many steps there are.
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
    const few = await turnsDuring(call(device, 1));
    const many = await turnsDuring(call(device, 20));
    expect(many - few).toBeGreaterThan(8);
  },
);
