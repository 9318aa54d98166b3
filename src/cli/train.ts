import { dirname } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import type { Precision } from '../engine/precision.js';
import { findProtocol } from '../eval/find-protocol.js';
import type { Model } from '../eval/model.js';
import { protocolOf } from '../eval/protocol-name.js';
import type { Accuracy } from '../eval/statistics.js';
import { createNetwork } from '../networks/index.js';
import { parseNetworkSpec } from '../networks/spec.js';
import { RunFolder } from '../report/run-folder.js';
import { isSameData } from '../runs/describe-data.js';
import { accuracyText } from '../runs/record.js';
import { resolveTraining, type TrainOptions, trainNetworks } from '../runs/train-networks.js';
import { trainOn } from '../runs/train-on.js';
import { LimbeckError } from '../util/errors.js';
import { printable } from '../util/words.js';
import type { Values } from './arguments.js';
import { checkWhitening, protocolAsked, protocolOptions, readArtefact, sourceFor } from './artefact.js';
import type { Command } from './command.js';
import { listenForStop } from './interrupt.js';
import { makeFolder, saveModel } from './network-folder.js';
import * as shared from './options.js';
import { flagOf } from './options.js';
import { Terminal } from './progress.js';
import { checkEngine, dataSource, openData, openEngine, readingGiven } from './sources.js';
import { text, trainingGiven, trainingOptions, whole } from './training-options.js';

export const command: Command = {
  name: 'train',
  summary: 'a network of a distilled set (--on FILE); or, to compare with, of all training images',
  positionals: [],
  options: [
    text('on', 'FILE', 'distilled set to train on, as it is used', 'all training images'),
    {
      ...shared.dataset,
      fallback: 'digits; with --on none, and no accuracy is measured',
    },
    shared.digitsSize,
    ...shared.readingOptions,
    text('network', 'NAME', 'network to train, with its options: mlp:width=64', "lenet, with --on the set's"),
    whole('networks', 1, 'networks to train', '1'),
    ...trainingOptions({
      ...{ epochs: '3', batch: '128', optimizer: 'momentum', lr: '0.05, 0.001 for adam and adamw' },
      ...{ weightDecay: '0.0005', schedule: 'cosine' },
    }),
    ...protocolOptions.map((option) => ({ ...option, group: 'With --on' })),
    {
      group: 'Output',
      name: 'out',
      kind: 'text',
      value: 'DIR',
      help: 'folder for network.safetensors, which limbeck predict and limbeck export read',
      fallback: 'nothing is written',
    },
    shared.device,
    shared.threads,
    shared.precision,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck train --on runs/first/distilled.safetensors --dataset digits --out net',

  async run({ values }) {
    const {
      device: choice = 'auto',
      out,
      threads,
      precision,
    } = values as { device?: string; out?: string; threads?: number; precision?: Precision };
    const json = Boolean(values.json);
    checkEngine(choice, { threads, precision });
    const train = values.on === undefined ? await onAllImages(values) : await onDistilled(values);
    const { device, reason } = await openEngine(choice, { threads, precision });
    const terminal = new Terminal(json);
    using stop = listenForStop(() => terminal.say('Stopping.'));
    let discard: (() => Promise<void>) | undefined;
    try {
      if (out !== undefined) discard = await makeFolder(out);
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      const {
        model,
        accuracy: testAccuracy,
        validation,
        perClass,
        sameData,
      } = await train(device, terminal, stop.signal);
      terminal.clear();
      const file = out === undefined ? undefined : await saveModel(out, model);
      discard = undefined; // what is written stays, whatever comes
      const { protocol } = model.notes;
      if (json) {
        const engine = device.engine;
        const line = {
          protocol,
          testAccuracy,
          validationAccuracy: validation,
          perClass,
          sameData,
          engine,
          file,
        };
        process.stdout.write(`${JSON.stringify(line)}\n`);
      } else {
        process.stdout.write(printable(`${protocol}\n`));
        if (testAccuracy) sayAccuracy(terminal, testAccuracy, validation, model.network.classes);
        else if (file === undefined)
          terminal.say('Nothing was measured or written: --dataset measures it, --out DIR writes it.');
        if (file !== undefined) terminal.say(`Wrote ${file}`);
      }
      return 0;
    } catch (error) {
      await discard?.();
      if (stop.signal.aborted) return stop.status;
      throw error;
    } finally {
      terminal.clear();
      await device.dispose();
    }
  },
};

/** What training gives; the accuracies where they were measured. */
interface Trained {
  readonly model: Model;
  readonly accuracy?: Accuracy;
  readonly validation?: Accuracy;
  readonly perClass?: readonly number[];
  /** Whether they were measured on the data that the set was made from, where that is known. */
  readonly sameData?: boolean;
}

type Train = (device: Device, terminal: Terminal, signal: AbortSignal) => Promise<Trained>;

async function onAllImages(values: Values): Promise<Train> {
  for (const { name } of protocolOptions)
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
  const spec = parseNetworkSpec(network ?? 'lenet');
  const source = dataSource({ dataset, digitsSize, reading: readingGiven(values) });
  const data = await openData(source, Boolean(values.json));
  createNetwork({ ...spec, inputShape: data.imageShape, classes: data.classes });
  return (device, terminal, signal) =>
    trainNetworks(device, data, {
      ...given,
      network: spec,
      signal,
      onProgress: ({ network, networks, epoch, epochs, validationAccuracy }) =>
        terminal.passing(
          `Network ${network + 1}/${networks}, epoch ${epoch}/${epochs}, validation ${validationAccuracy.toFixed(1)} %`,
        ),
    });
}

/** Of ordinary training alone: on a distilled set its protocol says them. */
const saidByProtocol = ['optimizer', 'momentum', 'weightDecay', 'schedule', 'loss'];

async function onDistilled(values: Values): Promise<Train> {
  for (const name of saidByProtocol)
    if (values[name] !== undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        `${flagOf(name)} is ${values[name]}, but the protocol says how networks are trained on a distilled set: leave it out, or choose another --protocol`,
      );
  const { on, dataset, digitsSize, network, networks, seed } = values as {
    on: string;
    dataset?: string;
    digitsSize?: number;
    network?: string;
    networks?: number;
    seed?: number;
  };
  const reading = readingGiven(values);
  if (dataset === undefined && (reading || digitsSize !== undefined))
    throw new LimbeckError(
      'ERR_OPTION',
      'there are options that say how a data set is read, but no --dataset to measure the accuracy on: add it, or leave them out',
    );
  const { name: asked, changes } = protocolAsked(values);
  const artefact = await readArtefact(on);
  const protocol = findProtocol(asked ?? protocolOf(artefact.set).name, changes);
  let data: Dataset | undefined;
  if (dataset !== undefined) {
    const source = sourceFor(on, artefact, { dataset, digitsSize, reading });
    checkWhitening(on, artefact, source, protocol);
    data = await openData(source, Boolean(values.json));
  }
  return async (device, terminal, signal) => {
    const beside = new RunFolder(dirname(on));
    const sameData = data && isSameData(data, artefact.notes);
    if (sameData === false)
      terminal.say(
        `Warning: this is not the data that ${on} was made from; the accuracy is of other images, and is not written.`,
      );
    const counts = data && sameData !== false && beside.owns(on);
    const uncounted = counts ? await beside.countTest() : undefined;
    if (uncounted) terminal.say(`Warning: this look at the test split is not counted: ${uncounted}`);
    const trained = await trainOn(device, artefact, {
      ...{ networks, seed, dataset: data, protocol: asked, ...changes, signal },
      network: network === undefined ? undefined : parseNetworkSpec(network),
      onProgress: ({ network, networks }) => terminal.passing(`Network ${network}/${networks}`),
    });
    if (sameData !== false) return { ...trained, sameData };
    const { model } = trained;
    const notes = { ...model.notes, testAccuracy: undefined };
    return { ...trained, sameData, model: { ...model, notes } };
  };
}

function sayAccuracy(
  terminal: Terminal,
  test: Accuracy,
  validation: Accuracy | undefined,
  classes: number,
): void {
  const chosen = validation ? ` (validation ${accuracyText(validation)})` : '';
  process.stdout.write(`  test accuracy ${accuracyText(test)}${chosen}\n`);
  const guessing = 100 / classes;
  if (test.mean < guessing + (100 - guessing) / 10)
    terminal.say(
      `That is little better than guessing (${guessing.toFixed(1)} %): another --lr or more --epochs may help.`,
    );
}
