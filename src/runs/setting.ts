import type { Dataset, Labels } from '../data/dataset.js';
import type { Attack, DistilledSet } from '../data/distilled-set.js';
import type { Experts } from '../data/experts/experts.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { findProtocol } from '../eval/find-protocol.js';
import type { Model } from '../eval/model.js';
import { checkArchitecture, firstOf, shareOut } from '../eval/pretrained.js';
import { checkPreprocessing } from '../eval/protocol.js';
import { teacherFrom } from '../eval/teacher.js';
import type { Items } from '../methods/items.js';
import type { Pretrained, Setting } from '../methods/method.js';
import { parseInit } from '../methods/networks.js';
import { attackOf } from '../methods/objective.js';
import {
  createNetwork,
  type Network,
  type NetworkOptions,
  type NetworkSpec,
  networkSpec,
  networkTitle,
} from '../networks/index.js';
import { parametrisationFor } from '../parametrisations/index.js';
import { infinitelyWide } from '../train/infinite-width.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { firstItems } from './first-items.js';
import { findMethod, pictureCount, type ResolvedOptions } from './options.js';

/** The options of the network a run is for, with the sizes that its data set gives it. */
export const networkOptionsFor = (
  network: string | NetworkSpec,
  { imageShape, classes }: Dataset,
): NetworkOptions => ({ ...networkSpec(network), inputShape: imageShape, classes });

/** The network of a run; ERR_SHAPE where the images of its data are none for it. */
export function networkFor(network: string | NetworkSpec, dataset: Dataset): Network {
  const { name: set, imageShape } = dataset;
  try {
    return createNetwork(networkOptionsFor(network, dataset));
  } catch (error) {
    if (!(error instanceof LimbeckError) || error.code !== 'ERR_SHAPE') throw error;
    const message = `${networkTitle(network)} cannot take the ${shapeText(imageShape)} images of ${set}: ${error.message}; choose another network (--network mlp takes any size)`;
    throw new LimbeckError('ERR_SHAPE', message, { cause: error });
  }
}

/** Whether what the run makes can be scored as it asks: known before it begins, not after it. */
function checkProtocol(
  { method, protocol: asked }: ResolvedOptions,
  network: Network,
  whitened: boolean,
): void {
  const protocol = findProtocol(asked);
  checkPreprocessing(protocol, whitened);
  if (protocol.kernel) infinitelyWide(network, protocol.kernel);
  const { protocol: own } = findMethod(method);
  if (protocol.training === 'learned-steps' && findProtocol(own).training !== 'learned-steps')
    throw new LimbeckError(
      'ERR_OPTION',
      `protocol is ${asked}, but method ${method} learns no steps, expected a protocol of ordinary training: leave it out for ${own}`,
    );
}

/** What a run is made of that needs no device: the network, and the decoder of its items. */
export function planFor(options: ResolvedOptions, dataset: Dataset) {
  if (dataset.validation.count < 1)
    throw new LimbeckError(
      'ERR_DATA',
      `${dataset.name} has no validation images; the result is chosen on them, so give at least one`,
    );
  const network = networkFor(options.network, dataset);
  checkProtocol(options, network, Boolean(dataset.zca));
  attackOf(options.attack, dataset);
  const { parametrisation, values } = parametrisationFor(options.parametrisation);
  const pictures = pictureCount(options, dataset.classes);
  if (pictures < dataset.classes && options.labels === 'hard')
    throw new LimbeckError(
      'ERR_OPTION',
      `images is ${pictures} and ${dataset.name} has ${dataset.classes} classes: with hard labels a class without an image is never learned, expected labels: soft, or at least ${dataset.classes} images`,
    );
  return {
    network,
    parametrisation: { name: parametrisation.name, ...values },
    decoder: parametrisation.decoder(pictures, dataset.imageShape, values),
  };
}

/** Labels as an attacker wants networks to give them. */
const labelledAs = (labels: Labels, { from, to }: Attack): Labels =>
  labels.map((label) => (label === from ? to : label));

/** The training split on the device, with what the method draws it by; absent where its outer steps read no real images. */
export async function uploadTraining(
  device: Device,
  dataset: Dataset,
  options: ResolvedOptions,
): Promise<SplitOnDevice> {
  const { realImages, order, readsOnHost } = findMethod(options.method);
  const attack = attackOf(options.attack, dataset);
  const train = attack
    ? { ...dataset.train, labels: labelledAs(dataset.train.labels, attack) }
    : dataset.train;
  return realImages(options as never, dataset.classes) > 0 && !readsOnHost
    ? SplitOnDevice.upload(device, dataset, train, { byClass: order === 'by-class' })
    : SplitOnDevice.absent(dataset, dataset.train);
}

/** What options name and somebody else has opened. */
export interface Named {
  /** The set in the file that `first` names. */
  readonly first?: DistilledSet;
  /** Those of the decoder in the file that `parametrisation` names, in the order of its layers. */
  readonly weights?: Float32Array;
  /** Those in the folder that `experts` names. */
  readonly experts?: Experts;
  /** Those in the folder that `init` names. */
  readonly pretrained?: Model;
  /** The network in the folder that `teacher` names. */
  readonly teacher?: Model;
  /** `[count, K]`: those in the file that `firstLabels` names. */
  readonly firstLabels?: Float32Array;
}

/** The networks that `init` names, of which a method sees only those that are not held out; ERR_OPTION where they are not given or do not fit. */
function pretrainedFor(
  { init, validationNetworks: validation, networks: test, population = 1 }: ResolvedOptions,
  network: Network,
  networkOptions: NetworkOptions,
  model: Model | undefined,
): Pretrained | undefined {
  const { kind, folder } = parseInit(init) ?? {};
  if (folder === undefined) return undefined;
  if (!model)
    throw new LimbeckError(
      'ERR_OPTION',
      `option init is ${init}, expected fixed or random, or the networks in that folder given with it: \`pretrained\`, a model as decodeModel gives it`,
    );
  checkArchitecture(folder, model, networkOptions);
  if (kind === 'fixed') return { parameters: firstOf(folder, model, network, population as number) };
  const { parts, record } = shareOut(folder, model, { validation, test });
  return { parameters: parts.train, record };
}

/** The setting in which a method begins; with items that are as `blank` it is for measuring alone. */
export async function settingFor(
  device: Device,
  dataset: Dataset,
  options: ResolvedOptions,
  real: SplitOnDevice,
  { first, experts, weights, pretrained, teacher, firstLabels }: Named = {},
  blank?: typeof firstItems,
): Promise<Setting> {
  const { network, parametrisation, decoder } = planFor(options, dataset);
  const networkOptions = networkOptionsFor(options.network, dataset);
  if (decoder.given && !weights && !blank)
    throw new LimbeckError(
      'ERR_OPTION',
      `option parametrisation names a file of ${decoder.given} (${(parametrisation as Record<string, unknown>)[decoder.given]}), expected what it holds, given with it`,
    );
  const items: Omit<Items, 'first'> = {
    shape: dataset.imageShape,
    classes: dataset.classes,
    pictures: pictureCount(options, dataset.classes),
    order: findMethod(options.method).order,
    decoder,
    parametrisation: parametrisation as DistilledSet['stored']['parametrisation'],
  };
  return {
    device,
    options: options as Setting['options'],
    network,
    networkOptions,
    dataset,
    experts,
    firstLabels,
    attack: attackOf(options.attack, dataset),
    pretrained: pretrainedFor(options, network, networkOptions, pretrained),
    teacher: options.teacher && teacher ? teacherFrom(String(options.teacher), teacher, dataset) : undefined,
    real,
    items: {
      ...items,
      first: decoder.encode(await (blank ?? firstItems)(dataset, items, options, first), {
        seed: options.seed,
        given: decoder.given ? weights : undefined,
      }),
    },
    blank: blank !== undefined,
  };
}
