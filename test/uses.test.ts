/** What networks that learn from a set are good for: under corruption and attack, by group, to an eavesdropper, in a search. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { normalisationOf } from '../src/data/normalisation.js';
import {
  type Artefact,
  continual,
  type Dataset,
  type Device,
  fairness,
  generateDigits,
  openDevice,
  predict,
  privacy,
  robustness,
  search,
  setOfImages,
  trainOn,
  trainSubjects,
} from '../src/index.js';
import { createNetwork, networkSpec } from '../src/networks/index.js';
import { accuracyAmong, ofClasses } from '../src/uses/continual.js';
import { attack, PixelGradient } from '../src/uses/perturb.js';
import { areaUnder, foundAt, nearestAmong } from '../src/uses/privacy.js';
import { usualArchitectures } from '../src/uses/search.js';
import { randomInstead } from '../src/uses/subjects.js';
import { rankCorrelation } from '../src/util/rank-correlation.js';
import { loadingBy } from './harness/cases.js';
import { writtenTo } from './harness/written.js';

const data = generateDigits({ train: 100, validation: 30, test: 40, seed: 1 });
const size = 28 * 28;
/** The first twenty training images as a set, two of each class. */
const artefact: Artefact = {
  set: setOfImages(
    data,
    { images: data.train.images.subarray(0, 20 * size), labels: data.train.labels.subarray(0, 20) },
    { network: { name: 'mlp', width: 8 }, protocol: 'full-batch' },
  ),
  notes: {
    dataset: data.name,
    classNames: data.classNames,
    mean: data.mean,
    std: data.std,
    engine: 'none',
    options: {},
    validationAccuracy: 0,
  },
};
let device: Device;
beforeAll(async () => {
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());
const names = ['distilled images', 'as many random real images', 'all training images'];

test('random images are used without what was learned for others', async () => {
  const use = { kind: 'minibatches', protocol: 'mtt-digits', learningRate: 0.5 } as const;
  const teacher = { network: 'mlp', checksum: '0', temperature: 20 };
  const random = await randomInstead(data, { ...artefact.set, use, teacher }, 0);
  expect(random.use).toEqual({ kind: 'minibatches', protocol: 'mtt-digits' });
  expect(random.teacher).toBeUndefined();
  expect(random.labels.filter((label) => label === 1)).toHaveLength(20);
});

test('networks learn from the set, from as many random real images, and from all of them', async () => {
  const said: string[] = [];
  const onProgress = ({ training }: { training: string }) => said.push(training);
  const subjects = await trainSubjects(device, data, artefact, { networks: 2, seed: 3, onProgress });
  expect(subjects.map(({ name }) => name)).toEqual(names);
  expect(said).toEqual(names);
  const { model } = await trainOn(device, artefact, { networks: 2, seed: 3, dataset: data });
  expect(subjects[0].model.parameters).toEqual(model.parameters);
  expect(subjects.map(({ model }) => model.notes.trainedOn)).toEqual([
    '20 distilled images (others)',
    '20 distilled images (others)',
    'all 100 training images',
  ]);
  expect(subjects[1].model.parameters).not.toEqual(subjects[0].model.parameters);
});

test('several uses share networks, to the same numbers', async () => {
  const options = { networks: 2, seed: 3 };
  const subjects = await trainSubjects(device, data, artefact, options);
  const onProgress = () => expect.unreachable('nothing is left to train');
  const shared = { subjects, seed: 3, onProgress };
  const few = { images: 20, epsilon: [0.1], steps: 2 };
  expect(await robustness(device, data, artefact, { ...shared, ...few })).toEqual(
    await robustness(device, data, artefact, { ...options, ...few }),
  );
  expect(await fairness(device, data, artefact, shared)).toEqual(
    await fairness(device, data, artefact, options),
  );
  expect(await privacy(device, data, artefact, shared)).toEqual(
    await privacy(device, data, artefact, options),
  );
  await expect(fairness(device, data, artefact, { ...shared, networks: 2 })).rejects.toThrow(
    /networks is given beside subjects, which are trained already: give it to trainSubjects/,
  );
  await expect(fairness(device, data, artefact, { subjects: subjects[0] as never })).rejects.toThrow(
    /subjects is another object, expected what `await trainSubjects\(\)` gives/,
  );
});

test('another protocol is that of the set and of the random images', async () => {
  const subjects = await trainSubjects(device, data, artefact, { networks: 1, protocol: 'dm' });
  const [ofSet, ofRandom, ofAll] = subjects.map(({ model }) => model.notes.protocol);
  expect(ofSet).toMatch(/protocol dm: /);
  expect(ofRandom).toBe(ofSet);
  expect(ofAll).not.toMatch(/protocol/);
});

describe('attacks', () => {
  test('move pixels by as much as they may, uphill for each network by itself', async () => {
    const reference = await openDevice('reference');
    const { model } = await trainOn(reference, artefact, { networks: 2, dataset: data });
    const gradient = await PixelGradient.load(reference, model, 4);
    const clean = artefact.set.images.slice(0, 4 * size);
    const labels = artefact.set.labels.slice(0, 40);
    const twice = Float32Array.from([...clean, ...clean]);
    const { imagesBar, outputs } = await gradient.at(twice, labels);
    const lossOf = (logits: Float32Array) => {
      let sum = 0;
      for (let row = 0; row < 8; row++) {
        const own = [...logits.subarray(row * 10, (row + 1) * 10)];
        const truth = labels.subarray((row % 4) * 10, (row % 4) * 10 + 10).indexOf(1);
        sum += Math.log(own.reduce((all, value) => all + Math.exp(value), 0)) - own[truth];
      }
      return sum;
    };
    const std = data.std[0];
    const epsilon = 1e-3;
    const normalisation = normalisationOf(data);
    const strength = { epsilon, step: epsilon, steps: 1 };
    const moved = await attack(gradient, { clean, labels }, normalisation, strength);
    // Black pixels cannot become blacker, nor white ones whiter.
    let expected = 0;
    for (const [i, value] of moved.entries()) {
      const change = value - twice[i];
      expect(Math.abs(change)).toBeLessThanOrEqual((epsilon / std) * (1 + 1e-4));
      expect(change * imagesBar[i]).toBeGreaterThanOrEqual(0);
      expected += change * imagesBar[i];
    }
    const after = lossOf((await gradient.at(moved, labels)).outputs);
    expect(after - lossOf(outputs)).toBeGreaterThan(0.9 * expected);
    expect(after - lossOf(outputs)).toBeLessThan(1.1 * expected);

    const strong = { epsilon: 0.1, step: 0.025, steps: 6 };
    const far = await attack(gradient, { clean, labels }, normalisation, strong);
    for (const [i, value] of far.entries()) {
      expect(Math.abs(value - twice[i])).toBeLessThanOrEqual((0.1 / std) * (1 + 1e-4));
      const pixel = value * std + data.mean[0];
      expect(pixel > -1e-5 && pixel < 1 + 1e-5).toBe(true);
    }
    // Each network has an attack of its own.
    expect(far.subarray(0, far.length / 2)).not.toEqual(far.subarray(far.length / 2));
    gradient.dispose();
    await reference.dispose();
  });

  test('robustness: every condition for every kind of networks, the images as they are first', async () => {
    const options = { networks: 2, images: 40, epsilon: [1e-7, 0.3], steps: 4 };
    const loaded: string[] = [];
    const counting = loadingBy(device, (program, tensors) => {
      loaded.push(program.name);
      return device.load(program, tensors);
    });
    const found = await robustness(counting, data, artefact, options);
    // Once for each kind of networks, however many conditions there are.
    for (const program of ['outputs', 'gradient of pixels'])
      expect(loaded.filter((one) => one === program)).toHaveLength(3);
    expect(found.conditions).toEqual([
      ...['as they are', 'noise', 'blur', 'contrast', 'hidden'],
      ...['FGSM, 1e-7', 'PGD, 1e-7', 'FGSM, 0.3', 'PGD, 0.3'],
    ]);
    expect(found.subjects.map(({ name }) => name)).toEqual(names);
    const { accuracy } = await trainOn(device, artefact, { networks: 2, seed: 0, dataset: data });
    expect(found.subjects[0].accuracy[0].mean).toBeCloseTo(accuracy!.mean, 9);
    for (const { accuracy } of found.subjects) {
      expect(accuracy).toHaveLength(9);
      const means = accuracy.map(({ mean }) => mean);
      // Too little to change an answer, and far too much.
      expect([means[5], means[6]]).toEqual([means[0], means[0]]);
      expect(means[8]).toBeLessThan(means[0] / 2);
    }
  });

  test('robustness: of more images than are attacked together each counts once', async () => {
    const more = generateDigits({ train: 100, validation: 30, test: 70, seed: 1 });
    const options = { networks: 1, images: 70, epsilon: [1e-7], steps: 1 };
    const { images, subjects } = await robustness(device, more, artefact, options);
    expect(images).toBe(70);
    for (const { accuracy } of subjects) {
      expect(accuracy[0].mean).toBeGreaterThan(0);
      expect(accuracy[6]).toEqual(accuracy[0]);
    }
  });
});

describe('privacy', () => {
  test('the area counts pairs, and ties are half', () => {
    expect(areaUnder(Float64Array.of(1, 2), Float64Array.of(3, 4))).toBe(1);
    expect(areaUnder(Float64Array.of(3, 4), Float64Array.of(1, 2))).toBe(0);
    expect(areaUnder(Float64Array.of(2, 5), Float64Array.of(1, 2, 3, 4))).toBe((2.5 + 0) / 8);
  });

  test('found are those below what one in a hundred others is below', () => {
    const others = Float64Array.from({ length: 200 }, (_, i) => i);
    expect(foundAt(Float64Array.of(0, 1, 1.5, 2, 3, 500), others, 0.01)).toBe(3 / 6);
  });

  test('a set of training images lies on them', async () => {
    const { images, subjects, nearest } = await privacy(device, data, artefact, { networks: 2 });
    expect(images).toBe(40);
    expect(subjects.map(({ name }) => name)).toEqual(names);
    for (const { area } of subjects) expect(area.mean > 0 && area.mean <= 100).toBe(true);
    const on = nearest.training.filter(({ distance }) => distance < 1e-3);
    // Forty of a hundred training images are looked at, and so some of the twenty.
    for (const { row } of on) expect(row).toBeLessThan(20);
    expect(on.length).toBeGreaterThan(2);
    for (const { distance } of nearest.test) expect(distance).toBeGreaterThan(1);
  });
});

test('the nearest of many is found in pieces, between which other work runs, and can be stopped', async () => {
  const [n, count, size] = [40, 300, 1000];
  const rows = Array.from({ length: count }, (_, j) => 1000 + j);
  const others = Float32Array.from({ length: count * size }, (_, i) => Math.sin(i));
  // A little beside number 7 i mod 300.
  const images = Float32Array.from({ length: n * size }, (_, i) => {
    const from = (7 * Math.floor(i / size)) % count;
    return Math.sin(from * size + (i % size)) + 0.01;
  });
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  const found = await nearestAmong(images, others, rows);
  clearInterval(counting);
  expect(found.map(({ row }) => row)).toEqual(Array.from({ length: n }, (_, i) => 1000 + ((7 * i) % count)));
  for (const { distance } of found) expect(distance).toBeCloseTo(0.01 * Math.sqrt(size), 4);
  expect(turns).toBeGreaterThan(0);
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error('enough')), 0);
  await expect(nearestAmong(images, others, rows, stop.signal)).rejects.toThrow('enough');
});

describe('fairness', () => {
  test('by class: the mean over the groups is that over the images', async () => {
    const found = await fairness(device, data, artefact, { networks: 2 });
    expect(found.counts.reduce((a, b) => a + b, 0)).toBe(40);
    for (const { accuracy, perGroup, worst, gap } of found.subjects) {
      const mean = perGroup.reduce((sum, one, g) => sum + (one.mean * found.counts[g]) / 40, 0);
      expect(mean).toBeCloseTo(accuracy.mean, 9);
      expect(worst.mean).toBeLessThanOrEqual(Math.min(...perGroup.map((one) => one.mean)));
      expect(worst.mean + gap.mean).toBeGreaterThanOrEqual(Math.max(...perGroup.map((one) => one.mean)));
    }
  });

  test('a class without test images is no group', async () => {
    const rows = [...data.test.labels.keys()].filter((row) => data.test.labels[row] !== 4);
    const images = Uint8Array.from(
      rows.flatMap((row) => [...data.test.images.subarray(row * size, (row + 1) * size)]),
    );
    const test = {
      images,
      labels: Uint8Array.from(rows, (row) => data.test.labels[row]),
      count: rows.length,
    };
    const { groups, subjects } = await fairness(device, { ...data, test }, artefact, { networks: 1 });
    expect(groups).toEqual(data.classNames.filter((_, k) => k !== 4));
    for (const { worst, gap } of subjects) expect(worst.mean + gap.mean).toBeLessThanOrEqual(100);
  });

  test('by groups of any name', async () => {
    const groups = Array.from({ length: 40 }, (_, i) => (i < 10 ? 'few' : 'many'));
    const { groups: found, counts } = await fairness(device, data, artefact, { networks: 1, groups });
    expect([found, counts]).toEqual([
      ['few', 'many'],
      [10, 30],
    ]);
    await expect(fairness(device, data, artefact, { groups: [1] })).rejects.toThrow(
      /1 elements, expected one for each of the 40/,
    );
  });
});

describe('search', () => {
  const architectures = ['mlp:width=2', 'mlp:width=4', 'mlp:width=8'];
  /** Every label of a split is wrong. */
  const scrambled = (name: 'test' | 'validation'): Dataset => ({
    ...data,
    [name]: { ...data[name], labels: data[name].labels.map((label) => (label + 1) % 10) },
  });
  const found = (of: Dataset) => search(device, of, artefact, { networks: 1, architectures });

  test('is compared with the order on all training images, and never sees the test split', async () => {
    const { architectures: titles, subjects } = await found(data);
    expect(titles).toEqual(architectures);
    expect(subjects.map(({ name }) => name)).toEqual(names);
    expect(subjects[2].correlation).toBeCloseTo(1, 12);
    expect(subjects[2].regret).toBe(0);
    for (const { regret } of subjects) expect(regret).toBeGreaterThanOrEqual(0);
    expect(await found(scrambled('test'))).toEqual({ architectures: titles, subjects });
    expect(await found(scrambled('validation'))).not.toEqual({ architectures: titles, subjects });
  });

  test('every architecture that is searched by default is one', () => {
    const shape = { inputShape: [1, 28, 28] as const, classes: 10 };
    const counts = usualArchitectures.map((one) => createNetwork({ ...networkSpec(one), ...shape }).count);
    expect(new Set(counts).size).toBe(12);
  });

  test('ranks share the places of equal values', () => {
    expect(rankCorrelation([1, 2, 3], [10, 20, 30])).toBe(1);
    expect(rankCorrelation([1, 2, 3], [3, 2, 1])).toBe(-1);
    // Ranks 0.5, 0.5, 2 and 0, 1, 2: covariance 1.5, variances 1.5 and 2.
    expect(rankCorrelation([5, 5, 9], [1, 2, 3])).toBeCloseTo(1.5 / Math.sqrt(1.5 * 2), 12);
  });
});

describe('continual', () => {
  test('after the last stage it is the whole set, and with one class nothing can be wrong', async () => {
    const { classes, memories } = await continual(device, data, artefact, { networks: 2, stages: 10 });
    expect(classes).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(memories.map(({ name }) => name)).toEqual(names.slice(0, 2));
    const { accuracy } = memories[0];
    expect(accuracy[0]).toEqual({ mean: 100, std: 0, networks: 2 });
    const whole = [];
    for (const seed of [0, 1])
      whole.push((await trainOn(device, artefact, { seed, dataset: data })).accuracy!.mean);
    expect(accuracy[9].mean).toBeCloseTo((whole[0] + whole[1]) / 2, 9);
  });

  test('a set with learned steps is used by ordinary training where a protocol says so', async () => {
    const learningRates = Float32Array.of(0.1, 0.3);
    const training = { optimizer: { kind: 'sgd' }, loss: 'cross-entropy' } as const;
    const steps = { kind: 'learned-steps', steps: 2, epochs: 1, init: 'random' } as const;
    const use = { ...steps, learningRates, training };
    const learned = { ...artefact, set: { ...artefact.set, use } };
    const options = { networks: 1, stages: 2 };
    await expect(continual(device, data, learned, options)).rejects.toThrow(/or a protocol of it, such as/);
    expect(await continual(device, data, learned, { ...options, protocol: 'full-batch' })).toEqual(
      await continual(device, data, artefact, options),
    );
  });

  test('every network sees the classes in an order of its own', async () => {
    const own = await openDevice('cpu');
    // Two images of each of the five classes that come first.
    const written = writtenTo(own, 10 * size);
    await continual(own, data, artefact, { networks: 3, stages: 2 });
    await own.dispose();
    // Three networks and two kinds of memory.
    expect(new Set(written.map(String)).size).toBe(6);
  });

  test('only classes that have come are answers', async () => {
    const { model } = await trainOn(device, artefact, { dataset: data });
    const { scores } = await predict(device, model, data.test.images);
    const rows = [...data.test.labels.keys()].filter((row) => [3, 7].includes(data.test.labels[row]));
    const answer = (row: number) => (scores[row * 10 + 3] > scores[row * 10 + 7] ? 3 : 7);
    const right = rows.filter((row) => answer(row) === data.test.labels[row]).length;
    const all = rows.filter((row) => {
      const own = scores.subarray(row * 10, row * 10 + 10);
      return own.indexOf(Math.max(...own)) === data.test.labels[row];
    }).length;
    expect(all).toBeLessThan(right);
    expect(await accuracyAmong(device, data, model, [3, 7])).toBeCloseTo((100 * right) / rows.length, 9);
  });

  test('what is kept are the items of the classes so far', () => {
    const { classes, images, labels } = ofClasses(artefact.set, [3, 7]);
    expect([...new Set(classes)].sort()).toEqual([3, 7]);
    expect(classes).toHaveLength(4);
    const first = artefact.set.classes.findIndex((k) => k === 3 || k === 7);
    expect(images.subarray(0, size)).toEqual(artefact.set.images.subarray(first * size, (first + 1) * size));
    expect(labels.subarray(0, 10)).toEqual(artefact.set.labels.subarray(first * 10, (first + 1) * 10));
  });
});

test.each([
  [
    () => continual(device, data, { ...artefact, set: ofClasses(artefact.set, [0, 1, 2, 3, 4, 5, 6, 8]) }),
    /the set has no image of class 7, 9, expected one or more of each of the 10 classes/,
  ],
  [
    () => continual(device, data, artefact, { stages: 11 }),
    /stages is 11, expected a whole number from 1 to 10/,
  ],
  [() => robustness(device, data, artefact, { epsilon: [] }), /epsilon is a list, expected numbers above 0/],
  [() => robustness(device, data, artefact, { images: 0 }), /images is 0, expected a whole number/],
  [() => robustness(device, { ...data, zca: {} as never }, artefact), /whitened images/],
  [() => privacy(device, data, artefact, { images: 0.5 }), /images is 0\.5/],
  [() => search(device, data, artefact, { architectures: ['mlp'] }), /expected three networks or more/],
  [() => fairness(device, data, artefact, { looks: 1 } as never), /looks/],
])('refuses what it cannot do: %#', async (call, message) => {
  await expect(call()).rejects.toThrow(message);
});
