/** Every method with parametrisations on every engine; a method that is added is a row of `rows`. */

import { mkdtempSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../src/cli/config.js';
import { command } from '../src/cli/distill.js';
import { commandHelp } from '../src/cli/help.js';
import { distillOptions, flagOf } from '../src/cli/options.js';
import { datasetFromArrays } from '../src/data/arrays.js';
import type { Dataset } from '../src/data/dataset.js';
import { openExperts } from '../src/data/experts/open.js';
import type { Device, EngineName } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { decodeArtefact, encodeArtefact } from '../src/eval/artefact.js';
import { type DistillOptions, methods } from '../src/methods/index.js';
import type { Process } from '../src/methods/method.js';
import { parametrisations } from '../src/parametrisations/index.js';
import { distillToFolder, resumeFolder } from '../src/report/run-folder.js';
import { decodeCheckpoint, encodeCheckpoint } from '../src/runs/checkpoint.js';
import { distill } from '../src/runs/distill.js';
import type { Checkpoint } from '../src/runs/distillation.js';
import { saveModel } from '../src/runs/network-folder.js';
import { findMethod, resolveFor } from '../src/runs/options.js';
import { planDistillation } from '../src/runs/plan/plan.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { Validation } from '../src/runs/validation.js';
import { type Owned, owning } from '../src/util/owned.js';
import { Stream } from '../src/util/random.js';
import { dot, relativeError } from './harness/close.js';
import { madeTeacher, writeMadeExperts } from './harness/made-shapes.js';
import { text } from './harness/repository.js';

/** A smooth network: central differences of a rectifier's loss would meet its kinks. */
const network = {
  name: 'custom',
  layers: [{ conv: 3, kernel: 3, padding: 1 }, { groupNorm: 3 }, 'tanh', { avgPool: 2 }, { linear: 3 }],
};

/** Two such blocks, the first of which has an attention map. */
const twoBlocks = {
  name: 'custom',
  layers: [...network.layers.slice(0, -1), { conv: 4, kernel: 3, padding: 1 }, 'tanh', { linear: 3 }],
};

/** Where the experts of trajectory matching lie. */
const experts = mkdtempSync(join(tmpdir(), 'limbeck-experts-'));
const trajectories: DistillOptions = {
  ...{ experts, ipc: 3, innerBatch: 5, expertEpochs: 1, maxStart: 3, validateEvery: 2 },
  ...{ lr: 1, rateLr: 1e-3, augmentation: 'crop_scale', protocol: 'mtt-no-zca' },
};

/** Where the teacher lies. */
const teacherFolder = mkdtempSync(join(tmpdir(), 'limbeck-teacher-'));

/** What makes each method small: two outer steps' worth of options, and how large a part of Adam's moment its first gradient is. */
const rows: Readonly<Record<string, DistillOptions>> = {
  unrolled: { steps: 2, epochs: 2, innerLr: 0.1, batch: 6, labels: 'soft', init: 'random', validateEvery: 2 },
  dm: { batch: 4, augmentation: 'crop_scale', validateEvery: 2 },
  datadam: { batch: 4, augmentation: 'crop_scale', network: twoBlocks, validateEvery: 2 },
  ncfm: {
    ...{ batch: 4, frequencies: 24, frequencyLr: 0.01, alpha: 0.4, augmentation: 'crop_scale' },
    ...{ beta1: 0.5, validateEvery: 2 },
  },
  dc: { batch: 4, ipc: 2, outerLoop: 3, innerLoop: 2, validateEvery: 2 },
  frepo: {
    ...{ batch: 6, ipc: 2, ridge: 0.01, beta1: 0.5, augmentation: 'scale' },
    ...{ pool: 2, onlineSteps: 2, validateEvery: 2 },
  },
  // Both systems are solved to the end, and the implicit part is not held: the gradient is that of the loss.
  rcig: {
    ...{
      batch: 6,
      ipc: 2,
      ridge: 0.01,
      beta1: 0.5,
      augmentation: 'scale',
      solverSteps: 19,
      mostImplicit: 1e6,
    },
    ...{ pool: 2, poolSteps: 2, validateEvery: 2 },
  },
  kip: {
    ...{ network: { name: 'mlp', layers: 2, width: 4 }, batch: 6, ipc: 2, ridge: 0.01, beta1: 0.5 },
    ...{ labels: 'soft', augmentation: 'scale', validateEvery: 2 },
  },
  dsa: { batch: 4, ipc: 2, outerLoop: 3, innerLoop: 1, augmentation: 'scale_rotate', validateEvery: 2 },
  mtt: { ...trajectories, population: 2, innerSteps: 3, minStart: 1, masked: 0.3, trajectory: 'line' },
  mct: { ...trajectories, innerSteps: 3 },
  datm: {
    ...{ ...trajectories, innerSteps: 3, minStart: 1, firstMaxStart: 2, widenSteps: 4, masked: 0.1 },
    ...{ labelLr: 0.5, mostLoss: 1e6, average: 0.5 },
  },
  // Of one step it is the gradient of its loss.
  tesla: { ...trajectories, innerSteps: 1 },
  // With this seed the first window begins at age 0: a network that was trained before would move with the images, too. The epsilon is
  // one with which inner Adam is smooth.
  rat: {
    ...{ window: 3, total: 7, pool: 2, seed: 8, population: 2, batch: 6, ipc: 2, innerBatch: 3, beta1: 0.5 },
    ...{ labels: 'soft', augmentation: 'crop_scale', networkLr: 0.05, innerEpsilon: 0.1, validateEvery: 2 },
  },
  // What it makes is chosen, and has no gradient.
  rded: { teacher: teacherFolder, batch: 8, crops: 2, validateEvery: 2 },
  sre2l: {
    ...{ teacher: teacherFolder, batch: 3, augmentation: 'crop_scale' },
    ...{ statisticsWeight: 0.3, validateEvery: 2 },
  },
  at: {
    ...{ window: 3, total: 7, seed: 8, population: 2, batch: 6, ipc: 2, innerBatch: 3, beta1: 0.5, focus: 2 },
    ...{ augmentation: 'crop_scale', networkLr: 0.05, innerEpsilon: 0.1, validateEvery: 2 },
  },
};

/** Methods that choose, and descend along nothing: their choices are compared in the place of gradients. */
const choosing: readonly string[] = ['rded'];

const common = { network, iterations: 6, imageScale: 1, validationNetworks: 1, networks: 2 } as const;

/** Three classes of waves, 8 x 8. */
function waves(): Dataset {
  const split = (count: number, phase: number) => ({
    images: Float32Array.from({ length: count * 64 }, (_, i) => {
      const [image, pixel] = [Math.floor(i / 64), i % 64];
      return 0.5 + 0.4 * Math.sin(phase + image * 0.7 + ((image % 3) + 1) * 0.4 * pixel);
    }),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 3),
  });
  return datasetFromArrays({
    name: 'waves',
    imageShape: [1, 8, 8],
    classes: 3,
    train: split(24, 0),
    validation: split(6, 1),
    test: split(9, 2),
  });
}

const dataset = waves();

const teacher = madeTeacher(dataset);
await saveModel(teacherFolder, teacher);
writeMadeExperts(experts, dataset, network);
const opened = await openExperts(experts);
const engines: readonly EngineName[] = ['reference', 'cpu', 'webgpu'];
const devices = {} as Record<EngineName, Device>;
beforeAll(async () => {
  for (const engine of engines) devices[engine] = await openDevice(engine);
});
afterAll(async () => {
  for (const device of Object.values(devices)) await device.dispose();
  await opened.close();
  await rm(experts, { recursive: true });
  await rm(teacherFolder, { recursive: true });
});

/** A process before its first step. */
async function begun(device: Device, given: DistillOptions, owned: Owned): Promise<Process> {
  const { options } = resolveFor('test', given, dataset);
  const train = owned.own(await uploadTraining(device, dataset, options));
  return owned.own(
    await findMethod(options.method).begin(
      await settingFor(device, dataset, options, train, { experts: opened, teacher }),
    ),
  );
}

type State = Readonly<Record<string, Float64Array>>;

/** The whole state, to go back to. */
async function stateOf({ tensors }: Process): Promise<State> {
  const read = Object.entries(tensors).map(
    async ([name, tensor]) => [name, Float64Array.from(await tensor.read())] as const,
  );
  return Object.fromEntries(await Promise.all(read));
}

/** The first outer step from a state; returns its loss. */
async function firstStep(process: Process, state: State): Promise<number> {
  for (const [name, values] of Object.entries(state)) await process.tensors[name].write(values);
  await process.goTo(0);
  return (await process.advance(1)).loss;
}

/** The gradient of the first outer step with respect to all that is stored, as its update rule remembers it. */
async function gradient(process: Process, stored: readonly string[]): Promise<Float64Array> {
  await firstStep(process, await stateOf(process));
  const all: number[] = [];
  for (const name of stored) {
    const { [`${name}.v`]: velocity, [`${name}.m`]: mean } = process.tensors;
    // Adam's mean begins at 0 and takes half of it.
    for (const value of await (velocity ?? mean).read()) all.push(velocity ? value : 2 * value);
  }
  return Float64Array.from(all);
}

it('there is a row for every method', () => {
  expect(Object.keys(rows).sort()).toEqual(Object.keys(methods).sort());
});

/** Parametrisations as they fit in small images, what they store, and the methods they are with. */
const forms: Readonly<Record<string, { written: string; stored: string[]; methods: string[] }>> = {
  pixels: { written: 'pixels', stored: ['pixels'], methods: Object.keys(methods) },
  factor: { written: 'factor', stored: ['pixels'], methods: Object.keys(methods) },
  // A method sees items and where their gradient goes, whatever is behind them: that it does is shown with two parametrisations.
  // Each other one is with one method, so that every update rule meets several variables, and networks are trained on their items.
  dct: { written: 'dct:images=2', stored: ['coefficients'], methods: ['mtt'] },
  bases: { written: 'bases:images=2', stored: ['bases', 'coefficients'], methods: ['unrolled'] },
  decoder: { written: 'decoder:images=2:width=2', stored: ['latents', 'weights'], methods: ['frepo'] },
  gaussians: { written: 'gaussians:images=2', stored: ['gaussians'], methods: ['dm'] },
};

it('there is a form of every parametrisation', () => {
  expect(Object.keys(forms).sort()).toEqual(Object.keys(parametrisations).sort());
});

const pairs = Object.entries(forms).flatMap(([parametrisation, form]) =>
  form.methods.map((method) => [method, parametrisation] as const),
);

describe.each(pairs)('%s with %s', (method, parametrisation) => {
  const { written, stored } = forms[parametrisation];
  const given = { ...common, ...rows[method], method, parametrisation: written } as DistillOptions;
  let reference: Float64Array;

  if (choosing.includes(method))
    it.each(['cpu', 'webgpu'] as const)('chooses on %s what it chooses by its definition', async (engine) => {
      await owning(async (owned) => {
        const chosen = async (device: Device) => {
          const process = await begun(device, given, owned);
          const { loss } = await process.advance(3);
          return { loss, set: await process.result() };
        };
        const [expected, own] = [await chosen(devices.reference), await chosen(devices[engine])];
        // The same patches; what decodes them rounds.
        expect(relativeError(own.set.images, expected.set.images)).toBeLessThan(1e-6);
        expect(relativeError(own.set.labels, expected.set.labels)).toBeLessThan(1e-5);
        expect(Math.abs(own.loss - expected.loss)).toBeLessThan(1e-5);
        owned.dispose();
      });
    });
  else
    it('has the gradient of its loss: central differences in float64', async () => {
      await owning(async (owned) => {
        const process = await begun(devices.reference, given, owned);
        const state = await stateOf(process);
        reference = await gradient(process, stored);
        const source = new Stream(1, 77);
        const direction = reference.map((_, i) => source.normal(i));
        const step = 3e-6;
        const moved = (sign: number) => {
          let next = 0;
          const changed = stored.map((name) => [
            name,
            state[name].map((value) => value + sign * step * direction[next++]),
          ]);
          return firstStep(process, { ...state, ...Object.fromEntries(changed) });
        };
        const slope = ((await moved(1)) - (await moved(-1))) / (2 * step);
        const expected = dot(reference, direction);
        expect(Math.abs(expected)).toBeGreaterThan(1e-6);
        // The error of central differences: a third derivative times the step squared.
        expect(Math.abs(slope - expected) / Math.abs(expected)).toBeLessThan(1e-5);
        owned.dispose();
      });
    });

  if (!choosing.includes(method))
    it.each(['cpu', 'webgpu'] as const)('has it on %s', async (engine) => {
      await owning(async (owned) => {
        const g = await gradient(await begun(devices[engine], given, owned), stored);
        expect(relativeError(g, reference)).toBeLessThan(1e-3);
        owned.dispose();
      });
    });

  it.each(engines)('gives the same bits twice, and from a saved state, on %s', async (engine) => {
    await owning(async (owned) => {
      const [whole, again, late] = [
        await begun(devices[engine], given, owned),
        await begun(devices[engine], given, owned),
        await begun(devices[engine], given, owned),
      ];
      await whole.advance(2);
      for (const [name, tensor] of Object.entries(whole.tensors))
        await late.tensors[name].write(await tensor.read());
      await late.goTo(2);
      await again.advance(2);
      for (const process of [whole, again, late]) await process.advance(2);
      const expected = await whole.result();
      expect(await again.result()).toEqual(expected);
      expect(await late.result()).toEqual(expected);
      owned.dispose();
    });
  });

  it.each(engines)('takes the bytes that were planned on %s', async (engine) => {
    const device = devices[engine];
    const control = { experts: opened, teacher, timed: false };
    const planned = await planDistillation(device, dataset, given, control);
    expect(planned.lacks).toEqual([]);
    await owning(async (owned) => {
      const before = device.memory().bytes;
      const process = await begun(device, given, owned);
      const set = await process.result();
      owned.own(await Validation.create(device, dataset, set, planned.options));
      const { realData, state, networks, tables, total } = planned.device;
      const taken = device.memory().bytes - before;
      // The reference engine makes the arrays of temporaries when it runs, and does not count them.
      if (engine !== 'reference') expect(taken).toBe(total);
      else expect(taken).toBeGreaterThan(realData + state + networks + tables);
      const saved = Object.values(process.tensors).reduce((sum, { length }) => sum + length, 0);
      expect(state).toBe(saved * (engine === 'reference' ? 8 : 4));
      owned.dispose();
      expect(device.memory().bytes).toBe(before);
    });
  });

  it('is the same run when it is killed and resumed', async () => {
    const checkpoints: Checkpoint[] = [];
    const whole = await distill(devices.cpu, dataset, given, {
      ...{ experts: opened, teacher },
      onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    });
    expect(whole.outerSteps).toBe(6);
    const stored = decodeCheckpoint(encodeCheckpoint(checkpoints[0], {})).checkpoint;
    expect(stored.iteration).toBe(2);
    const resumed = await distill(devices.cpu, dataset, {}, { resume: stored, experts: opened, teacher });
    expect(resumed.set).toEqual(whole.set);
    expect(resumed.curve).toEqual(whole.curve);
  });

  it('comes back from its file, is scored, and has a report', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'limbeck-methods-'));
    try {
      const { record, set } = await distillToFolder(devices.cpu, dataset, folder, given);
      const back = decodeArtefact(await readFile(join(folder, 'distilled.safetensors')));
      expect(back.set).toEqual(set);
      expect(decodeArtefact(encodeArtefact(back)).set).toEqual(set);
      expect(set.stored.pictures).toBe(record.config.options.ipc * 3);
      expect(record.testAccuracy!.mean).toBeGreaterThanOrEqual(0);
      expect((await resumeFolder(devices.cpu, dataset, folder)).record).toEqual(record);
      const page = await readFile(join(folder, 'report.html'), 'utf8');
      expect(page).toContain(`${method}: ${methods[method].source}`);
      expect(page.replace(/data:image[^"]*/g, '')).not.toMatch(/undefined|NaN|\[object/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe.each(Object.entries(methods))('the options of %s', (name, method) => {
  const options = Object.keys(method.options);

  it('are in the help, on the page of options and in configuration files alike', async () => {
    const help = commandHelp(command, 80, name);
    const page = text('docs/options.md');
    const folder = await mkdtemp(join(tmpdir(), 'limbeck-options-'));
    const file = join(folder, 'config.json');
    const usual = Object.fromEntries(
      Object.entries(method.options).map(([option, { default: value }]) => [option, value]),
    );
    await writeFile(file, JSON.stringify({ method: name, ...usual }));
    expect(await readConfig(file, distillOptions)).toEqual({ method: name, ...usual });
    await rm(folder, { recursive: true });
    expect(options.filter((option) => !help.includes(flagOf(option)))).toEqual([]);
    expect(options.filter((option) => !page.includes(`\`${option}\``))).toEqual([]);
  });

  it('have defaults that do', () => {
    const wrong = Object.entries(method.options).filter(
      ([, { default: value, expected }]) => expected(value) !== undefined,
    );
    expect(wrong).toEqual([]);
  });
});
