/** The settings that methods have for data sets: what the authors' programs are run with, and what limbeck chose, each called what it is. */
import { describe, expect, it, test } from 'vitest';
import { catalogue } from '../src/data/catalogue.js';
import type { Dataset } from '../src/data/dataset.js';
import { type DistillOptions, methods } from '../src/methods/index.js';
import { presetFor, resolveFor } from '../src/runs/options.js';
import { twoClasses } from './harness/made-data.js';

/** Of the shape and number of classes that go with a name, and as many training images as CIFAR-10 has here. */
const named = (name: string, count = 45_000): Dataset => {
  const { imageShape, classes } = catalogue[name.replace('cifar-', 'cifar')] ?? catalogue.mnist;
  const labels = Uint8Array.from({ length: count }, (_, i) => i % classes);
  const classNames = Array.from({ length: classes }, (_, k) => String(k));
  return {
    ...{ ...twoClasses(), imageShape, classes, classNames, name },
    train: { images: new Uint8Array(6 * count), labels, count },
  };
};
const resolved = (given: object, dataset: Dataset) => resolveFor('', given as DistillOptions, dataset);
const experts = { experts: 'a folder' };

describe('as published', () => {
  const noZca = 'mtt-no-zca';
  test.each<[string, string, number, object]>([
    [
      'mtt',
      'cifar10',
      1,
      { innerSteps: 50, expertEpochs: 2, maxStart: 2, lr: 100, rateLr: 1e-7, protocol: 'mtt' },
    ],
    [
      'mtt',
      'cifar10',
      50,
      { innerSteps: 30, maxStart: 40, lr: 1000, networkLr: 0.001, innerBatch: 0, protocol: noZca },
    ],
    [
      'tesla',
      'cifar10',
      1,
      { iterations: 10_000, innerSteps: 50, maxStart: 5, lr: 500, rateLr: 1e-7, protocol: noZca },
    ],
    [
      'tesla',
      'cifar100',
      50,
      { iterations: 10_000, innerSteps: 80, maxStart: 40, lr: 500, innerBatch: 125, protocol: 'mtt' },
    ],
    [
      'mct',
      'cifar10',
      1,
      { innerSteps: 60, expertEpochs: 6, maxStart: 4, lr: 1000, rateLr: 1e-7, protocol: noZca },
    ],
    [
      'mct',
      'cifar10',
      10,
      { innerSteps: 30, expertEpochs: 15, maxStart: 8, lr: 1000, rateLr: 1e-5, protocol: noZca },
    ],
    [
      'mct',
      'cifar10',
      50,
      { innerSteps: 30, expertEpochs: 2, maxStart: 40, lr: 1000, networkLr: 0.001, protocol: noZca },
    ],
    [
      'datm',
      'cifar10',
      500,
      { innerSteps: 40, minStart: 40, maxStart: 60, firstMaxStart: 60, average: 0.995 },
    ],
    [
      'datm',
      'cifar100',
      1,
      { expertEpochs: 3, maxStart: 30, firstMaxStart: 20, widenSteps: 1000, average: 0.9995 },
    ],
    ['datm', 'cifar100', 10, { maxStart: 50, firstMaxStart: 30, widenSteps: 2000, average: 0.9995 }],
  ])('%s on %s with %i images a class', (method, name, ipc, options) => {
    for (const own of [name, name.replace('cifar', 'cifar-')])
      expect(resolved({ method, ipc, ...experts }, named(own)).options).toMatchObject(options);
  });

  test.each(['rat', 'at'])('%s: ten outer steps an epoch, from noise of length 1', (method) => {
    for (const [name, window, total] of [
      ['cifar10', 60, 200],
      ['cifar100', 100, 300],
    ] as const) {
      const { options } = resolved({ method, ipc: 10 }, named(name));
      expect(options).toMatchObject({
        window,
        total,
        batch: 5000,
        iterations: 600_000,
        first: 'noise',
        lr: 0.001,
      });
      expect(options.imageScale * Math.sqrt(3 * 32 * 32)).toBeCloseTo(1, 2);
    }
  });

  it('are those for one image a class where nobody says how many', () => {
    for (const method of ['mtt', 'tesla', 'mct', 'datm'])
      expect(resolved({ method, ...experts }, named('cifar10')).taken).toEqual(
        resolved({ method, ipc: 1, ...experts }, named('cifar10')).taken,
      );
    expect(resolved({ method: 'mtt', ...experts }, named('cifar10')).options.maxStart).toBe(2);
    // One that says itself how many.
    expect(resolved({ method: 'kip' }, named('cifar10')).options.ipc).toBe(10);
  });

  it('augment digits as the program of DC does where that does, and mirror no real image for frepo', () => {
    const protocolOf = (name: string) => resolved({ method: 'dc' }, named(name)).options.protocol;
    expect(['mnist', 'usps', 'digits', 'svhn', 'cifar10'].map(protocolOf)).toEqual([
      ...['dc-mnist', 'dc-mnist', 'dc-mnist', 'dc', 'dc'],
    ]);
    for (const name of ['cifar10', 'cifar100', 'mnist'])
      expect(resolved({ method: 'frepo' }, named(name)).taken).toEqual({});
  });
});

test('of digits only those that somebody published are called published', () => {
  const digits = ['digits', 'mnist', 'usps', 'svhn'];
  const published = Object.values(methods).flatMap(({ name, presets }) =>
    presets
      .filter(({ own }) => !own)
      .flatMap(({ datasets }) =>
        datasets.filter((set) => digits.includes(set)).map((set) => `${name} ${set}`),
      ),
  );
  expect(published.sort()).toEqual(['dc mnist', 'dm mnist', 'dm svhn', 'dsa mnist', 'dsa svhn']);
  // Those of limbeck are taken all the same.
  expect(presetFor(methods.rat, named('usps'), 1)).toEqual({ augmentation: 'none', protocol: 'rat-digits' });
});

test.each<[object, RegExp]>([
  [
    { method: 'datm', ipc: 10, maxStart: 8, ...experts },
    /^firstMaxStart is 10, .* up to maxStart, 8 \(firstMaxStart 10 comes with the settings for cifar10: give that, too\)$/,
  ],
  [
    { method: 'rat', ipc: 10, total: 40 },
    /^window is 60 and total is 40: .* \(window 60 comes with the settings for cifar10: give that, too\)$/,
  ],
])('%j: an error says what the settings for the data gave', (given, message) => {
  const refused = (all: object) => expect(() => resolved(all, named('cifar10')));
  refused(given).toThrow(
    expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringMatching(message) }),
  );
  // What somebody gave is theirs.
  refused({ ...given, window: 50, firstMaxStart: 9 }).toThrow(/(?<!too\))$/);
});

describe('rded on few images', () => {
  const iterations = (given: object, count: number) => {
    const { options, fitted } = resolved(
      { method: 'rded', teacher: 'a folder', ...given },
      named('pictures', count),
    );
    expect(fitted.iterations).toBe(options.iterations >= 30 ? undefined : options.iterations);
    expect(options.validateEvery).toBe(options.iterations);
    return options.iterations;
  };

  it('looks at fewer of them, but at as many of a class as it wants patches', () => {
    // A tenth of 30 steps of ten images, for 4, 40, 200 and 1600 patches of a class.
    expect([1, 10, 50, 400].map((ipc) => iterations({ ipc }, 500))).toEqual([3, 4, 20, 160]);
    expect([1, 75].map((ipc) => iterations({ ipc }, 500))).toEqual([3, 30]);
  });

  it('counts the items that stored pictures are decoded to', () => {
    const of = (parametrisation: string) => iterations({ ipc: 10, parametrisation }, 500);
    expect(['factor:factor=3', 'dct:images=5', 'bases:images=8'].map(of)).toEqual([36, 20, 32]);
  });

  it('does as many steps as somebody says', () => {
    expect(
      resolved({ method: 'rded', teacher: 'a folder', ipc: 50, iterations: 3 }, named('pictures', 500))
        .options.iterations,
    ).toBe(3);
  });
});

test('a set says the method that made it: tesla has its gradient, mct its line', () => {
  expect(Object.keys(methods.tesla.options)).not.toContain('gradient');
  expect(Object.keys(methods.mct.options)).not.toContain('trajectory');
  for (const given of [
    { method: 'tesla', gradient: 'exact' },
    { method: 'mct', trajectory: 'expert' },
  ])
    expect(() => resolved({ ...given, ...experts }, named('mine'))).toThrow(/is unknown; there are/);
});
