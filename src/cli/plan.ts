import { learningCurve } from '../analysis/learning-curve.js';
import type { Precision } from '../engine/precision.js';
import { openNamed } from '../runs/named.js';
import { resolveFor } from '../runs/options.js';
import { planDistillation } from '../runs/plan/plan.js';
import { secondsOf } from './budget.js';
import type { Command } from './command.js';
import { checkedOptions } from './distill.js';
import { accuracyOptions, checkKindOfPlan, curveTable } from './images-needed.js';
import { listenForStop } from './interrupt.js';
import * as shared from './options.js';
import { planTable } from './plan-table.js';
import { Terminal } from './progress.js';
import { checkEngine, dataSource, openData, openEngine, readingGiven, sourceForNetworks } from './sources.js';

const memory: shared.Option = {
  name: 'memory',
  kind: 'number',
  value: 'GB',
  help: 'memory to hold it against, as of another machine',
  fallback: 'what is available here',
};
const untimed: shared.Option = {
  name: 'untimed',
  kind: 'switch',
  help: 'leave out the seconds that it takes to time some outer steps',
};
const out: shared.Option = { ...shared.out, help: 'folder of the run: whose disk it is held against' };

export const command: Command = {
  name: 'plan',
  summary:
    'memory, disk, work and time of a run before it begins, or how many images are enough; takes the options of distill',
  positionals: [],
  options: [
    memory,
    untimed,
    ...accuracyOptions,
    ...shared.runOptions,
    out,
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck plan --network convnet --ipc 10 --epochs 200',

  /** Status 2 where the run does not fit, as if it had been begun. */
  async run({ values }) {
    const { device: choice = 'auto', ...given } = values as {
      device?: string;
      dataset?: string;
      digitsSize?: number;
      threads?: number;
      precision?: Precision;
      memory?: number;
      untimed?: boolean;
      out?: string;
      accuracy?: number;
      sizes?: number | number[];
      budget?: string;
    };
    checkKindOfPlan(values);
    const { dataset, digitsSize, threads, precision } = given;
    checkEngine(choice, { threads, precision });
    const options = checkedOptions(values, shared.flagOf);
    const json = Boolean(values.json);
    const asked = dataSource({ dataset, digitsSize, reading: readingGiven(values) });
    const data = await openData(await sourceForNetworks(asked, options.init), json);
    const { device } = await openEngine(choice, { threads, precision });
    const terminal = new Terminal(json);
    using stop = listenForStop(() => terminal.say('Stopping.'));
    try {
      const { options: resolved } = resolveFor('', options, data);
      await using named = await openNamed(resolved);
      const { experts, pretrained, teacher } = named;
      if (given.accuracy !== undefined) {
        const curve = await learningCurve(device, data, {
          ...{ accuracy: given.accuracy, distill: options, signal: stop.signal },
          ...{ experts, pretrained, teacher },
          ipc: given.sizes === undefined ? undefined : [given.sizes].flat(),
          seconds: given.budget === undefined ? undefined : secondsOf(given.budget),
          onProgress: ({ stage }) => terminal.passing(stage),
        });
        terminal.clear();
        process.stdout.write(json ? `${JSON.stringify(curve)}\n` : curveTable(curve));
        return 0;
      }
      terminal.passing('Planning');
      const plan = await planDistillation(device, data, options, {
        ...{ experts, pretrained, teacher },
        signal: stop.signal,
        ...{ folder: given.out, timed: !given.untimed },
        memory: given.memory === undefined ? undefined : given.memory * 1e9,
      });
      terminal.clear();
      process.stdout.write(json ? `${JSON.stringify(plan)}\n` : planTable(plan, data));
      return plan.lacks.length ? 2 : 0;
    } catch (error) {
      if (stop.signal.aborted) return stop.status;
      throw error;
    } finally {
      terminal.clear();
      await device.dispose();
    }
  },
};
