import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { expectDataset } from '../data/expect-dataset.js';
import { randomRows } from '../data/selection/random-rows.js';
import type { Device } from '../engine/device.js';
import { type Artefact, expectArtefact } from '../eval/artefact.js';
import { perClassOf } from '../eval/baselines/index.js';
import { networksOf } from '../eval/evaluate.js';
import { findProtocol } from '../eval/find-protocol.js';
import type { Model } from '../eval/model.js';
import { heldOutFor } from '../eval/pretrained.js';
import { protocolOf } from '../eval/protocol-name.js';
import { stepsUnder } from '../eval/under-protocol.js';
import { type NetworkSpec, networkSpec } from '../networks/index.js';
import { trainNetworks } from '../runs/train-networks.js';
import { trainOn, trainOnEach } from '../runs/train-on.js';
import { asDistilled } from '../runs/train-on-checks.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions, shown } from '../util/expect.js';

/** What every use is given; each has a default. */
export interface UseOptions {
  /**
   * Networks of each kind, from weights of their own; default 5, all that the set was made for where they are known ones, of those that were trained before
   * as many as were held out, 5 at most.
   */
  readonly networks?: number;
  /** Name of the protocol that networks learn by from the set and from as many random images; default that of the set's use. */
  readonly protocol?: string;
  /** The networks that a set is for, where they were trained before: those that were held out, or others of their kind, learn further. */
  readonly pretrained?: Model;
  /** Of networks, real images and everything else that is random; default 0. */
  readonly seed?: number;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Before each kind of networks is trained. */
  readonly onProgress?: ((event: { readonly training: string }) => void) | undefined;
}

export const useNames = {
  networks: true,
  protocol: true,
  pretrained: true,
  seed: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof UseOptions, true>;

/** Networks by what they learned from. */
export interface Subject {
  /** `distilled images`, `as many random real images` or `all training images`. */
  readonly name: string;
  /** All networks of this kind. */
  readonly model: Model;
}

/** What uses are given that look at networks of all three kinds. */
export interface SubjectOptions extends UseOptions {
  /** What `trainSubjects` gave for this set: several uses share it. Default: trained for this one. */
  readonly subjects?: readonly Subject[];
}

export const subjectNames = { ...useNames, subjects: true } satisfies Record<keyof SubjectOptions, true>;

/**
 * Networks that learned from a distilled set, from as many random real images, and from all training images: what `robustness`, `fairness` and `privacy` look
 * at. The first two learn as the set is used, or, where it has learned steps of its own, from the random images by protocol `full-batch`; the last are
 * fresh ones, by ordinary training.
 *
 * @throws ERR_OPTION for options that are unknown or out of range; what `trainOn` throws
 */
export async function trainSubjects(
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  options: UseOptions = {},
): Promise<Subject[]> {
  expectDevice('trainSubjects', device);
  expectDataset('trainSubjects', dataset);
  expectArtefact('trainSubjects', artefact);
  expectOptions('trainSubjects', options, useNames);
  return trainKinds(device, dataset, artefact, options);
}

/** The networks that a use was given, or its own. */
export async function subjectsOf(
  where: string,
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  { subjects, ...options }: SubjectOptions,
): Promise<readonly Subject[]> {
  if (subjects === undefined) return trainKinds(device, dataset, artefact, options);
  if (!Array.isArray(subjects) || !subjects.every((one) => one?.model && one.name))
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: subjects is ${shown(subjects)}, expected what \`await trainSubjects()\` gives`,
    );
  const ofTraining = (['networks', 'protocol', 'pretrained'] as const).find(
    (name) => options[name] !== undefined,
  );
  if (ofTraining)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: ${ofTraining} is given beside subjects, which are trained already: give it to trainSubjects`,
    );
  return subjects;
}

/** The three kinds; `network`: of this architecture in the place of the set's own. */
export async function trainKinds(
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  {
    seed = 0,
    signal,
    onProgress,
    network,
    protocol,
    pretrained,
    ...options
  }: UseOptions & { readonly network?: NetworkSpec },
): Promise<Subject[]> {
  const { set } = artefact;
  const networks = options.networks ?? (network ? usualNetworks : networksFor(set, protocol, pretrained));
  const data = asDistilled(dataset, artefact);
  const how = { networks, seed, signal, network, pretrained, dataset: data };
  const randomSet = (network: number) => randomInstead(data, set, seed + network, protocol);
  const random = { ...artefact, set: await randomSet(0) };
  // A draw for each: a deviation over networks of one draw would not say how much it hangs on that.
  const drawn = async (network: number) => (await randomSet(network)).images;
  const trained: readonly (readonly [string, () => Promise<{ readonly model: Model }>])[] = [
    ['distilled images', () => trainOn(device, artefact, { ...how, protocol })],
    ['as many random real images', () => trainOnEach(device, random, how, drawn)],
    [
      'all training images',
      () =>
        trainNetworks(device, data, {
          ...{ networks, seed, signal },
          network: network ?? networkSpec(set.network),
        }),
    ],
  ];
  const subjects: Subject[] = [];
  for (const [name, train] of trained) {
    onProgress?.({ training: name });
    subjects.push({ name, model: (await train()).model });
  }
  return subjects;
}

/** Of each kind. */
const usualNetworks = 5;

/** The same, unless a set says which there are. */
function networksFor(set: DistilledSet, name?: string, pretrained?: Model): number {
  const held = heldOutFor(set, pretrained, false);
  if (held) return Math.min(usualNetworks, held.record.test);
  const protocol = name === undefined ? protocolOf(set) : findProtocol(name);
  return stepsUnder(set, protocol)?.init === 'fixed' ? networksOf(set, undefined, protocol) : usualNetworks;
}

/** ERR_OPTION for a set that is for networks that were trained before: `why` no others will do. */
export function expectFresh(where: string, { pretrained }: DistilledSet, why: string): void {
  if (pretrained)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: the set is for networks that were trained on ${pretrained.dataset} before, and ${why}: expected a set for fresh networks`,
    );
}

/** Random real images in the place of a set's own, as many of each class as it stores, for this protocol where it needs no learned steps. */
export async function randomInstead(
  dataset: Dataset,
  set: DistilledSet,
  seed: number,
  protocol = protocolOf(set).name,
): Promise<DistilledSet> {
  const { training } = findProtocol(protocol);
  return {
    ...set,
    ...(await randomRows(dataset, perClassOf(set.stored.pictures, dataset.classes), seed)),
    // Neither a teacher's temperature nor a rate that was learned for others.
    use: {
      kind: 'minibatches',
      protocol: training === 'learned-steps' ? 'full-batch' : protocol,
    },
    teacher: undefined,
  };
}

/** ERR_OPTION for whitened images and texts: what is done to pixels needs pixels. */
export function expectPixels(where: string, { name, zca, text }: Dataset): void {
  if (zca || text)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: ${name} has ${text ? 'texts' : 'whitened images'}, expected images as they are: pixels are changed`,
    );
}

/** A list of numbers above 0; ERR_OPTION for anything else. */
export function expectPositive(where: string, name: string, values: unknown): readonly number[] {
  if (Array.isArray(values) && values.length && values.every((value) => Number.isFinite(value) && value > 0))
    return values;
  throw new LimbeckError('ERR_OPTION', `${where}: ${name} is ${shown(values)}, expected numbers above 0`);
}
