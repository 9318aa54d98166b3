import { join } from 'node:path';
import type { Precision } from '../engine/precision.js';
import type { DistillOptions } from '../methods/index.js';
import { networkSpec } from '../networks/index.js';
import { distillToFolder, RunFolder, resumeFolder } from '../report/run-folder.js';
import { findMethod, resolveFor, tableOf } from '../runs/options.js';
import { planFor } from '../runs/setting.js';
import { LimbeckError } from '../util/errors.js';
import type { Values } from './arguments.js';
import type { Command } from './command.js';
import { readConfig, withoutData } from './config.js';
import * as shared from './options.js';
import { pictures } from './pictures/protocol.js';
import { checkPictures, type PictureChoice } from './pictures/show.js';
import { carryOut } from './run.js';
import { carryOutSeeds } from './seeds.js';
import {
  checkEngine,
  dataSource,
  openData,
  openEngine,
  placeOf,
  readingGiven,
  refuseAmongData,
  sourceForNetworks,
} from './sources.js';

/** Options that may also stand in a configuration file. */
const configurable = [...shared.runOptions, shared.out];

const force: shared.Option = {
  group: 'Output',
  name: 'force',
  kind: 'switch',
  help: 'replace a run that lies in the folder',
};

const seeds: shared.Option = {
  group: 'Output',
  name: 'seeds',
  kind: 'whole',
  least: 2,
  value: 'N',
  help: 'runs from so many seeds, --seed and those after it, each in a folder of its own below --out, and their spread; the same command goes on where it was stopped',
};

const json: shared.Option = {
  ...shared.json,
  help: `${shared.json.help}; with --seeds one for each run and one for all of them`,
};

export const command: Command = {
  name: 'distill',
  summary:
    'distils a data set; config.json holds the same options in camelCase, or is the run.json of a run to repeat; the command line wins',
  positionals: ['[config.json]'],
  options: [...configurable, seeds, force, pictures, json, shared.debug, shared.help],
  example: 'limbeck distill --dataset digits --iterations 2000 --out runs/first',

  async run({ values, positionals }) {
    const [path] = positionals;
    const file =
      path === undefined
        ? {}
        : await readConfig(path, configurable, (text) => process.stderr.write(`Warning: ${text}.\n`));
    const own = values.dataset === undefined ? file : withoutData(path, file, values.dataset as string);
    const given = { ...own, ...values };
    const {
      digitsSize,
      threads,
      precision,
      device: choice = 'auto',
    } = given as {
      digitsSize?: number;
      threads?: number;
      precision?: Precision;
      device?: string;
    };
    checkPictures(values.pictures);
    checkEngine(choice, { threads, precision });
    const options = checkedOptions(given, (name) =>
      name in values ? shared.flagOf(name) : `${path}: ${name}`,
    );
    const asked = dataSource({
      dataset: given.dataset as string | undefined,
      digitsSize,
      reading: readingGiven(given),
    });
    const { out } = given as { out?: string };
    const force = Boolean(values.force);
    const several = values.seeds as number | undefined;
    if (out !== undefined && !force && several === undefined) new RunFolder(out).refuseToOverwrite();

    // Everything that can be wrong is found before the folder is made.
    const source = await sourceForNetworks(asked, options.init);
    refuseAmongData(out ?? 'runs', source);
    const data = await openData(source, Boolean(values.json));
    const { options: resolved } = resolveFor('', options, data);
    planFor(resolved, data);
    const { device, reason } = await openEngine(choice, { threads, precision });
    try {
      const folder =
        out ?? join('runs', `${data.name}-${networkSpec(resolved.network).name}-${timeStamp(new Date())}`);
      const origin = {
        ...source,
        dataset: placeOf(source),
        device: choice,
        threads,
        precision,
      };
      const one = {
        ...{ engine: device.engine, json: Boolean(values.json) },
        ...{ data, pictures: values.pictures as PictureChoice | undefined },
      };
      const begin = (folder: string, options: DistillOptions) =>
        carryOut({ ...one, folder }, (control) =>
          distillToFolder(device, data, folder, options, { ...control, force, origin, reason }),
        );
      if (several === undefined) return await begin(folder, options);
      return await carryOutSeeds({
        ...{ folder, seeds: several, data, options: resolved, force, json: one.json },
        begin: (folder, seed) => begin(folder, { ...options, seed }),
        goOn: (folder) =>
          carryOut({ ...one, folder }, (control) =>
            resumeFolder(device, data, folder, { ...control, reason }),
          ),
      });
    } finally {
      await device.dispose();
    }
  },
};

/** The library's check, with each option called what it was called where it was given. */
export function checkedOptions(given: Values, nameOf: (name: string) => string): DistillOptions {
  const options: Record<string, unknown> = {};
  const method = findMethod(given.method ?? undefined);
  const table = tableOf(method);
  for (const { name } of shared.distillOptions) {
    if (!(name in given) || name in options) continue;
    const value = given[name];
    if (name !== 'method' && !Object.hasOwn(table, name))
      throw new LimbeckError(
        'ERR_OPTION',
        `${nameOf(name)} is no option of method ${method.name}, which has: ${Object.keys(method.options).map(shared.flagOf).join(', ')}`,
      );
    options[name] = name === 'schedule' && typeof value === 'string' ? { kind: value } : value;
    const expected = name === 'method' ? undefined : table[name].expected(options[name]);
    if (expected)
      throw new LimbeckError(
        'ERR_OPTION',
        `${nameOf(name)} is ${JSON.stringify(value)}, expected ${expected}`,
      );
  }
  return options as DistillOptions;
}

/** `20250131-174502`, local time. */
function timeStamp(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
  return `${day}-${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}
