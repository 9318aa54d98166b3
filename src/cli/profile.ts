import { openNamed } from '../runs/named.js';
import { resolveFor } from '../runs/options.js';
import { profileStep } from '../runs/profile-step.js';
import { LimbeckError } from '../util/errors.js';
import { counted } from '../util/words.js';
import type { Command } from './command.js';
import { checkedOptions } from './distill.js';
import { listenForStop } from './interrupt.js';
import * as shared from './options.js';
import { profileText } from './profile-table.js';
import { Terminal } from './progress.js';
import { planText } from './run.js';
import { checkEngine, dataSource, openData, openEngine, readingGiven, sourceForNetworks } from './sources.js';

/** A step takes as long with any number of images to draw its batch from. */
const fewDigits = 2000;

const device: shared.Option = { ...shared.device, help: 'engine; only cpu times each step', fallback: 'cpu' };
const repeats: shared.Option = {
  name: 'repeats',
  kind: 'whole',
  least: 1,
  value: 'N',
  help: 'runs that are measured, as many again without timing the steps',
  fallback: '20',
};
const digitsSize: shared.Option = { ...shared.digitsSize, fallback: String(fewDigits) };
const all: shared.Option = { name: 'all', kind: 'switch', help: 'every row instead of the longest' };

export const command: Command = {
  name: 'profile',
  summary: 'where the time of an outer step goes; takes the options of distill',
  positionals: [],
  options: [
    repeats,
    all,
    shared.dataset,
    digitsSize,
    ...shared.readingOptions,
    ...shared.distillOptions,
    device,
    shared.threads,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck profile --network convnet --batch 256',

  async run({ values }) {
    const {
      device: choice = 'cpu',
      repeats = 20,
      dataset = 'digits',
      digitsSize = dataset === 'digits' ? fewDigits : undefined,
      threads,
    } = values as {
      device?: string;
      repeats?: number;
      dataset?: string;
      digitsSize?: number;
      threads?: number;
    };
    checkEngine(choice, { threads });
    const options = checkedOptions(values, shared.flagOf);
    const asked = dataSource({ dataset, digitsSize, reading: readingGiven(values) });
    const source = await sourceForNetworks(asked, options.init);
    const { device, reason } = await openEngine(choice, { threads });
    const terminal = new Terminal(Boolean(values.json));
    using stop = listenForStop(() => terminal.say('Stopping.'));
    try {
      if (!device.peak)
        throw new LimbeckError(
          'ERR_DEVICE',
          `the device is ${device.description}${reason ? ` (${reason})` : ''}, and only cpu times each step: leave out --device`,
        );
      const data = await openData(source, Boolean(values.json));
      terminal.say(`Measuring ${counted(repeats, 'run')} with every op timed, and as many without.`);
      const { options: resolved } = resolveFor('', options, data);
      await using named = await openNamed(resolved);
      const { first, weights, experts, pretrained, teacher } = named;
      const control = { repeats, signal: stop.signal, first, weights, experts, pretrained, teacher };
      const measured = await profileStep(device, data, options, control);
      const step = { engine: device.description, plan: planText(resolved, data.classes, data), ...measured };
      terminal.clear();
      process.stdout.write(
        values.json
          ? `${JSON.stringify({ options: resolved, ...step })}\n`
          : profileText(step, Boolean(values.all)),
      );
      return 0;
    } catch (error) {
      if (stop.signal.aborted) return stop.status;
      throw error;
    } finally {
      terminal.clear();
      await device.dispose();
    }
  },
};
