import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Precision } from '../engine/precision.js';
import { createNetwork, parseNetworkSpec } from '../networks/index.js';
import { encodeNetworks } from '../runs/networks-file.js';
import { accuracyText } from '../runs/record.js';
import { resolveTraining, type TrainOptions, trainNetworks } from '../runs/train-networks.js';
import { checkWritable, writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import type { Command } from './command.js';
import { listenForStop } from './interrupt.js';
import * as shared from './options.js';
import { Terminal } from './progress.js';
import { checkEngine, dataSource, openData, openEngine, readingGiven } from './sources.js';
import { text, trainingGiven, trainingOptions, whole } from './training-options.js';

export const command: Command = {
  name: 'train',
  summary: 'ordinary training on all training images: what distilled ones are measured against',
  positionals: [],
  options: [
    shared.dataset,
    shared.digitsSize,
    ...shared.readingOptions,
    text('network', 'NAME', 'network to train, with its options: mlp:width=64', 'lenet'),
    whole('networks', 1, 'networks to train', '1'),
    ...trainingOptions({
      ...{ epochs: '3', batch: '128', optimizer: 'momentum', lr: '0.05, 0.001 for adam and adamw' },
      ...{ weightDecay: '0.0005', schedule: 'cosine' },
    }),
    {
      group: 'Output',
      name: 'out',
      kind: 'text',
      value: 'DIR',
      help: 'folder for network.safetensors',
      fallback: 'nothing is written',
    },
    shared.device,
    shared.threads,
    shared.precision,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck train --dataset digits --network lenet --epochs 3',

  async run({ values }) {
    const {
      dataset,
      digitsSize,
      device: choice = 'auto',
      network,
      networks,
      out,
      threads,
      precision,
    } = values as {
      dataset?: string;
      digitsSize?: number;
      device?: string;
      network?: string;
      networks?: number;
      out?: string;
      threads?: number;
      precision?: Precision;
    };
    const given: TrainOptions = {
      networks,
      ...trainingGiven(values, { kind: 'momentum', weightDecay: 5e-4 }),
    };
    const json = Boolean(values.json);
    checkEngine(choice, { threads, precision });
    resolveTraining(given);
    const spec = parseNetworkSpec(network ?? 'lenet');
    const data = await openData(dataSource({ dataset, digitsSize, reading: readingGiven(values) }), json);
    createNetwork({ ...spec, inputShape: data.imageShape, classes: data.classes });
    const { device, reason } = await openEngine(choice, { threads, precision });
    const terminal = new Terminal(json);
    using stop = listenForStop(() => terminal.say('Stopping.'));
    let discard: (() => Promise<void>) | undefined;
    try {
      if (out !== undefined) discard = await makeFolder(out);
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      const result = await trainNetworks(device, data, {
        ...given,
        network: spec,
        signal: stop.signal,
        onProgress: ({ network, networks, epoch, epochs, validationAccuracy }) =>
          terminal.passing(
            `Network ${network + 1}/${networks}, epoch ${epoch}/${epochs}, validation ${validationAccuracy.toFixed(1)} %`,
          ),
      });
      terminal.clear();
      const file = out === undefined ? undefined : await save(out, encodeNetworks(result, data));
      discard = undefined; // what is written stays, whatever comes
      const { protocol, accuracy: testAccuracy, validation: validationAccuracy, perClass } = result;
      if (json) {
        const engine = device.engine;
        const line = { protocol, testAccuracy, validationAccuracy, perClass, engine, file };
        process.stdout.write(`${JSON.stringify(line)}\n`);
      } else {
        process.stdout.write(
          `${protocol}\n  test accuracy ${accuracyText(testAccuracy)} (validation ${accuracyText(validationAccuracy)})\n`,
        );
        const guessing = 100 / data.classes;
        if (testAccuracy.mean < guessing + (100 - guessing) / 10)
          terminal.say(
            `That is little better than guessing (${guessing.toFixed(1)} %): another --lr or more --epochs may help.`,
          );
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

const fileIn = (folder: string) => join(folder, 'network.safetensors');

/** Makes the folder, and finds out before the training whether it can be written to. What is returned takes it back. */
async function makeFolder(folder: string): Promise<() => Promise<void>> {
  let made: string | undefined;
  const discard = async () => {
    if (made !== undefined) await rm(made, { recursive: true, force: true });
  };
  try {
    made = await mkdir(folder, { recursive: true });
    await checkWritable(fileIn(folder));
  } catch (cause) {
    await discard();
    throw new LimbeckError(
      'ERR_FILE_WRITE',
      `the folder ${folder} cannot be made or changed: ${(cause as Error).message}; choose another with --out`,
      { cause },
    );
  }
  return discard;
}

async function save(folder: string, bytes: Uint8Array): Promise<string> {
  await writeFileAtomic(fileIn(folder), bytes);
  return fileIn(folder);
}
