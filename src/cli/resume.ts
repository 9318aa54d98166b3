import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeCheckpoint } from '../eval/checkpoint.js';
import { RunFolder } from '../report/run-folder.js';
import { LimbeckError } from '../util/errors.js';
import type { Command } from './command.js';
import { debug, device as deviceOption, help, json } from './options.js';
import { resultLine } from './result.js';
import { type CheckpointExtra, carryOut } from './run.js';
import { checkEngine, describeData, openData, openEngine } from './sources.js';
import { accuracyTable } from './table.js';

export const command: Command = {
  name: 'resume',
  summary: 'goes on with a stopped or killed run, to the same bits as if it had never stopped',
  positionals: ['DIR'],
  options: [{ ...deviceOption, fallback: 'the engine it was begun on' }, json, debug, help],
  example: 'limbeck resume runs/first',

  async run({ values, positionals }) {
    const [path] = positionals;
    if (path === undefined)
      throw new LimbeckError('ERR_OPTION', 'resume needs the folder of a run: limbeck resume DIR');
    const folder = new RunFolder(path);
    const record = await folder.readRecord();
    if (record && !record.stopped && record.testAccuracy) {
      if (values.json) process.stdout.write(resultLine(record, path));
      else {
        const images =
          record.config.options.ipc * record.config.options.steps * record.dataset.classNames.length;
        const evaluation = { accuracy: record.testAccuracy, baselines: record.baselines };
        process.stderr.write(
          `This run is finished.\n${record.protocol}\n${accuracyTable(images, evaluation)}\n`,
        );
      }
      return 0;
    }

    const { checkpoint, extra } = await readCheckpoint(folder);
    const { config, engine } = extra;
    const { device: choice = engine.name } = values as { device?: string };
    checkEngine(choice);
    const data = await openData(config);
    const dataRecord = describeData(data);
    if (dataRecord.sha256 !== extra.sha256)
      throw new LimbeckError(
        'ERR_DATA',
        `the data in ${config.dataset} is not what this run was begun with (checksum ${dataRecord.sha256.slice(0, 12)}…, ` +
          `expected ${extra.sha256.slice(0, 12)}…): restore it, or begin a new run`,
      );
    const { device, reason = engine.reason } = await openEngine(
      choice,
      choice === 'cpu' ? config.threads : undefined,
    );
    try {
      if (device.engine !== engine.name && !values.json)
        process.stderr.write(
          `The run was begun on ${engine.description}; on ${device.description} it ends with other bits.\n`,
        );
      await folder.create();
      return await carryOut({
        config,
        folder,
        data,
        dataRecord,
        device,
        reason: device.engine === engine.name ? reason : undefined,
        resume: checkpoint,
        json: Boolean(values.json),
      });
    } finally {
      await device.dispose();
    }
  },
};

async function readCheckpoint({ folder, paths }: RunFolder) {
  if (!existsSync(paths.checkpoint)) {
    const what = existsSync(folder) ? `${folder} holds no checkpoint` : `the folder ${folder} does not exist`;
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${what}, expected ${join(folder, 'checkpoint.safetensors')}: name the --out folder of a run`,
    );
  }
  const bytes = await readFile(paths.checkpoint);
  try {
    const { checkpoint, extra } = decodeCheckpoint(bytes);
    if (extra?.config && extra.engine && extra.sha256)
      return { checkpoint, extra: extra as unknown as CheckpointExtra };
    throw new LimbeckError('ERR_FILE_FORMAT', 'it does not say where its data came from.');
  } catch (error) {
    if (!(error instanceof LimbeckError)) throw error;
    throw new LimbeckError(
      error.code,
      `${paths.checkpoint} cannot be resumed from: ${error.message} If there is no copy, begin again with --force.`,
      { cause: error },
    );
  }
}
