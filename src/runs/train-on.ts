import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import { normalisationOf } from '../data/normalisation.js';
import { knownScale } from '../data/pixel-scale.js';
import type { Device } from '../engine/device.js';
import { type Artefact, expectArtefact } from '../eval/artefact.js';
import { batchStatistics } from '../eval/batch-statistics.js';
import type { ProtocolChanges } from '../eval/find-protocol.js';
import { FirstNetworks, membersThatFit } from '../eval/first-networks.js';
import type { Model } from '../eval/model.js';
import { Population, populationPrograms } from '../eval/population.js';
import { heldOutFor, testedWith } from '../eval/pretrained.js';
import { protocolName } from '../eval/protocol-name.js';
import { Scoring } from '../eval/scoring.js';
import { type Accuracy, type Confusion, scoresOf } from '../eval/statistics.js';
import { geometryUnder, labelsUnder, ratesUnder, stepsUnder } from '../eval/under-protocol.js';
import { createNetwork, type NetworkSpec, networkSpec, networkTitle } from '../networks/index.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { joined } from '../util/joined.js';
import { Owned } from '../util/owned.js';
import { counted, saidOf } from '../util/words.js';
import { asDistilled, isWhitened, knownParameters, protocolFor } from './train-on-checks.js';
import { checkFinite, checkPositive, checkSeed } from './training-options.js';

/** How networks are trained on a distilled set; each has a default. */
export interface TrainOnOptions extends ProtocolChanges {
  /** Networks to train, default 1; they answer together. */
  readonly networks?: number;
  /** Another architecture than that which the set was made for. */
  readonly network?: string | NetworkSpec;
  /** Name of a protocol; default that of the set's use. */
  readonly protocol?: string;
  /** Of fresh networks; default that of the set, which gives the networks that `evaluate` tests. */
  readonly seed?: number;
  /** The data set that the set was made from, to measure the accuracy on; sets of ZCA-whitened images need it. */
  readonly dataset?: Dataset;
  /** The networks of a set that is for pretrained ones: those that were held out, or others of their kind, are trained further. */
  readonly pretrained?: Model;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** How many networks are trained. */
  readonly onProgress?: ((event: { network: number; networks: number }) => void) | undefined;
}

const known = {
  networks: true,
  network: true,
  protocol: true,
  augmentation: true,
  epochs: true,
  batch: true,
  learningRate: true,
  labels: true,
  seed: true,
  dataset: true,
  pretrained: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof TrainOnOptions, true>;

/** Networks that were trained on a distilled set. */
export interface TrainedOn {
  /** What `predict`, `exportOnnx` and `encodeModel` take. */
  readonly model: Model;
  /** On the test split, percent; with a data set only. */
  readonly accuracy?: Accuracy;
  /** Percent of the test images of each class, mean over the networks; with a data set only; null for a class without any. */
  readonly perClass?: readonly (number | null)[];
}

/**
 * Trains networks on a distilled set as it is used: by its learned steps and rates, or in minibatches under its protocol. Network i is
 * the i-th that `evaluate` tests, trained alike.
 *
 * @throws ERR_OPTION for options that are unknown or out of range, or whitened images without their data set; ERR_SHAPE for a data set of
 * other images; ERR_DIVERGED where parameters are not finite afterwards; ERR_OUT_OF_MEMORY
 */
export async function trainOn(
  device: Device,
  artefact: Artefact,
  options: TrainOnOptions = {},
): Promise<TrainedOn> {
  return trainOnEach(device, artefact, options);
}

/** The same; `imagesOf`: what each network learns from in the place of the set's own images, whose labels these have. */
export async function trainOnEach(
  device: Device,
  artefact: Artefact,
  options: TrainOnOptions,
  imagesOf?: (network: number) => Promise<Float32Array>,
): Promise<TrainedOn> {
  expectDevice('trainOn', device);
  expectOptions('trainOn', options, known);
  expectArtefact('trainOn', artefact);
  const { set, notes } = artefact;
  if (options.dataset !== undefined) expectDataset('trainOn', options.dataset, ['test']);
  const { networks = 1, seed = set.seed, signal, onProgress } = options;
  checkPositive('networks', networks, true);
  checkSeed(seed);
  const dataset = options.dataset && asDistilled(options.dataset, artefact);
  const protocol = protocolFor(artefact, options);
  const own = options.network === undefined || networkTitle(options.network) === networkTitle(set.network);
  const { inputShape, classes } = set.network;
  const networkOptions = own ? set.network : { ...networkSpec(options.network!), inputShape, classes };
  const network = createNetwork(networkOptions);
  const steps = stepsUnder(set, protocol);
  const held = heldOutFor(set, options.pretrained, !own);
  if (held) testedWith(held, networks);
  const parametersKnown =
    own && steps?.init === 'fixed' ? knownParameters(set, protocol, networks) : held?.parts.test;
  const geometry = { ...geometryUnder(protocol, set, network, set.classes.length), seed };
  const rates = ratesUnder(protocol, set, protocol.learningRate);
  const labels = labelsUnder(protocol, set);
  const first = new FirstNetworks(device, {
    ...{ network, seed, initialisation: protocol.initialisation, known: parametersKnown },
  });

  const owned = new Owned();
  try {
    const members = membersThatFit(
      device,
      [10, 5, 2, 1].filter((count) => networks % count === 0),
      (count) => populationPrograms({ ...geometry, members: count }),
    );
    const population = owned.own(await Population.create(device, { ...geometry, members }));
    const { trained, batches } = population;
    const scoring =
      dataset && owned.own(await Scoring.create(device, dataset, dataset.test, network, trained, batches));
    const parameters = new Float32Array(networks * network.count);
    const statistics = new Float32Array(networks * network.statisticsCount);
    const answers: Confusion[] = [];
    for (let start = 0; start < networks; start += members) {
      const numbers = Array.from({ length: members }, (_, i) => start + i);
      const images = imagesOf ? joined(Float32Array, await Promise.all(numbers.map(imagesOf))) : set.images;
      const training = { images, labels, learningRates: rates, firstMember: start };
      await population.train(training, await first.parameters(numbers), signal);
      parameters.set(await trained.read(), start * network.count);
      const ofBatches = await batchStatistics(device, network, trained, batches);
      if (ofBatches) statistics.set(ofBatches, start * network.statisticsCount);
      if (scoring) answers.push(...(await scoring.run(signal)));
      onProgress?.({ network: start + members, networks });
    }
    checkFinite(parameters, 'the distilled set', geometry.minibatches?.epochs ?? geometry.epochs, rates[0]);
    const scores = dataset && scoresOf(answers);
    const { mean, std, classNames } = notes;
    // Only the architecture that the set was made for has networks that are known.
    const use = own || !steps ? set.use : ({ ...steps, init: 'random' } as const);
    return {
      model: {
        network: networkOptions,
        parameters,
        ...(network.statisticsCount && { statistics }),
        loss: (geometry.minibatches ?? geometry.training)?.loss ?? 'cross-entropy',
        classNames,
        normalisation: { ...(dataset ? normalisationOf(dataset) : { mean, std }), ...knownScale(notes) },
        notes: {
          dataset: notes.dataset,
          trainedOn: `${counted(set.classes.length, saidOf(notes, 'distilled image'))} (${set.method})`,
          protocol: protocolName(
            { ...set, network: networkOptions, use },
            protocol,
            isWhitened(artefact),
            notes.text,
          ),
          testAccuracy: scores?.accuracy,
        },
      },
      accuracy: scores?.accuracy,
      perClass: scores?.perClass,
    };
  } finally {
    owned.dispose();
  }
}
