import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { expectDataset } from '../data/expect-dataset.js';
import { normalisedImages } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { type Artefact, expectArtefact } from '../eval/artefact.js';
import { findProtocol } from '../eval/find-protocol.js';
import type { Model } from '../eval/model.js';
import { askModel } from '../eval/outputs.js';
import { learnedRateOf } from '../eval/protocol.js';
import { protocolOf } from '../eval/protocol-name.js';
import { type Accuracy, summarise } from '../eval/statistics.js';
import { trainOn } from '../runs/train-on.js';
import { asDistilled } from '../runs/train-on-checks.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions, shown } from '../util/expect.js';
import { pickedRows } from '../util/picked-rows.js';
import { permutation, Stream } from '../util/random.js';
import { expectFresh, randomInstead, type UseOptions, useNames } from './subjects.js';

/** How classes come one after another; each option has a default. */
export interface ContinualOptions extends UseOptions {
  /** In how many parts the classes come; default 5, or as many as there are classes. */
  readonly stages?: number;
}

/** How well networks know all classes that have come so far. */
export interface Continual {
  /** Classes that have come after each stage, `[stages]`. */
  readonly classes: readonly number[];
  /** Distilled images first. */
  readonly memories: readonly ContinualMemory[];
}

/** Of one kind of memory. */
export interface ContinualMemory {
  /** What was kept of each class: `distilled images` or `as many random real images`. */
  readonly name: string;
  /** Test accuracy in percent on the classes so far, `[stages]`, over orders of the classes, a network each. */
  readonly accuracy: readonly Accuracy[];
}

/**
 * Class-incremental learning with a memory of a few images of each class (Prabhu et al. 2020; with distilled images Zhao & Bilen 2023, section 4.5): after each stage a
 * fresh network learns from what is kept of all classes so far. Network i sees the classes in an order of its own.
 *
 * What it does not show: what making the images costs when a class arrives, or sets whose images of one class depend on those of later ones: make each class alone
 * (`dm`) for that.
 *
 * @throws ERR_OPTION for options that are unknown or out of range, sets that are used by learned steps, which go through all classes, that lack a class, or that are for networks that were trained before; what `trainOn` throws
 */
export async function continual(
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  options: ContinualOptions = {},
): Promise<Continual> {
  expectDevice('continual', device);
  expectDataset('continual', dataset);
  expectArtefact('continual', artefact);
  expectOptions('continual', options, { ...useNames, stages: true });
  const { set } = artefact;
  const K = dataset.classes;
  const { networks = 5, stages = Math.min(5, K), seed = 0, signal, onProgress } = options;
  for (const [name, value, most] of [
    ['networks', networks, Number.MAX_SAFE_INTEGER],
    ['stages', stages, K],
  ] as const)
    if (!(Number.isSafeInteger(value) && value >= 1 && value <= most))
      throw new LimbeckError(
        'ERR_OPTION',
        `continual: ${name} is ${shown(value)}, expected a whole number from 1${most === K ? ` to ${K}, the classes` : ' on'}`,
      );
  const protocol = options.protocol ?? protocolOf(set).name;
  if (findProtocol(protocol).training === 'learned-steps')
    throw new LimbeckError(
      'ERR_OPTION',
      'continual: the set has learned steps, which go through all classes; expected one for ordinary training, of dm, say, or a protocol of it, such as full-batch',
    );
  expectFresh('continual', set, 'after each stage a fresh one learns');
  const data = asDistilled(dataset, artefact);
  const without = data.classNames.filter((_, k) => !set.classes.includes(k));
  if (without.length)
    throw new LimbeckError(
      'ERR_OPTION',
      `continual: the set has no image of class ${without.join(', ')}, expected one or more of each of the ${K} classes: a class that comes would leave nothing to remember it by`,
    );
  const kept = [
    ['distilled images', async () => withoutSteps(set, protocol)],
    // A draw for each network, as an order for each.
    ['as many random real images', (i: number) => randomInstead(data, set, seed + i, protocol)],
  ] as const;
  const come = Array.from({ length: stages }, (_, s) => Math.round(((s + 1) * K) / stages));
  const memories: ContinualMemory[] = [];
  for (const [name, memoryOf] of kept) {
    const accuracies: number[][] = come.map(() => []);
    for (let i = 0; i < networks; i++) {
      onProgress?.({ training: `${name}, order ${i + 1} of ${networks}` });
      const memory = await memoryOf(i);
      const order = [...permutation(new Stream(seed + i, streams.classOrder), K)];
      for (const [stage, count] of come.entries()) {
        const classes = order.slice(0, count);
        const known = { ...artefact, set: ofClasses(memory, classes) };
        const { model } = await trainOn(device, known, { dataset: data, protocol, seed: seed + i, signal });
        accuracies[stage].push(await accuracyAmong(device, data, model, classes, signal));
      }
    }
    memories.push({ name, accuracy: accuracies.map(summarise) });
  }
  return { classes: come, memories };
}

/** For ordinary training by a protocol, whatever steps it was made for. */
const withoutSteps = (set: DistilledSet, protocol: string): DistilledSet =>
  set.use.kind === 'minibatches'
    ? set
    : { ...set, use: { kind: 'minibatches', protocol, learningRate: learnedRateOf(set.use) } };

/** The items of a set that are of these classes. */
export function ofClasses(set: DistilledSet, classes: readonly number[]): DistilledSet {
  const n = set.classes.length;
  const items = [...set.classes.keys()].filter((i) => classes.includes(set.classes[i]));
  const part = (values: Float32Array) => pickedRows(values, values.length / n, items);
  return {
    ...set,
    images: part(set.images),
    labels: part(set.labels),
    classes: Uint16Array.from(items, (i) => set.classes[i]),
    stored: { parametrisation: { name: 'pixels' }, pictures: items.length, variables: {} },
  };
}

/** Percent of the test images of these classes that a network tells from one another. */
export async function accuracyAmong(
  device: Device,
  { test, ...rest }: Dataset,
  model: Model,
  classes: readonly number[],
  signal?: AbortSignal,
): Promise<number> {
  const K = rest.classes;
  const rows = [...test.labels.keys()].filter((row) => classes.includes(test.labels[row]));
  const piece = (first: number, end: number) => normalisedImages(rest, test, rows.slice(first, end));
  const logits = await askModel(device, model, rows.length, (outputs) =>
    outputs.of(model, rows.length, piece, signal),
  );
  const right = rows.filter((row, i) => {
    const best = classes.reduce((a, b) => (logits[i * K + b] > logits[i * K + a] ? b : a));
    return best === test.labels[row];
  });
  return (100 * right.length) / rows.length;
}
