import { readFile, stat } from 'node:fs/promises';
import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { readLabelledImages } from '../data/labelled-images.js';
import { pixelScaleOf } from '../data/pixel-scale.js';
import { findProtocol } from '../eval/find-protocol.js';
import type { Model } from '../eval/model.js';
import { checkPreprocessing, checkTeacher, type Protocol } from '../eval/protocol.js';
import { protocolOf } from '../eval/protocol-name.js';
import { imageValues, type SetOfImagesOptions, setOfImages, valuesOf } from '../eval/set-of-images.js';
import { isSameData } from '../runs/describe-data.js';
import { LimbeckError } from '../util/errors.js';
import { decodeSafetensors } from '../util/safetensors.js';
import { counted } from '../util/words.js';
import type { Values } from './arguments.js';
import { checkWhitening, protocolAsked, readArtefact, setFile, sourceFor } from './artefact.js';
import { flagOf, type Option } from './options.js';
import { pretrainedFor, teacherFor } from './pretrained.js';
import { dataSource, openData, readingGiven } from './sources.js';

/** What `limbeck evaluate` scores, and on what. */
export interface Evaluated {
  readonly set: DistilledSet;
  /** As it was read. */
  readonly opened: Dataset;
  /** Normalised as the images are. */
  readonly data: Dataset;
  readonly protocol: Protocol;
  /** How many networks it was evaluated with at the end of its run, where this is that protocol. */
  readonly networksThen?: number;
  /** Whether it is the data that the set was made from, where that is known. */
  readonly sameData?: boolean;
  /** Networks that it was made for, where they were trained before. */
  readonly pretrained?: Model;
  /** Whose answers are the labels of baselines, or of the set. */
  readonly teacher?: Model;
  /** What was assumed: for people. */
  readonly notes: readonly string[];
}

/** Of images that limbeck did not make. */
export const plainOptions: readonly Option[] = [
  {
    name: 'network',
    kind: 'text',
    value: 'NAME',
    help: 'what is trained on them',
    fallback: 'convnet',
    group: 'Of images and labels that limbeck did not make',
  },
  {
    name: 'normalisation',
    kind: 'text',
    value: imageValues.join('|'),
    help: 'what their numbers are: pixels, or normalised as the data set',
    fallback: 'pixels for bytes and floats of 0 to 1, or of the range that those of the data set have',
    group: 'Of images and labels that limbeck did not make',
  },
];

/** Reads what a path holds and the data set that goes with it. `check` sees the set and the protocol before any data is read. */
export async function openEvaluated(
  path: string,
  values: Values,
  check: (set: DistilledSet, protocol: Protocol) => void,
): Promise<Evaluated> {
  if (await isPlain(path)) return openPlain(path, values, check);
  for (const { name } of plainOptions)
    if (values[name] !== undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        `${flagOf(name)} is ${values[name]}, but ${path} says it itself: leave it out` +
          (name === 'network' ? ', or name others with --networks-of' : ''),
      );
  const { name: asked, changes } = protocolAsked(values);
  const { dataset, digitsSize } = values as { dataset?: string; digitsSize?: number };
  const artefact = await readArtefact(path);
  const own = protocolOf(artefact.set);
  const protocol = findProtocol(asked ?? own.name, changes);
  check(artefact.set, protocol);
  const { mean, std, options } = artefact.notes;
  const source = await sourceFor(path, artefact, { dataset, digitsSize, reading: readingGiven(values) });
  checkWhitening(path, artefact, source, protocol);
  const pretrained = await pretrainedFor(path, artefact, values.init as string | undefined);
  const isSame = (data: Dataset) => isSameData(data, artefact.notes);
  const opened = await openData(source, Boolean(values.json), isSame);
  // Normalised as the distilled images are, whatever the statistics of this data.
  const data = { ...opened, mean, std };
  const teacher = await teacherFor(values.teacher as string | undefined, { artefact, data });
  checkTeacher(protocol, teacher);
  const { networks } = options;
  return {
    set: artefact.set,
    data,
    opened,
    protocol,
    networksThen: protocol.name === own.name && typeof networks === 'number' ? networks : undefined,
    sameData: isSame(opened),
    pretrained,
    teacher,
    notes: [],
  };
}

/** Whether a path holds plain images and labels, and nothing that limbeck wrote. */
async function isPlain(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return setFile(path) === path;
  if (!found || !/\.safetensors$/i.test(path)) return /\.(npz|pth?)$/i.test(path);
  try {
    // Others say what their tensors are for: Hugging Face's files have `pt`, `np`, `tf` or `flax`.
    return !decodeSafetensors(await readFile(path)).metadata.format?.startsWith('limbeck-');
  } catch {
    return false;
  }
}

async function openPlain(
  path: string,
  values: Values,
  check: (set: DistilledSet, protocol: Protocol) => void,
): Promise<Evaluated> {
  const { dataset, digitsSize, network, normalisation } = values as {
    dataset?: string;
    digitsSize?: number;
    network?: string;
    normalisation?: SetOfImagesOptions['values'];
  };
  if (dataset === undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `${path} does not say what it was made from: say where that lies with --dataset PATH`,
    );
  if (normalisation !== undefined && !imageValues.includes(normalisation))
    throw new LimbeckError(
      'ERR_OPTION',
      `--normalisation is ${normalisation}, expected one of ${imageValues.join(', ')}`,
    );
  const { name: asked, changes } = protocolAsked(values);
  const source = dataSource({ dataset, digitsSize, reading: readingGiven(values) });
  const data = await openData(source, Boolean(values.json));
  const { images, labels, learningRate, notes } = await readLabelledImages(path, data);
  const taken = normalisation ?? valuesOf(images, pixelScaleOf(data));
  const set = setOfImages(
    data,
    { images, labels },
    {
      ...{ values: taken, network, protocol: asked, learningRate },
    },
  );
  const protocol = findProtocol(protocolOf(set).name, changes);
  checkPreprocessing(protocol, Boolean(data.zca));
  check(set, protocol);
  const numbers = images instanceof Uint8Array ? 'bytes' : 'floats';
  const given = (value: unknown, flag: string) => (value === undefined ? ` (${flag} says otherwise)` : '');
  return {
    ...{ set, data, opened: data, protocol },
    teacher: await teacherFor(values.teacher as string | undefined),
    notes: [
      ...notes,
      `${counted(set.classes.length, 'image')} of ${numbers}, taken ${taken === 'pixels' ? `as pixels, normalised like ${data.name}` : `as they are, normalised like ${data.name} already`}${given(normalisation, '--normalisation')}`,
      ...(learningRate === undefined ? [] : [`learned rate ${learningRate}, for protocols that take it`]),
      `trained on: ${set.network.name}${given(network, '--network')}, protocol ${protocol.name}${given(asked, '--protocol')}`,
    ],
  };
}
