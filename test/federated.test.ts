/** Clients that keep their images: how these are divided, what is averaged, and what a server learns from distilled ones. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rowsOf } from '../src/data/hold-out.js';
import { heldOutNetworks } from '../src/eval/first-networks.js';
import {
  type Artefact,
  type Dataset,
  type Device,
  distill,
  federated,
  generateDigits,
  openDevice,
} from '../src/index.js';
import { createNetwork, networkSpec } from '../src/networks/index.js';
import { federatedAveraging, meanOf } from '../src/uses/averaging.js';
import { amongAll, clientsOf, joinedRows, ofTheseClasses } from '../src/uses/clients.js';
import { Stream } from '../src/util/random.js';

const data = generateDigits({ train: 200, validation: 40, test: 60, seed: 3 });
/** The images of a split by their bytes, which tell them apart. */
const names = ({ images, count }: Dataset['train']) =>
  Array.from({ length: count }, (_, i) =>
    Buffer.from(images.slice((i * images.length) / count, ((i + 1) * images.length) / count)).toString(
      'base64',
    ),
  );

describe('clients', () => {
  test.each([undefined, 1, 2, 3])('with %s pieces each have every image once', (classesEach) => {
    const clients = clientsOf(data, 5, classesEach, new Stream(1, 7));
    const all = clients.flatMap((client) => names(client.data.train)).sort();
    expect(all).toEqual(names(data.train).sort());
    for (const { data: own, counts } of clients) {
      // Pieces differ by an image where they do not divide.
      expect(Math.abs(own.train.count - 40)).toBeLessThanOrEqual(1);
      expect(counts.reduce((sum, n) => sum + n, 0)).toBe(own.train.count);
      const classes = counts.filter((n) => n > 0).length;
      // A piece may hold the end of one class and the beginning of the next.
      if (classesEach) expect(classes).toBeLessThanOrEqual(2 * classesEach);
      else expect(classes).toBe(10);
      expect(own.test).toBe(data.test);
    }
  });

  test('other seeds divide otherwise', () => {
    const counts = (seed: number) => clientsOf(data, 5, 2, new Stream(seed, 7)).map((one) => one.counts);
    expect(counts(1)).toEqual(counts(1));
    expect(counts(1)).not.toEqual(counts(2));
  });

  test('distil their classes alone, by other numbers', () => {
    const own = ofTheseClasses(data, [7, 2]);
    expect([own.classes, own.classNames]).toEqual([2, ['7', '2']]);
    const [first] = own.train.labels;
    const at = [...data.train.labels].findIndex((label) => label === 7 || label === 2);
    expect(first).toBe(data.train.labels[at] === 7 ? 0 : 1);
    expect(names(own.train)[0]).toBe(names(data.train)[at]);
    expect(rowsOf(own.train, [1, 0]).labels).toEqual(own.train.labels.slice(0, 2).reverse());
  });

  test('send rows with the labels of all classes', () => {
    const rows = {
      images: new Float32Array([1, 2]),
      classes: new Uint16Array([1, 0]),
      labels: new Float32Array([0, 1, 0.75, 0.25]),
    };
    const wide = amongAll(rows, [3, 1], 4);
    expect([...wide.classes]).toEqual([1, 3]);
    expect([...wide.labels]).toEqual([0, 1, 0, 0, 0, 0.25, 0, 0.75]);
    const both = joinedRows([wide, amongAll(rows, [0, 2], 4)]);
    expect([...both.images]).toEqual([1, 2, 1, 2]);
    expect([...both.classes]).toEqual([1, 3, 2, 0]);
    expect(both.labels.slice(8)).toEqual(new Float32Array([0, 0, 1, 0, 0.75, 0, 0.25, 0]));
  });
});

test('parameters are averaged by the number of images', () => {
  const mean = meanOf(
    [new Float32Array([1, 10]), new Float32Array([4, -2])],
    [{ train: { count: 2 } }, { train: { count: 1 } }],
  );
  expect([...mean]).toEqual([2, 6]);
});

describe('a server', () => {
  let device: Device;
  let artefact: Artefact;
  const made = {
    method: 'dm',
    network: 'mlp:width=16',
    iterations: 3,
    batch: 8,
    protocol: 'full-batch',
    validationNetworks: 1,
  } as const;
  beforeAll(async () => {
    device = await openDevice('cpu');
    const { set, options } = await distill(device, data, made);
    const { mean, std, classNames, name } = data;
    artefact = {
      set,
      notes: { dataset: name, classNames, mean, std, engine: 'cpu', options, validationAccuracy: 0 },
    };
  });
  afterAll(() => device.dispose());

  test('that averages clients with the same images learns what one of them would', async () => {
    const network = createNetwork({ ...networkSpec('mlp:width=16'), inputShape: [1, 28, 28], classes: 10 });
    const first = await heldOutNetworks(device, network, 2, 0, 0);
    const options = { rounds: 8, seed: 0 };
    const [one, two] = [
      await federatedAveraging(device, data, [data], network, first, options),
      await federatedAveraging(device, data, [data, data], network, first, options),
    ];
    expect(two).toEqual(one);
    expect(one[7].mean).toBeGreaterThan(one[0].mean + 10);
  });

  test('learns all classes from the distilled images of clients that have two each', async () => {
    const said: string[] = [];
    const { counts, ways } = await federated(device, data, artefact, {
      ...{ clients: 3, classesEach: 4, rounds: 2, networks: 2 },
      onProgress: ({ training }) => said.push(training),
    });
    expect(counts).toHaveLength(3);
    const sent = counts.flat().filter((images) => images > 0).length;
    const parameters = createNetwork(artefact.set.network).count;
    expect(ways.map(({ name, bytes }) => [name, bytes])).toEqual([
      ['distilled images of all clients', 4 * 784 * sent],
      ['those of one client alone', expect.any(Number)],
      ['random real images of all clients', 4 * 784 * sent],
      ['federated averaging, 1 of 2 rounds', 2 * 4 * 3 * parameters],
      ['federated averaging, 2 of 2 rounds', 2 * 4 * 3 * parameters * 2],
    ]);
    const [all, alone] = ways.map(({ accuracy }) => accuracy.mean);
    expect(all).toBeGreaterThan(alone);
    expect(all).toBeGreaterThan(30);
    expect(said[0]).toMatch(/^client 1 of 3: distilling \d classes$/);
  });

  test('refuses what no client could make, and clients of one class', async () => {
    const wrong = (options: object, from = artefact) =>
      expect(federated(device, data, from, options)).rejects;
    await wrong({ clients: 1 }).toThrow('clients is 1, expected a whole number of at least 2');
    await wrong({ pretrained: {} }).toThrow('pretrained');
    await wrong({ clients: 10, classesEach: 1 }).toThrow(
      /client \d+ has 1 images or more of .* alone, expected two classes/,
    );
    const { notes, set } = artefact;
    const taught = { set, notes: { ...notes, options: { ...notes.options, experts: 'runs/experts' } } };
    await wrong({}, taught).toThrow('made with experts that learned from all training images');
    const steps = {
      ...set,
      use: {
        kind: 'learned-steps',
        steps: 1,
        epochs: 1,
        learningRates: new Float32Array([1]),
        training: { optimizer: { kind: 'sgd' }, loss: 'cross-entropy' },
        init: 'random',
      },
    } as const;
    await wrong({}, { notes, set: steps }).toThrow('the set has learned steps');
  });
});
