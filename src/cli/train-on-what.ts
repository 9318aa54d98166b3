import type { Dataset } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import { findProtocol } from '../eval/find-protocol.js';
import type { Model } from '../eval/model.js';
import { checkLength, checkNoTeacher } from '../eval/protocol.js';
import { protocolOf } from '../eval/protocol-name.js';
import type { Accuracy } from '../eval/statistics.js';
import { parseNetworkSpec } from '../networks/spec.js';
import { isSameData } from '../runs/describe-data.js';
import { textNetwork } from '../runs/fit.js';
import { networkFor } from '../runs/setting.js';
import { resolveTraining, type TrainOptions, trainNetworks } from '../runs/train-networks.js';
import { trainOn } from '../runs/train-on.js';
import { LimbeckError } from '../util/errors.js';
import type { Values } from './arguments.js';
import {
  checkWhitening,
  protocolAsked,
  protocolOptions,
  readArtefact,
  setFile,
  sourceFor,
} from './artefact.js';
import { openTestSplit } from './open-test-split.js';
import { flagOf } from './options.js';
import { pretrainedFor } from './pretrained.js';
import type { Terminal } from './progress.js';
import { dataSource, openData, readingGiven } from './sources.js';
import { trainingGiven } from './training-options.js';

/** What `limbeck train` trains on. Everything that can be known to be wrong is found before an engine is opened. */

/** What training gives; the accuracies where they were measured. */
export interface Trained {
  readonly model: Model;
  readonly accuracy?: Accuracy;
  readonly validation?: Accuracy;
  readonly perClass?: readonly (number | null)[];
  /** Test images that they were measured on. */
  readonly testImages?: number;
  /** Whether they were measured on the data that the set was made from, where that is known. */
  readonly sameData?: boolean;
}

export type Train = (device: Device, terminal: Terminal, signal: AbortSignal) => Promise<Trained>;

/** All training images, to compare with. */
export async function onAllImages(values: Values): Promise<Train> {
  for (const name of [...protocolOptions.map(({ name }) => name), 'init'])
    if (values[name] !== undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        `${flagOf(name)} is ${values[name]}, but there is no --on: it says how networks are trained on a distilled set, leave it out`,
      );
  const { dataset, digitsSize, network, networks } = values as {
    dataset?: string;
    digitsSize?: number;
    network?: string;
    networks?: number;
  };
  const given: TrainOptions = { networks, ...trainingGiven(values, { kind: 'momentum', weightDecay: 5e-4 }) };
  resolveTraining(given);
  const source = dataSource({ dataset, digitsSize, reading: readingGiven(values) });
  if (network !== undefined) parseNetworkSpec(network);
  const data = await openData(source, Boolean(values.json));
  const spec = parseNetworkSpec(network ?? (data.text ? textNetwork(data) : 'lenet'));
  networkFor(spec, data);
  return async (device, terminal, signal) => {
    const trained = await trainNetworks(device, data, {
      ...given,
      network: spec,
      signal,
      onProgress: ({ network, networks, epoch, epochs, validationAccuracy }) =>
        terminal.passing(
          `Network ${network + 1}/${networks}, epoch ${epoch}/${epochs}, validation ${validationAccuracy.toFixed(1)} %`,
        ),
    });
    return { ...trained, testImages: data.test.count };
  };
}

/** Of ordinary training alone: on a distilled set its protocol says them. */
const saidByProtocol = ['optimizer', 'momentum', 'weightDecay', 'schedule', 'loss'];

/** A distilled set, as it is used. */
export async function onDistilled(values: Values): Promise<Train> {
  for (const name of saidByProtocol)
    if (values[name] !== undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        `${flagOf(name)} is ${values[name]}, but the protocol says how networks are trained on a distilled set: leave it out, or choose another --protocol`,
      );
  const {
    on: named,
    dataset,
    digitsSize,
    network,
    networks,
    seed,
  } = values as {
    on: string;
    dataset?: string;
    digitsSize?: number;
    network?: string;
    networks?: number;
    seed?: number;
  };
  const on = setFile(named);
  const reading = readingGiven(values);
  if (dataset === undefined && (reading || digitsSize !== undefined))
    throw new LimbeckError(
      'ERR_OPTION',
      'there are options that say how a data set is read, but no --dataset to measure the accuracy on: add it, or leave them out',
    );
  const { name: asked, changes } = protocolAsked(values);
  const artefact = await readArtefact(on);
  const protocol = findProtocol(asked ?? protocolOf(artefact.set).name, changes);
  checkLength(protocol, artefact.set.classes.length);
  checkNoTeacher(protocol);
  const pretrained = await pretrainedFor(on, artefact, values.init as string | undefined);
  const isSame = (data: Dataset) => isSameData(data, artefact.notes);
  let data: Dataset | undefined;
  if (dataset !== undefined) {
    const source = await sourceFor(on, artefact, { dataset, digitsSize, reading });
    checkWhitening(on, artefact, source, protocol);
    data = await openData(source, Boolean(values.json), isSame);
  }
  const sameData = data && isSame(data);
  return async (device, terminal, signal) => {
    if (data) await openTestSplit(on, sameData, terminal);
    const trained = await trainOn(device, artefact, {
      pretrained,
      ...{ networks, seed, dataset: data, protocol: asked, ...changes, signal },
      network: network === undefined ? undefined : parseNetworkSpec(network),
      onProgress: ({ network, networks }) => terminal.passing(`Network ${network}/${networks}`),
    });
    const measured = { ...trained, sameData, testImages: data?.test.count };
    if (sameData !== false) return measured;
    const { model } = trained;
    return { ...measured, model: { ...model, notes: { ...model.notes, testAccuracy: undefined } } };
  };
}
