import { wholeFrom } from '../analysis/sets.js';
import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import { type LabelledRows, randomRows } from '../data/selection/random-rows.js';
import { storedNumbers } from '../data/stored-numbers.js';
import type { Device } from '../engine/device.js';
import type { Artefact } from '../eval/artefact.js';
import { perClassOf } from '../eval/baselines/index.js';
import { findProtocol } from '../eval/find-protocol.js';
import { heldOutNetworks } from '../eval/first-networks.js';
import { protocolOf } from '../eval/protocol-name.js';
import type { Accuracy } from '../eval/statistics.js';
import type { DistillOptions } from '../methods/index.js';
import { createNetwork } from '../networks/index.js';
import { distill } from '../runs/distill.js';
import { trainOn } from '../runs/train-on.js';
import { asDistilled } from '../runs/train-on-checks.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { Stream } from '../util/random.js';
import { federatedAveraging } from './averaging.js';
import { amongAll, type Client, clientsOf, joinedRows, ofTheseClasses } from './clients.js';
import { expectFresh, type UseOptions, useNames } from './subjects.js';

/** Among whom the training images are divided; each option has a default. */
export interface FederatedOptions extends Omit<UseOptions, 'pretrained'> {
  /** Default 5. */
  readonly clients?: number;
  /** Pieces of the training images, sorted by class, that each client has, and so about as many classes; default 2. 0: images of all classes. */
  readonly classesEach?: number;
  /** Rounds of federated averaging; default 5. */
  readonly rounds?: number;
}

/** What a server learns from clients that keep their images. */
export interface Federated {
  /** Training images of each class that each client has, `[clients][K]`. */
  readonly counts: readonly (readonly number[])[];
  /** What was sent, and what came of it. */
  readonly ways: readonly FederatedWay[];
}

/** One way to learn from all clients. */
export interface FederatedWay {
  /** In words. */
  readonly name: string;
  /** Bytes that all clients together send and are sent. */
  readonly bytes: number;
  /** Of the server's networks, test accuracy in percent. */
  readonly accuracy: Accuracy;
}

const FLOAT = 4;

/**
 * Federated learning in one round by distilled images (one-shot: Zhou et al. 2020; FedDM: Xiong et al. 2023). Every client distils its own
 * training images, by the options that made the set. The server trains on what all of them send. Beside it stand random images of the
 * clients, and federated averaging (McMahan et al. 2017) round by round, each with the bytes that are sent. A client leaves out classes of
 * which it has fewer images than it would send.
 *
 * What it does not show: that nothing of a client's images is given away, for distilled ones may resemble them. Clients choose their
 * results on validation images that they share.
 *
 * @throws ERR_OPTION for options that are unknown or out of range, and for clients with fewer than two classes; for sets that are used by
 * learned steps, that experts or a teacher had a part in, or that are for networks trained before; what `distill` and `trainOn` throw
 */
export async function federated(
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  options: FederatedOptions = {},
): Promise<Federated> {
  expectDevice('federated', device);
  expectDataset('federated', dataset);
  const { pretrained: _, ...names } = useNames;
  expectOptions('federated', options, { ...names, clients: true, classesEach: true, rounds: true });
  const { clients: C = 5, classesEach = 2, rounds = 5, networks = 5, seed = 0, signal } = options;
  wholeFrom('federated', 'clients', C, 2);
  wholeFrom('federated', 'classesEach', classesEach, 0);
  wholeFrom('federated', 'rounds', rounds, 1);
  wholeFrom('federated', 'networks', networks, 1);
  const { set, notes } = artefact;
  const protocol = options.protocol ?? protocolOf(set).name;
  checkMadeOf(artefact, protocol);
  const data = asDistilled(dataset, artefact);
  const perClass = perClassOf(set.stored.pictures, data.classes);
  const clients = clientsOf(data, C, classesEach || undefined, new Stream(seed, streams.clients));
  const classes = clients.map((client, i) => classesToSend(client, perClass, i, data));

  const say = (training: string) => options.onProgress?.({ training });
  const sent: { readonly rows: LabelledRows; readonly bytes: number }[] = [];
  const random: LabelledRows[] = [];
  for (const [i, client] of clients.entries()) {
    say(`client ${i + 1} of ${C}: distilling ${classes[i].length} classes`);
    const own = ofTheseClasses(client.data, classes[i]);
    const made = notes.options as DistillOptions;
    const { set: distilled, stopped } = await distill(device, own, { ...made, seed: seed + i }, { signal });
    if (stopped) signal?.throwIfAborted();
    const { bytes } = storedNumbers(distilled);
    sent.push({ rows: amongAll(distilled, classes[i], data.classes), bytes });
    random.push(amongAll(await randomRows(own, perClass, seed + i), classes[i], data.classes));
  }

  const ways: FederatedWay[] = [];
  const learned = async (name: string, rows: LabelledRows, bytes: number) => {
    say(name);
    const plain = {
      ...{ ...set, ...rows, use: { kind: 'minibatches', protocol } as const, teacher: undefined },
      stored: { parametrisation: { name: 'pixels' } as const, pictures: rows.classes.length, variables: {} },
    };
    const { accuracy } = await trainOn(
      device,
      { notes, set: plain },
      { dataset: data, protocol, networks, seed, signal },
    );
    ways.push({ name, bytes, accuracy: accuracy! });
  };
  const bytes = sent.reduce((sum, one) => sum + one.bytes, 0);
  await learned('distilled images of all clients', joinedRows(sent.map(({ rows }) => rows)), bytes);
  const largest = sent.reduce((a, b) => (b.rows.images.length > a.rows.images.length ? b : a));
  await learned('those of one client alone', largest.rows, largest.bytes);
  const randomImages = joinedRows(random);
  await learned('random real images of all clients', randomImages, FLOAT * randomImages.images.length);

  say('federated averaging');
  const network = createNetwork(set.network);
  const first = await heldOutNetworks(device, network, networks, seed, 0);
  const parts = clients.map((client) => client.data);
  const averaged = await federatedAveraging(device, data, parts, network, first, { rounds, seed, signal });
  for (const [round, accuracy] of averaged.entries())
    ways.push({
      name: `federated averaging, ${round + 1} of ${rounds} rounds`,
      // Each client is sent the parameters and sends its own.
      bytes: 2 * FLOAT * C * network.count * (round + 1),
      accuracy,
    });
  return { counts: clients.map(({ counts }) => counts), ways };
}

/** ERR_OPTION for sets whose making needs what no client has. */
function checkMadeOf({ set, notes }: Artefact, protocol: string): void {
  expectFresh('federated', set, 'the networks of the server are fresh');
  if (findProtocol(protocol).training === 'learned-steps')
    throw new LimbeckError(
      'ERR_OPTION',
      'federated: the set has learned steps, which do not go on those of other clients; expected one for ordinary training, of dm, say',
    );
  const { experts, teacher } = notes.options;
  if (experts || teacher)
    throw new LimbeckError(
      'ERR_OPTION',
      `federated: the set was made with ${experts ? 'experts' : 'a teacher'} that learned from all training images, which no client has; expected one of another method`,
    );
}

/** Classes of which a client has as many images as it sends. */
function classesToSend(
  { counts }: Client,
  perClass: number,
  number: number,
  { classNames }: Dataset,
): number[] {
  const classes = [...counts.keys()].filter((k) => counts[k] >= perClass && counts[k] > 0);
  if (classes.length >= 2) return classes;
  throw new LimbeckError(
    'ERR_OPTION',
    `federated: client ${number + 1} has ${perClass} images or more of ${classes.map((k) => classNames[k]).join('') || 'no class'} alone, expected two classes: take fewer clients, or more classes each (classesEach)`,
  );
}
