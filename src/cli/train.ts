import type { Precision } from '../engine/precision.js';
import { testError } from '../eval/statistics.js';
import { isGuessing } from '../eval/verdict.js';
import { makeFolder, saveModel } from '../runs/network-folder.js';
import { accuracyText, testErrorText } from '../runs/record.js';
import { printable } from '../util/words.js';
import { protocolOptions } from './artefact.js';
import type { Command } from './command.js';
import { listenForStop } from './interrupt.js';
import * as shared from './options.js';
import { initOption } from './pretrained.js';
import { Terminal } from './progress.js';
import { checkEngine, dataSource, openEngine, refuseAmongData } from './sources.js';
import { onAllImages, onDistilled, type Trained } from './train-on-what.js';
import { text, trainingOptions, whole } from './training-options.js';

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
    whole('networks', 1, 'networks to train; distill --init pretrained:DIR takes those of a folder', '1'),
    ...trainingOptions({
      ...{
        epochs: '3; more where these are less than 200 steps',
        batch: '128',
        optimizer: 'momentum',
        lr: '0.05, 0.001 for adam and adamw',
      },
      ...{ weightDecay: '0.0005', schedule: 'cosine' },
    }),
    ...[...protocolOptions, initOption].map((option) => ({ ...option, group: 'With --on' })),
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
    const { dataset } = values as { dataset?: string };
    if (out !== undefined) refuseAmongData(out, dataSource({ dataset }));
    const train = values.on === undefined ? await onAllImages(values) : await onDistilled(values);
    const { device, reason } = await openEngine(choice, { threads, precision });
    const terminal = new Terminal(json);
    using stop = listenForStop(() => terminal.say('Stopping.'));
    let discard: (() => Promise<void>) | undefined;
    try {
      if (out !== undefined) discard = await makeFolder(out);
      terminal.say(`Engine: ${device.description}${reason ? `: ${reason}` : ''}`);
      const trained = await train(device, terminal, stop.signal);
      const { model, accuracy, validation, perClass, testImages, sameData } = trained;
      terminal.clear();
      const file = out === undefined ? undefined : await saveModel(out, model);
      discard = undefined; // what is written stays, whatever comes
      const { protocol } = model.notes;
      if (json) {
        const line = {
          ...{ protocol, testAccuracy: accuracy },
          testError: accuracy && testError(accuracy.mean, testImages!),
          ...{ validationAccuracy: validation, perClass, sameData, engine: device.engine, file },
        };
        process.stdout.write(`${JSON.stringify(line)}\n`);
      } else {
        process.stdout.write(printable(`${protocol}\n`));
        if (accuracy) sayAccuracy(terminal, { ...trained, accuracy });
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

function sayAccuracy(terminal: Terminal, trained: Trained & Pick<Required<Trained>, 'accuracy'>): void {
  const { accuracy, validation, testImages: images = 0, model } = trained;
  const { classes } = model.network;
  const chosen = validation ? `; validation ${accuracyText(validation)}` : '';
  const error = testErrorText(accuracy, images);
  process.stdout.write(`  test accuracy ${accuracyText(accuracy)} (${error} by the test split${chosen})\n`);
  if (isGuessing({ accuracy, images, classes }))
    terminal.say(
      `That cannot be told from guessing (${(100 / classes).toFixed(1)} %): another --lr or more --epochs may help.`,
    );
}
