/** Random numbers that serve different things come from different streams: by what the programs that are loaded say. */
import { expect, test } from 'vitest';
import type { Step } from '../src/engine/step.js';
import { distill, evaluate, openDevice, trainNetworks } from '../src/index.js';
import { streams } from '../src/train/streams.js';
import { shortRun, smallNetwork, twoClasses } from './harness/made-data.js';
import { files, text } from './harness/repository.js';

const data = twoClasses();

/** The streams of every random step of the programs that `work` loads, by the kernel that draws. */
async function drawnBy(work: (device: Awaited<ReturnType<typeof openDevice>>) => Promise<unknown>) {
  await using device = await openDevice('reference');
  const drawn = new Map<string, Set<number>>();
  const { load } = device;
  const note = ({ kernel, sizes }: Step) => {
    if (sizes.stream === undefined) return;
    // What forks the state serves the dropout masks that are drawn from it.
    const name = kernel.name === 'random.fork' ? 'random.dropout' : kernel.name;
    drawn.set(name, (drawn.get(name) ?? new Set()).add(sizes.stream));
  };
  device.load = (program, bindings) => {
    program.steps.forEach(note);
    return load.call(device, program, bindings);
  };
  await work(device);
  return drawn;
}

const dropping = { name: 'custom', layers: [{ linear: 3 }, 'relu', { dropout: 0.5 }, { linear: 2 }] };
const run = { ...shortRun, iterations: 2, batch: 4, init: 'random' } as const;

test('every use has a number of its own, and room behind it where it takes more than one', () => {
  const numbers = Object.values(streams);
  expect(new Set(numbers).size).toBe(numbers.length);
  // Dropout has one for each layer that draws, weights one for each tensor of parameters.
  const { dropout, dropoutOfReal, trainingNetworks, heldOutNetworks, experts, ...single } = streams;
  expect(Math.max(...Object.values(single))).toBeLessThan(dropout);
  expect(dropoutOfReal - dropout).toBeGreaterThanOrEqual(400);
  expect(trainingNetworks - dropoutOfReal).toBeGreaterThanOrEqual(400);
  expect(heldOutNetworks - trainingNetworks).toBeGreaterThan(10_000);
  expect(experts - heldOutNetworks).toBeGreaterThan(10_000);
});

test('no use of a seed names its stream by a number of its own', () => {
  const numbered = files('src')
    .filter((path) => path.endsWith('.ts'))
    // Seed 0 is of what is the same in every run.
    .filter((path) => /new Stream\((?!0,)[^()]*, *\d+\)/.test(text(path)));
  expect(numbered).toEqual([]);
});

test('no stream serves two kernels: batches, augmentation, dropout and weights', async () => {
  const drawn = await drawnBy(async (device) => {
    const { set } = await distill(device, data, { ...run, network: dropping });
    const options = { networks: 1, baselines: ['randomReal'] };
    await evaluate(device, data, set, options);
    await evaluate(device, data, set, { ...options, protocol: 'dsa' });
    await trainNetworks(device, data, { network: dropping, epochs: 1 });
  });
  for (const kernel of ['augmentdraw.rows', 'random.batch', 'random.dropout', 'random.uniform'])
    expect([...drawn.keys()]).toContain(kernel);
  const all = [...drawn.values()].flatMap((numbers) => [...numbers]);
  expect(new Set(all).size).toBe(all.length);
});

test('weights of networks that are trained and of those that are tested share no stream', async () => {
  const weights = async (work: Parameters<typeof drawnBy>[0]) => {
    const drawn = await drawnBy(work);
    return [...(drawn.get('random.uniform') ?? []), ...(drawn.get('random.normal') ?? [])];
  };
  const options = { network: smallNetwork, epochs: 1 };
  const tested = await weights((device) => trainNetworks(device, data, options));
  expect(tested.length).toBeGreaterThan(0);
  // Those of validation come from the stream of tested ones, in draws of their own.
  const fixed = await weights((device) => distill(device, data, { ...run, init: 'fixed' }));
  expect(fixed.filter((stream) => tested.includes(stream))).toEqual([]);
  const random = await weights((device) => distill(device, data, { ...run, init: 'random' }));
  expect(random.filter((stream) => !tested.includes(stream))).toEqual(fixed);
});

test('networks of validation begin as those of the test: as the protocol says, not as the run has them', async () => {
  const network = { ...smallNetwork, weights: 'kaiming' };
  const drawn = await drawnBy((device) =>
    distill(device, data, { method: 'dm', network, iterations: 1, batch: 2, augmentation: 'none' }),
  );
  const [trained, looked] = ['random.normal', 'random.uniform'].map((kernel) => [
    ...(drawn.get(kernel) ?? []),
  ]);
  expect(trained.length).toBeGreaterThan(0);
  expect(Math.max(...trained)).toBeLessThan(streams.heldOutNetworks);
  expect(looked.length).toBeGreaterThan(0);
  expect(Math.min(...looked)).toBeGreaterThanOrEqual(streams.heldOutNetworks);
});
