/** Calls that are given something else in the place of a set, a model, a data set or a picture, or half of one. */
import { beforeAll, describe, expect, test } from 'vitest';
import * as limbeck from '../src/index.js';
import { shown, written } from '../src/util/expect.js';
import { learnedSet } from './harness/distilled-set.js';

let device: limbeck.Device;
let dataset: limbeck.Dataset;
beforeAll(async () => {
  device = await limbeck.openDevice('reference');
  dataset = limbeck.generateDigits({ train: 20, validation: 10, test: 10, size: 16 });
});

// biome-ignore lint/suspicious/noExplicitAny: calls that TypeScript refuses
const api = limbeck as any;

const network: limbeck.NetworkOptions = {
  name: 'custom',
  inputShape: [1, 16, 16],
  classes: 10,
  layers: [{ linear: 10 }],
};
const set = learnedSet({
  network,
  images: new Float32Array(10 * 256),
  labels: Float32Array.from({ length: 100 }, (_, i) => Number(i % 11 === 0)),
  learningRates: Float32Array.of(0.02),
});
const notes: limbeck.ArtefactNotes = {
  ...{ dataset: 'digits', classNames: [...'0123456789'], mean: [0.1], std: [0.3] },
  ...{ engine: 'reference', options: {}, validationAccuracy: 50 },
};
const model: limbeck.Model = {
  ...{ network, parameters: new Float32Array(2570), loss: 'cross-entropy', classNames: notes.classNames },
  normalisation: { mean: [0.1], std: [0.3] },
  notes: { dataset: 'digits', trainedOn: 'nothing', protocol: 'none' },
};

/** What a call throws, at once or later. */
const thrownBy = (call: () => unknown): Promise<unknown> =>
  Promise.resolve()
    .then(call)
    .catch((thrown) => thrown);

async function expectRefused(call: () => unknown, code: string, message: RegExp): Promise<void> {
  const error = await thrownBy(call);
  expect(error).toBeInstanceOf(limbeck.LimbeckError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
}

const others: readonly unknown[] = [undefined, null, 5, 'x', {}, [], Promise.resolve()];

describe.each(['trainSubjects', 'robustness', 'fairness', 'privacy', 'search', 'continual'])('%s', (name) => {
  test('refuses what is no set with its notes', async () => {
    for (const other of others)
      await expectRefused(
        () => api[name](device, dataset, other),
        'ERR_OPTION',
        new RegExp(`^${name}: artefact is .*, expected a set with its notes, as \`decodeArtefact\` gives it`),
      );
    await expectRefused(
      () => api[name](device, dataset, { set: null, notes }),
      'ERR_DATA',
      new RegExp(`^${name}: set is null, expected an object`),
    );
    await expectRefused(
      () => api[name](device, dataset, { set, notes: {} }),
      'ERR_DATA',
      new RegExp(`^${name}: notes.dataset is missing, expected text`),
    );
  });
});

describe.each(['mix', 'recognise', 'agreement', 'curvature'])('%s', (name) => {
  test('refuses what are no named sets', async () => {
    for (const other of others) {
      await expectRefused(
        () => api[name](device, dataset, other),
        'ERR_OPTION',
        new RegExp(`^${name}: sets is`),
      );
      await expectRefused(
        () => api[name](device, dataset, [other]),
        'ERR_OPTION',
        new RegExp(`^${name}: sets\\[0\\] is .*, expected an object with name and set`),
      );
      await expectRefused(
        () =>
          api[name](device, dataset, [
            { name: 'a', set },
            { name: 'b', set: other },
          ]),
        'ERR_OPTION',
        new RegExp(`^${name}: sets\\[1\\].set is .*, expected a distilled set`),
      );
    }
    await expectRefused(
      () => api[name](device, dataset, [{ set }]),
      'ERR_OPTION',
      new RegExp(`^${name}: sets\\[0\\].name is undefined, expected text`),
    );
    await expectRefused(
      () => api[name](device, dataset, [{ name: 'a', set: { ...set, labels: [] } }]),
      'ERR_DATA',
      /labels is missing/,
    );
  });
});

test('influence refuses what is no set', async () => {
  for (const other of others)
    await expectRefused(
      () => api.influence(device, dataset, other),
      'ERR_OPTION',
      /^influence: set is .*, expected a distilled set/,
    );
});

/** Models that no file could hold. */
const badModels: [object, RegExp][] = [
  [{ notes: undefined }, /notes is missing, expected an object/],
  [{ notes: {} }, /notes.dataset is missing, expected text/],
  [{ loss: 'x' }, /model.loss is "x", expected one of/],
  [{ classNames: ['a'] }, /model.classNames is a list, expected a list of 10 texts/],
  [{ normalisation: undefined }, /model.normalisation is missing, expected an object/],
  [{ normalisation: { mean: [], std: [1] } }, /normalisation.mean is a list, expected a list of 1/],
  [
    { normalisation: { mean: [0], std: [0] } },
    /normalisation.std is a list, expected a list of 1 numbers above 0/,
  ],
  [{ parameters: [] }, /parameters is of type Array with 0 elements, expected F32 of 2570/],
  [
    { parameters: new Float32Array(7) },
    /parameters is of type Float32Array with 7 elements, expected F32 of 2570/,
  ],
  [{ parameters: null }, /parameters is missing, expected F32/],
  [{ network: null }, /model.network is null, expected an object/],
];

describe.each(['predict', 'fineTune', 'exportOnnx', 'encodeModel'])('%s', (name) => {
  const call = (given: unknown) => () =>
    name === 'predict' || name === 'fineTune'
      ? api[name](device, given, { images: [], labels: [] })
      : api[name](given);

  test('refuses what is no model, or half of one', async () => {
    for (const other of others)
      await expectRefused(call(other), 'ERR_OPTION', new RegExp(`^${name}: model is .*, expected a network`));
    for (const [change, message] of badModels) {
      await expectRefused(call({ ...model, ...change }), 'ERR_DATA', message);
      await expectRefused(call({ ...model, ...change }), 'ERR_DATA', new RegExp(`^${name}: `));
    }
  });
});

test('predict refuses options that it has not', async () => {
  const images = new Uint8Array(256);
  await expectRefused(
    () => api.predict(device, model, images, null),
    'ERR_OPTION',
    /predict: options is null/,
  );
  await expectRefused(
    () => api.predict(device, model, images, { signals: 1 }),
    'ERR_OPTION',
    /predict: option signals is unknown; did you mean signal\?/,
  );
  await expect(api.predict(device, model, images, {})).resolves.toMatchObject({ kind: 'probabilities' });
});

test('what encodeArtefact and encodeModel write is what is read', async () => {
  expect(limbeck.decodeModel(limbeck.encodeModel(model))).toEqual(model);
  expect(limbeck.decodeArtefact(limbeck.encodeArtefact({ set, notes })).set).toMatchObject({
    images: set.images,
  });
  for (const bad of [undefined, null, {}, { ...notes, mean: [] }, { ...notes, classNames: ['a'] }])
    await expectRefused(() => api.encodeArtefact({ set, notes: bad }), 'ERR_DATA', /^encodeArtefact: notes/);
  await expectRefused(() => api.encodeArtefact(null), 'ERR_OPTION', /^encodeArtefact: artefact is null/);
});

const look = { imageShape: [1, 16, 16], classNames: notes.classNames, mean: [0], std: [1] };
const encoding = {
  ...{ tokeniser: 'x', length: 2, width: 2, words: ['', '▢', 'up'], embeddings: 'x' },
  table: Float32Array.of(0, 0, 0, 0, 1, 2),
};
const zca = { mean: new Float32Array(2), inverse: new Float32Array(4) };

const ofOthers: [name: string, call: (other: unknown) => unknown, expected: string][] = [
  ['inspectDataset', (other) => api.inspectDataset(other), 'dataset is .*, expected a data set'],
  ['classExamples', (other) => api.classExamples(other), 'dataset is .*, expected a data set'],
  ['whiten', (other) => api.whiten(other), 'dataset is .*, expected a data set'],
  [
    'embedTexts',
    (other) => api.embedTexts(other, ['a']),
    'encoding is .*, expected what texts are read with',
  ],
  ['embedTexts', (other) => api.embedTexts(encoding, [other]), 'texts\\[0\\] is .*, expected text'],
  [
    'nearestWords',
    (other) => api.nearestWords(other, zca.mean),
    'encoding is .*, expected what texts are read',
  ],
  ['encodePng', (other) => api.encodePng(other), 'image is .*, expected a picture'],
  ['encodeCheckpoint', (other) => api.encodeCheckpoint(other, {}), 'checkpoint is .*, expected a checkpoint'],
  ['contactSheet', (other) => api.contactSheet(other, look), 'set is .*, expected a distilled set'],
  [
    'contactSheet',
    (other) => api.contactSheet(set, other),
    'look is .*, expected what a data set looks like',
  ],
  ['unwhiten', (other) => api.unwhiten(other, zca.mean), 'zca is .*, expected what whitened a data set'],
];

test.each(ofOthers)('%s refuses what is something else: %#', async (name, call, expected) => {
  for (const other of others.filter((one) => name !== 'embedTexts' || typeof one !== 'string'))
    await expectRefused(() => call(other), 'ERR_OPTION', new RegExp(`^${name}: ${expected}`));
});

test('inspectDataset refuses data that no file could bring', async () => {
  for (const classes of [1e10, -1, 1.5])
    await expectRefused(() => api.inspectDataset({ ...dataset, classes }), 'ERR_DATA', /dataset.class/);
  await expectRefused(() => api.inspectDataset({ ...dataset, train: {} }), 'ERR_DATA', /dataset.train lacks/);
});

test.each<[string, () => unknown, RegExp]>([
  ['no pixels at all', () => api.unwhiten({ mean: [], inverse: [] }, zca.mean), /a mean of 0 values/],
  [
    'half an inverse',
    () => api.unwhiten({ ...zca, inverse: zca.mean }, zca.mean),
    /an inverse of 2, expected/,
  ],
  ['half an image', () => api.unwhiten(zca, new Float32Array(3)), /of 3 values, expected .* a multiple of 2/],
  ['no images', () => api.unwhiten(zca, undefined), /images is undefined, expected/],
  ['half a text', () => api.nearestWords(encoding, new Float32Array(3)), /a multiple of 4/],
  ['half a table', () => api.embedTexts({ ...encoding, table: zca.mean }, ['up']), /a table of 2/],
  ['no bytes', () => api.encodePng({ width: 1, height: 1, channels: 1, data: 'x' }), /data is "x"/],
  ['a width of another kind', () => api.encodePng({ width: Symbol('s'), height: 1, data: 1 }), /Symbol/],
])('%s: ERR_SHAPE', (_, call, message) => expectRefused(call, 'ERR_SHAPE', message));

test('nothing that is shown in a message throws', () => {
  const failing = {
    toJSON() {
      throw new Error('no');
    },
  };
  for (const value of [1n, [1n], { a: 1n }, Symbol('s'), failing, Object.create(null), () => 1]) {
    expect(shown(value)).toEqual(expect.any(String));
    expect(written(value)).toEqual(expect.any(String));
  }
  expect([shown(1n), written({ a: 1n }), written([2])]).toEqual(['1n', 'another object', '[2]']);
});
