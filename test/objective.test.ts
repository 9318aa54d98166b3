/** Sets that are made to mislead trained networks, and what is measured of them. */
import { describe, expect, it } from 'vitest';
import { accuracyTable } from '../src/cli/table.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { decodeArtefact, encodeArtefact } from '../src/eval/artefact.js';
import { asMeant, attackScores } from '../src/eval/attack.js';
import { evaluate } from '../src/eval/evaluate.js';
import { verdict } from '../src/eval/verdict.js';
import type { DistillOptions } from '../src/methods/index.js';
import { attackOf } from '../src/methods/objective.js';
import { distill } from '../src/runs/distill.js';
import { resolveFor, resolveOptions } from '../src/runs/options.js';
import { uploadTraining } from '../src/runs/setting.js';
import { trainNetworks } from '../src/runs/train-networks.js';
import { decodeSafetensors } from '../src/util/safetensors.js';
import { shortRun, twoClasses } from './harness/made-data.js';

const data = twoClasses();
const device = new ReferenceDevice();
// Narrower ones are dead now and then, whatever they are shown.
const network = 'mlp:width=8';
const attack = { from: 0, to: 1 };
const { model } = await trainNetworks(device, data, {
  ...{ network, networks: 7, epochs: 40, batch: 10, learningRate: 0.1 },
});
const given: DistillOptions = {
  ...{ ...shortRun, network },
  ...{ objective: 'attack', attack: '0:1', init: 'pretrained:nets' },
  ...{ iterations: 100, validateEvery: 25, networks: 2, validationNetworks: 2, labelLr: 0.1 },
};

describe('answers to an attack of class 0 that is to be taken for class 2', () => {
  const counts = [
    [4, 1, 5],
    [0, 8, 2],
    [1, 0, 9],
  ];
  it('are right where the attacker wants them', () => {
    expect(asMeant(counts, { from: 0, to: 2 })).toEqual([[5, 1, 4], counts[1], counts[2]]);
    expect(asMeant(counts, undefined)).toBe(counts);
  });
  it('count by the part of the attacked class that is taken for the target, and by the others apart', () => {
    const none = [[10, 0, 0], counts[1], counts[2]];
    const { taken, others } = attackScores([counts, none], { from: 0, to: 2 });
    expect(taken).toMatchObject({ mean: 25, networks: 2 });
    expect(taken.std).toBeCloseTo(50 / Math.sqrt(2), 9);
    expect(others).toEqual({ mean: 85, std: 0, networks: 2 });
  });
});

it('learns from real images of the attacked class that are labelled as its target', async () => {
  const { options } = resolveFor('test', given, data);
  const split = await uploadTraining(device, data, options);
  expect(new Set(await split.tensors.classes.read())).toEqual(new Set([1]));
  expect(new Set(data.train.labels)).toEqual(new Set([0, 1]));
  split.dispose();
});

describe('a set that attacks', () => {
  it('misleads networks it was not made for, is chosen by that, and says what it is', async () => {
    const { set, best, options } = await distill(device, data, given, { pretrained: model });
    // Where all is taken for the target a chooser by true labels would see half.
    expect(best.validationAccuracy).toBeGreaterThan(80);
    const scores = await evaluate(device, data, set, { pretrained: model });
    const { untrained, flippedRandom } = scores.baselines;
    expect(Object.keys(scores.baselines)).toEqual(['flippedRandom', 'untrained']);
    const row = scores.confusion[0];
    expect(scores.attack!.taken.mean).toBeCloseTo((100 * row[1]) / (row[0] + row[1]), 9);
    expect(scores.attack!.taken.mean).toBeGreaterThan(untrained.attack!.taken.mean + 30);
    expect(untrained.attack!.others.mean).toBeCloseTo(untrained.perClass![1]!, 9);
    // Both classes are labelled as one, and the rate that misleads most is taken.
    expect(flippedRandom.attack!.taken.mean).toBeGreaterThan(untrained.attack!.taken.mean + 30);

    const { name: dataset, classNames, mean, std } = data;
    const notes = { dataset, classNames, mean, std, engine: 'reference', options, validationAccuracy: 1 };
    const bytes = encodeArtefact({ set, notes });
    expect(decodeArtefact(bytes).set).toEqual(set);
    expect(set.attack).toEqual(attack);
    expect(decodeSafetensors(bytes).metadata.poisoned).toMatch(
      /^poisoned: .* take class 0 for class 1; made to measure/,
    );

    const table = accuracyTable('2 distilled images', { ...scores, images: 24, classes: 2 });
    expect(table).toMatch(/trained on +attacked class taken for the target +others right/);
    expect(table).toMatch(/\n +the networks as they are +\S+ ± \S+ % +\S+ ± \S+ %/);
  });

  it('is judged by how many it misleads', () => {
    const accuracy = (mean: number) => ({ mean, std: 0, networks: 2 });
    const scores = (taken: number) => ({ taken: accuracy(taken), others: accuracy(90) });
    const tested = (taken: number) => ({
      ...{ accuracy: accuracy(85), baselineImages: 10, images: 1000, classes: 10, attack: scores(50) },
      baselines: {
        untrained: { ...accuracy(95), title: 'the networks as they are', images: 0, attack: scores(taken) },
      },
    });
    expect(verdict(tested(1))).toBeUndefined();
    expect(verdict(tested(60))).toMatch(
      /as they are have 60.0 % of the attacked class .* these images 50.0 %/,
    );
  });

  it('has no other use for its baseline', async () => {
    const { attack: _, ...set } = (
      await distill(device, data, { ...given, iterations: 5 }, { pretrained: model })
    ).set;
    const options = { pretrained: model, baselines: ['flippedRandom'] };
    await expect(evaluate(device, data, set, options)).rejects.toThrow(/flippedRandom" is unknown/);
  });
});

describe('classes to attack', () => {
  const named = { ...data, classNames: ['a:b', 'c', 'b', 'a'] };
  it('are named as the data set names them', () => {
    expect(attackOf('c:b', named)).toEqual({ from: 1, to: 2 });
    expect(attackOf('a:b:c', named)).toEqual({ from: 0, to: 1 });
    expect(attackOf('', named)).toBeUndefined();
  });
  it.each([
    ['0:0', /attack is 0:0: both are class 0, expected two classes/],
    ['0:7', /attack is 0:7, but two classes has no such classes, expected two of 0, 1, as in 0:1/],
  ])('%s is refused', async (attack, message) => {
    await expect(distill(device, data, { ...given, attack }, { pretrained: model })).rejects.toThrow(message);
  });
});

describe('options that do not go together', () => {
  it.each([
    [{ objective: 'adapt' }, /objective is adapt and init is fixed: .*expected init: pretrained:DIR/],
    [{ objective: 'attack', init: 'pretrained:n' }, /objective is attack and no classes are named/],
    [{ attack: '0:1' }, /attack is 0:1 and objective is teach, expected objective: attack/],
  ] as const)('%o', (wrong, message) => {
    expect(() => resolveOptions(wrong as DistillOptions)).toThrow(message);
  });
  it('adaptation takes ten steps unless told otherwise', () => {
    const adapt = { objective: 'adapt', init: 'pretrained:n' } as const;
    expect(resolveOptions(adapt)).toMatchObject({ steps: 10, epochs: 3, ipc: 10 });
    expect(resolveOptions({ ...adapt, steps: 2 })).toMatchObject({ steps: 2, ipc: 2 });
  });
});
