/** Every method and every parametrisation, as a small run of it was recorded: see docs/testing.md. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openExperts } from '../src/data/experts/open.js';
import { type Checkpoint, type Device, type DistillOptions, distill, openDevice } from '../src/index.js';
import { methods } from '../src/methods/index.js';
import { saveModel } from '../src/runs/network-folder.js';
import { imageShape, madeTeacher, network, shapes, writeMadeExperts } from './harness/made-shapes.js';
import { expectRecorded, recordText, setRecord } from './harness/recorded.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-recorded-'));
const [expertFolder, teacherFolder] = [join(folder, 'experts'), join(folder, 'teacher')];
const data = shapes();
const teacher = madeTeacher(data);
writeMadeExperts(expertFolder, data, network);
const experts = await openExperts(expertFolder);
let device: Device;
beforeAll(async () => {
  mkdirSync(teacherFolder);
  await saveModel(teacherFolder, teacher);
  device = await openDevice('reference');
});
afterAll(async () => {
  await device.dispose();
  await experts.close();
  rmSync(folder, { recursive: true });
});

const trajectories: DistillOptions = {
  ...{ experts: expertFolder, ipc: 3, innerBatch: 5, expertEpochs: 1, maxStart: 3, innerSteps: 3 },
  ...{ lr: 0.9, imageMomentum: 0.4, networkLr: 0.03, rateLr: 1e-3, augmentation: 'crop_scale' },
};

/** No two rates are the same, nothing is left at a value that does nothing, and all work is done in more than one piece. */
const rows: Readonly<Record<string, DistillOptions>> = {
  unrolled: {
    ...{ steps: 2, epochs: 2, population: 2, init: 'random', ipc: 2, batch: 9, labels: 'soft', lr: 0.04 },
    ...{ firstLabels: 'smoothed', labelLr: 0.05, rateLr: 0.02, innerLr: [0.1, 0.08, 0.07, 0.06], clip: 0.3 },
    ...{ optimizer: 'momentum', momentum: 0.7, weightDecay: 0.01, beta1: 0.6, beta2: 0.9, average: 0.3 },
    validateEvery: 2,
  },
  dm: { batch: 5, ipc: 2, lr: 0.8, imageMomentum: 0.4, augmentation: 'crop_scale' },
  datadam: { batch: 5, ipc: 2, lr: 0.8, imageMomentum: 0.4, featureWeight: 0.3, augmentation: 'crop_flip' },
  ncfm: {
    ...{ batch: 5, ipc: 2, frequencies: 24, frequencyLr: 0.01, alpha: 0.4, augmentation: 'crop_scale' },
    ...{ lr: 0.03, beta1: 0.5 },
  },
  dc: { batch: 5, ipc: 2, outerLoop: 2, innerLoop: 2, lr: 0.2, imageMomentum: 0.4, distance: 'rows' },
  dsa: { batch: 5, ipc: 2, outerLoop: 2, innerLoop: 1, lr: 0.2, augmentation: 'scale_rotate' },
  frepo: {
    ...{ batch: 7, ipc: 2, ridge: 0.02, lr: 0.03, labelLr: 0.05, beta1: 0.5, augmentation: 'scale' },
    ...{ pool: 2, onlineSteps: 3 },
  },
  rcig: {
    ...{ batch: 7, ipc: 2, ridge: 0.02, beta1: 0.5, augmentation: 'scale', solverSteps: 5 },
    ...{ pool: 2, poolSteps: 3, lr: 0.03 },
  },
  kip: {
    ...{ network: { name: 'mlp', layers: 2, width: 4 }, batch: 7, ipc: 2, ridge: 0.02, beta1: 0.5 },
    ...{ labels: 'soft', lr: 0.03, labelLr: 0.05, augmentation: 'scale' },
  },
  mtt: { ...trajectories, population: 2, minStart: 1, masked: 0.3, trajectory: 'line' },
  mct: { ...trajectories },
  datm: {
    ...{ ...trajectories, minStart: 1, firstMaxStart: 2, widenSteps: 4, masked: 0.1 },
    ...{ labelLr: 0.5, labelMomentum: 0.8, mostLoss: 1e6, average: 0.5 },
  },
  tesla: { ...trajectories, innerSteps: 2 },
  rat: {
    ...{ window: 2, total: 5, pool: 2, seed: 8, population: 2, batch: 7, ipc: 2, innerBatch: 4, beta1: 0.5 },
    ...{ labels: 'soft', lr: 0.03, labelLr: 0.05, augmentation: 'crop_scale', networkLr: 0.06 },
  },
  at: {
    ...{ window: 2, total: 5, seed: 8, population: 2, batch: 7, ipc: 2, innerBatch: 4, beta1: 0.5, focus: 2 },
    ...{ augmentation: 'crop_scale', lr: 0.03, networkLr: 0.06, spread: 0.4 },
  },
  rded: { teacher: teacherFolder, batch: 5, ipc: 2, crops: 3, protocol: 'rat-digits' },
  sre2l: {
    ...{ teacher: teacherFolder, batch: 3, ipc: 2, augmentation: 'crop_scale', lr: 0.2 },
    ...{ statisticsWeight: 0.3, protocol: 'rat-digits' },
  },
};

test('there is a row for every method', () => {
  expect(Object.keys(rows).sort()).toEqual(Object.keys(methods).sort());
});

const common: DistillOptions = {
  ...{ network, iterations: 4, validateEvery: 4, validationNetworks: 2, networks: 2, seed: 5 },
  ...{ first: 'real', protocol: 'rat-digits' },
};

async function runRecord(method: string, more: DistillOptions = {}): Promise<string> {
  const given = { ...common, ...rows[method], method, ...more } as DistillOptions;
  let state: Checkpoint | undefined;
  const { set, outerSteps, curve, best } = await distill(device, data, given, {
    ...{ experts, teacher },
    onCheckpoint: (checkpoint) => void (state = checkpoint),
  });

  const found = { outerSteps, curve, best, set: setRecord(set), state: state!.state };
  const record = recordText(found, ['seconds', 'network', 'experts', 'teacher']);
  return record.replaceAll(expertFolder, 'EXPERTS').replaceAll(teacherFolder, 'TEACHER');
}

describe('a run of', () => {
  test.each(Object.keys(rows))('%s', async (method) => {
    await expectRecorded(`methods/${method}.txt`, await runRecord(method));
  });
});

/** Every other parametrisation, and values of options that make a run another one. */
const others: Readonly<Record<string, DistillOptions>> = {
  dct: { method: 'dm', parametrisation: 'dct:images=3', ipc: 1 },
  bases: { method: 'unrolled', parametrisation: 'bases:images=2' },
  decoder: {
    method: 'frepo',
    parametrisation: 'decoder:images=2:width=6',
    network: { name: 'mlp', width: 5 },
    ipc: 5,
    iterations: 2,
    validateEvery: 2,
  },
  gaussians: { method: 'dm', parametrisation: 'gaussians:images=2', ipc: 1 },
  factor: { method: 'dsa', parametrisation: 'factor:factor=2', ipc: 1, outerLoop: 1 },
  'unrolled-fixed': {
    ...{
      method: 'unrolled',
      init: 'fixed',
      population: 1,
      rates: 'shared',
      innerLr: 0.05,
      networks: undefined,
    },
    ...{ optimizer: 'adamw', momentum: undefined, innerBeta1: 0.8, first: 'noise', imageScale: 0.7 },
  },
  'kip-solved': { method: 'kip', kernel: 'nngp', solveLabels: true, labels: undefined, labelLr: undefined },
  'mtt-tesla': { method: 'mtt', trajectory: 'expert', gradient: 'tesla', first: 'k-means' },
  'dc-cosine': { method: 'dc', distance: 'cosine', first: 'means' },
  'rat-squared': { method: 'rat', optimizer: 'nesterov', momentum: 0.6, loss: 'squared-error', images: 7 },
};
test.each(Object.keys(others))('%s', async (name) => {
  const { method, ...more } = others[name];
  await expectRecorded(`variants/${name}.txt`, await runRecord(method!, more));
});

test('images are higher than wide', () => {
  expect(imageShape[1]).toBeGreaterThan(imageShape[2]);
});
