import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LimbeckError, shapeText } from '../util/errors.js';
import { counted } from '../util/words.js';
import { readBytes } from './bytes.js';
import type { NumericArray } from './npy.js';
import type { Pickled } from './pickle.js';
import { PickledArray } from './pickle-arrays.js';
import { PickledTensor, parseTorch, type TorchFile, tensorArray } from './torch.js';

/** A set that a program of PyTorch saved. */
export interface TorchSet {
  /** `[count, C, H, W]` */
  readonly images: NumericArray;
  /** `[count]` or `[count, K]`; undefined where none were saved. */
  readonly labels?: NumericArray;
  /** The learned rate beside it. */
  readonly learningRate?: number;
  /** What was decided: for people. */
  readonly notes: readonly string[];
}

const ending = /\.pth?$/i;
const imageNames = /^(images?|data|syn_?(data|images?)|x)(_syn)?$/i;
const labelNames = /^(labels?|targets?|syn_?labels?|label_syn|y)(_syn)?$/i;
const rateNames = /^(syn_?)?lr$/i;
/** `images_best.pt`, `images_100.pt`; what the files beside it are called follows from it. */
const imageFile = /^(images?|data|syn_?data|syn_?images?)(?<rest>([_-].*)?)\.pth?$/i;
const numbered = /^[_-](\d+)$/;

/** Whether a path is of a file that `torch.save` wrote, or of a folder that holds images in such files. */
export async function isTorchSet(path: string): Promise<boolean> {
  if (ending.test(path)) return true;
  const names = await readdir(path).catch((): string[] => []);
  return names.some((name) => imageFile.test(name));
}

/**
 * The images and labels that `torch.save` wrote: a dictionary or a list of both, the lists of sets that DC's program writes (the last of
 * them), images alone with `labels_….pt` and `lr_….pt` beside them, or in pieces: a list of tensors, or files of consecutive numbers.
 *
 * @throws ERR_DATA where there are no images, or pieces do not fit together; what `parseTorch` throws
 */
export async function readTorchSet(path: string): Promise<TorchSet> {
  const { files, notes } = await filesOf(path);
  const parts: TorchSet[] = [];
  for (const file of files) parts.push(await readFile(file));
  const labelled = parts.every(({ labels }) => labels);
  return {
    images: joined(
      parts.map(({ images }) => images),
      `${path}: images`,
    ),
    labels: labelled
      ? joined(
          parts.map(({ labels }) => labels!),
          `${path}: labels`,
        )
      : undefined,
    learningRate: parts[0].learningRate,
    notes: [...notes, ...parts.flatMap((part) => part.notes)],
  };
}

/** The files of images that a path is of. */
async function filesOf(path: string): Promise<{ files: string[]; notes: string[] }> {
  if (
    !(await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    ))
  )
    return { files: [path], notes: [] };
  const names = (await readdir(path)).filter((name) => imageFile.test(name)).sort();
  const rest = (name: string) => imageFile.exec(name)!.groups!.rest;
  const best =
    names.find((name) => /^[_-]best$/i.test(rest(name))) ?? names.find((name) => rest(name) === '');
  if (best) return { files: [join(path, best)], notes: others(best, names) };
  const inOrder = names
    .flatMap((name) =>
      numbered.test(rest(name)) ? [{ name, number: Number(numbered.exec(rest(name))![1]) }] : [],
    )
    .sort((a, b) => a.number - b.number);
  if (!inOrder.length) return { files: [join(path, names[0])], notes: others(names[0], names) };
  const pieces = inOrder.every(({ number }, i) => number === inOrder[0].number + i) && inOrder[0].number < 2;
  if (pieces && inOrder.length > 1)
    return {
      files: inOrder.map(({ name }) => join(path, name)),
      notes: [`${counted(inOrder.length, 'file')} of consecutive numbers, taken as pieces of one set`],
    };
  const last = inOrder[inOrder.length - 1].name;
  return { files: [join(path, last)], notes: others(last, names) };
}

const others = (taken: string, names: readonly string[]): string[] =>
  names.length > 1
    ? [`${taken} of ${counted(names.length, 'file')} of images; name another to take that`]
    : [];

async function readFile(path: string): Promise<TorchSet> {
  const file = await parseTorch(await readBytes(path), path);
  const { notes, ...found } = findSet(file.content);
  if (!found.images)
    throw new LimbeckError(
      'ERR_DATA',
      `${path} holds ${contentText(file.content)}, expected images [count, C, H, W], alone or with labels in a list or a dictionary.`,
    );
  const images = await arrayOf(found.images, file, `${path}: images`);
  const others = found.labels === undefined ? await besideOf(path, 'labels') : undefined;
  const labels = others
    ? await onlyArray(others.file, others.path)
    : found.labels === undefined || found.labels === null
      ? undefined
      : await arrayOf(found.labels, file, `${path}: labels`);
  const besides = found.rate === undefined ? await besideOf(path, 'lr') : undefined;
  const rate = besides ? besides.file.content : found.rate;
  const learningRate = rate === undefined ? undefined : await numberIn(rate, besides?.file ?? file, path);
  return { images, labels, learningRate, notes };
}

/** What a value is taken for: images and labels, or tensors of images alone. */
interface Found {
  readonly images?: Pickled;
  readonly labels?: Pickled;
  readonly rate?: Pickled;
  readonly notes: readonly string[];
}

const rankOf = (value: Pickled | undefined): number | undefined =>
  value instanceof PickledTensor
    ? value.shape.length
    : value instanceof PickledArray
      ? value.stored?.form.shape.length
      : undefined;

const areImages = (value: Pickled | undefined): boolean =>
  rankOf(value) === 4 ||
  (Array.isArray(value) && value.length > 0 && value.every((one) => rankOf(one) === 4));

/** Lists and dictionaries in each other that are looked into; a list may hold itself. */
const mostLevels = 4;

function findSet(content: Pickled, level = 1): Found {
  if (level > mostLevels) return { notes: [] };
  if (areImages(content)) return { images: content, notes: [] };
  if (Array.isArray(content)) {
    const [images, labels, rate] = content;
    if (areImages(images)) return { images, labels, rate, notes: [] };
    const last = content.at(-1);
    const found = Array.isArray(last) ? findSet(last, level + 1) : undefined;
    return found?.images && content.length > 1
      ? { ...found, notes: [...found.notes, `the last of ${content.length} sets in it`] }
      : (found ?? { notes: [] });
  }
  if (!(content instanceof Map)) return { notes: [] };
  const named = (pattern: RegExp) => [...content].find(([name]) => pattern.test(name))?.[1];
  const images = named(imageNames);
  if (areImages(images)) return { images, labels: named(labelNames), rate: named(rateNames), notes: [] };
  return Array.isArray(images) ? findSet(images, level + 1) : { notes: [] };
}

/** The file of labels or of the rate that goes with a file of images. */
async function besideOf(path: string, kind: string): Promise<{ file: TorchFile; path: string } | undefined> {
  const found = imageFile.exec(basename(path));
  for (const word of kind === 'labels' ? ['labels', 'label'] : [kind]) {
    const other = found && join(dirname(path), `${word}${found.groups!.rest}.pt`);
    if (other && existsSync(other))
      return { file: await parseTorch(await readBytes(other), other), path: other };
  }
  return undefined;
}

function onlyArray(file: TorchFile, path: string): Promise<NumericArray> {
  if (rankOf(file.content) === undefined)
    throw new LimbeckError(
      'ERR_DATA',
      `${path} holds ${contentText(file.content)}, expected a tensor of labels.`,
    );
  return arrayOf(file.content, file, path);
}

/** A tensor, or several joined along their first axis. */
async function arrayOf(value: Pickled, { storages }: TorchFile, what: string): Promise<NumericArray> {
  if (Array.isArray(value) && value.every((one) => typeof one === 'number'))
    return {
      shape: [value.length],
      data: Float64Array.from(value as number[]),
      whole: value.every(Number.isInteger),
    };
  const parts: NumericArray[] = [];
  for (const one of Array.isArray(value) ? value : [value]) {
    if (!(one instanceof PickledTensor || one instanceof PickledArray))
      throw new LimbeckError('ERR_DATA', `${what} are ${contentText(one)}, expected a tensor.`);
    parts.push(await tensorArray(one, storages, what));
  }
  return joined(parts, what);
}

function joined(parts: readonly NumericArray[], what: string): NumericArray {
  const [first] = parts;
  if (parts.length === 1) return first;
  const odd = parts.find(({ shape }) => `${shape.slice(1)}` !== `${first.shape.slice(1)}`);
  if (odd)
    throw new LimbeckError(
      'ERR_DATA',
      `${what} are in pieces ${shapeText(first.shape)} and ${shapeText(odd.shape)}, expected all alike but in their number.`,
    );
  const length = parts.reduce((sum, { data }) => sum + data.length, 0);
  const data = parts.every((part) => part.data instanceof Uint8Array)
    ? new Uint8Array(length)
    : new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  const count = parts.reduce((sum, { shape }) => sum + shape[0], 0);
  return {
    shape: [count, ...first.shape.slice(1)],
    data,
    whole: parts.every(({ whole }) => whole),
    truth: parts.every(({ truth }) => truth),
  };
}

/** A rate: a number, or a tensor of one. */
async function numberIn(value: Pickled, file: TorchFile, path: string): Promise<number | undefined> {
  if (typeof value === 'number') return value;
  if (!(value instanceof PickledTensor) || value.shape.some((size) => size !== 1)) return undefined;
  return (await tensorArray(value, file.storages, `${path}: lr`)).data[0];
}

/** What a file holds, in a few words. */
function contentText(value: Pickled): string {
  if (value instanceof PickledTensor) return `a tensor ${shapeText(value.shape)}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Map)
    return `a dictionary of ${[...value.keys()].slice(0, 8).join(', ').slice(0, 200)}`;
  return value === null ? 'nothing' : `a ${typeof value}`;
}
