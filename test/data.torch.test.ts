/**
 * Sets that programs of PyTorch saved: files that PyTorch 1.13 wrote (`test/fixtures/torch`, made by the script in its README), and files
 * that no program should write.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readLabelledImages } from '../src/data/labelled-images.js';
import { readTorchSet } from '../src/data/torch-set.js';
import { datasetFromArrays } from '../src/index.js';
import { zip } from './harness/data-files.js';
import { madeFolders } from './harness/folders.js';
import { root } from './harness/repository.js';

const fixture = (name: string) => join(root, 'test/fixtures/torch', name);
const folders = madeFolders('torch');

/** 0, 1, 2, … less 11.5, by fours. */
const values = Array.from({ length: 24 }, (_, i) => (i - 11.5) / 4);

describe('what PyTorch wrote', () => {
  test.each(['dc.pt', 'dc-old.pt'])("the sets of DC's program, %s: the last of them", async (name) => {
    const { images, labels, learningRate, notes } = await readTorchSet(fixture(name));
    expect(images.shape).toEqual([4, 1, 2, 3]);
    expect([...images.data]).toEqual(values);
    expect([...labels!.data]).toEqual([0, 0, 1, 1]);
    expect(learningRate).toBeUndefined();
    expect(notes).toEqual(['the last of 2 sets in it']);
  });

  test("images, labels and rate in files of their own, as MTT's program writes them", async () => {
    const { images, labels, learningRate, notes } = await readTorchSet(fixture('mtt'));
    expect([...images.data]).toEqual(values);
    expect(labels!.shape).toEqual([4, 2]);
    expect([...labels!.data]).toEqual([0.75, 0.25, 0.5, 0.5, 0.125, 0.875, 0, 1]);
    expect(learningRate).toBe(0.0125);
    expect(notes.join()).toMatch(/images_best\.pt of 2 files/);
    const earlier = await readTorchSet(fixture('mtt/images_100.pt'));
    expect([...earlier.images.data]).toEqual(values.map((value) => value + 3));
    expect(earlier.labels).toBeUndefined();
  });

  test('a view that is no contiguous piece of its storage', async () => {
    // arange(24) as [2, 3, 2, 2], axes 1, 0, 3, 2
    const at = (i: number, j: number, k: number, l: number) => 12 * j + 4 * i + 2 * l + k;
    const expected = [0, 1, 2].flatMap((i) =>
      [0, 1].flatMap((j) => [0, 1].flatMap((k) => [0, 1].map((l) => at(i, j, k, l)))),
    );
    const { images } = await readTorchSet(fixture('strided.pt'));
    expect(images.shape).toEqual([3, 2, 2, 2]);
    expect([...images.data]).toEqual(expected);
  });

  test('a parameter in bfloat16 in an ordered dictionary, with a list of labels', async () => {
    const { images, labels } = await readTorchSet(fixture('bfloat16-old.pt'));
    // These numbers have few enough digits for it.
    expect([...images.data]).toEqual(values);
    expect([...labels!.data]).toEqual([0, 0, 1, 1]);
  });

  const data = datasetFromArrays({
    name: 'two',
    imageShape: [1, 2, 3],
    classes: 2,
    train: { images: new Float32Array(12), labels: [0, 1] },
    validation: { images: new Float32Array(12), labels: [0, 1] },
    test: { images: new Float32Array(12), labels: [0, 1] },
  });

  test('is a set to evaluate; without labels it is in the order of its classes, and that is said', async () => {
    const dc = await readLabelledImages(fixture('dc.pt'), data);
    expect([...dc.images]).toEqual(values);
    expect([...dc.labels]).toEqual([0, 0, 1, 1]);
    const mtt = await readLabelledImages(fixture('mtt'), data);
    expect([mtt.labels.length, mtt.learningRate]).toEqual([8, 0.0125]);
    const bare = await readLabelledImages(fixture('mtt/images_100.pt'), data);
    expect([...bare.labels]).toEqual([0, 0, 1, 1]);
    expect(bare.notes.join()).toMatch(/in the order of their classes/);
    const three = { ...data, classes: 3, classNames: ['a', 'b', 'c'] };
    await expect(readLabelledImages(fixture('mtt/images_100.pt'), three)).rejects.toThrow(
      /4 images are not as many of each of the 3 classes of two/,
    );
  });

  test('in pieces, files of consecutive numbers', async () => {
    const piece = readFileSync(fixture('mtt/images_best.pt'));
    const path = await folders.write({ 'images_0.pt': piece, 'images_1.pt': piece });
    const { images, notes } = await readTorchSet(path);
    expect(images.shape).toEqual([8, 1, 2, 3]);
    expect([...images.data]).toEqual([...values, ...values]);
    expect(notes.join()).toMatch(/2 files of consecutive numbers/);
    // Those of a run's steps are no pieces: the last is taken.
    const steps = await folders.write({ 'images_0.pt': piece, 'images_500.pt': piece });
    expect((await readTorchSet(steps)).images.shape).toEqual([4, 1, 2, 3]);
  });
});

describe('what no program should write', () => {
  const text = (value: string) => Buffer.from(value, 'latin1');
  const archive = (pickled: string, storage = Buffer.alloc(96)) =>
    zip({ 'x/data.pkl': text(pickled), 'x/data/0': storage });
  const storage = (count: string, name = 'FloatStorage') =>
    `(X\x07\0\0\0storagectorch\n${name}\nX\x01\0\0\x000X\x03\0\0\0cpu${count}tQ`;
  const tensor = (count: string, shape: string, strides: string) =>
    `\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(${storage(count)}K\0${shape}${strides}\x89ccollections\nOrderedDict\n)RtR.`;
  const small = tensor('K\x18', '(K\x04K\x01K\x02K\x03t', '(K\x06K\x06K\x03K\x01t');

  test('is made by hand as PyTorch makes it', async () => {
    const path = await folders.write({ 'x.pt': archive(small) });
    expect((await readTorchSet(join(path, 'x.pt'))).images.shape).toEqual([4, 1, 2, 3]);
  });

  test.each<[string, Uint8Array, RegExp]>([
    [
      'a command',
      archive('\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.'),
      /names os\.system, which a file of PyTorch tensors does not need; nothing of it is executed/,
    ],
    [
      'a command inside a tensor',
      archive(small.replace('collections\nOrderedDict', 'builtins\neval')),
      /names builtins\.eval/,
    ],
    ['a whole network', archive('\x80\x02c__main__\nNet\n)\x81.'), /names __main__\.Net/],
    [
      'a command in the older form',
      text('\x80\x02cposix\nsystem\nX\x02\0\0\0ls\x85R.'),
      /names posix\.system/,
    ],
    [
      'a gigabyte that is not there',
      archive(tensor('J\0\0\0\x10', '(J\0\0\0\x04K\x01K\x01K\x04t', '(K\x04K\x04K\x04K\x01t')),
      /reaches beyond its storage/,
    ],
    ['a storage that is missing', archive(small.replace('\x000X\x03', '\x007X\x03')), /lacks x\/data\/7/],
    [
      'a tensor that repeats one number a billion times',
      archive(tensor('K\x18', '(J\0\0\0\x10K\x01K\x02K\x03t', '(K\0K\0K\0K\0t')),
      /repeats the 24 numbers that are stored: save it with \.contiguous/,
    ],
    [
      'strides that do not go with its sizes',
      archive(tensor('K\x18', '(K\x04K\x01K\x02K\x03t', '(K\x06t')),
      /calls what is no function of it in this way/,
    ],
    [
      'complex numbers',
      archive(small.replace('FloatStorage', 'ComplexFloatStorage')),
      /names torch\.ComplexFloatStorage/,
    ],
    ['a list that holds itself', archive('\x80\x02]q\0h\0ah\0a.'), /holds a list of 2, expected images/],
    ['a text', archive('\x80\x02X\x02\0\0\0hi.'), /holds a string, expected images/],
    ['nothing', zip({ 'x/version': text('3') }), /has no data\.pkl/],
    ['other bytes', text('GIF89a'), /is not a readable file of PyTorch tensors/],
  ])('%s is refused', async (_, bytes, message) => {
    const path = join(await folders.write({ 'x.pt': bytes }), 'x.pt');
    await expect(readTorchSet(path)).rejects.toThrow(message);
    await expect(readTorchSet(path)).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_DATA|ERR_FILE_FORMAT/),
    });
  });
});
