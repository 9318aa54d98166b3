import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeCheckpoint } from '../eval/checkpoint.js';
import type { Checkpoint } from '../eval/distill.js';
import { RunFolder } from '../report/run-folder.js';
import { LimbeckError } from '../util/errors.js';
import { type CheckpointExtra, readExtra } from './checkpoint-extra.js';
import type { Command } from './command.js';
import { debug, device as deviceOption, help, json } from './options.js';
import { engineRecord } from './processor.js';
import { resultLine } from './result.js';
import { carryOut } from './run.js';
import { checkEngine, describeData, openData, openEngine } from './sources.js';
import { accuracyTable } from './table.js';

export const command: Command = {
  name: 'resume',
  summary:
    'goes on with a stopped or killed run; on the same engine and processor, to the same bits as if it had never stopped',
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

    checkHoldsCheckpoint(folder);
    await folder.open();
    try {
      // Read when no other process can be writing it.
      const { checkpoint, extra } = await readCheckpoint(folder);
      return await goOn(folder, checkpoint, extra, values as { device?: string; json?: boolean });
    } finally {
      await folder.close();
    }
  },
};

async function goOn(
  folder: RunFolder,
  checkpoint: Checkpoint,
  extra: CheckpointExtra,
  values: { readonly device?: string; readonly json?: boolean },
): Promise<number> {
  const { config, engine: begun } = extra;
  const same = config.device.startsWith(`${begun.name}:`) ? config.device : begun.name;
  const { device: choice = same, json = false } = values;
  checkEngine(choice);
  const data = await openData(config, json);
  const dataRecord = describeData(data);
  if (dataRecord.sha256 !== extra.sha256)
    throw new LimbeckError(
      'ERR_DATA',
      `the data in ${config.dataset} is not what this run was begun with (checksum ${dataRecord.sha256.slice(0, 12)}…, ` +
        `expected ${extra.sha256.slice(0, 12)}…): restore it, or begin a new run`,
    );
  const { device, reason } = await openEngine(choice, config.threads);
  try {
    const engine = engineRecord(device, reason, begun);
    if (engine.earlierProcessors && !json)
      process.stderr.write(
        `Warning: this run was begun on ${engine.earlierProcessors.join(', then ')} and goes on on ` +
          `${engine.processor}; its bits will not be those of an uninterrupted run.\n`,
      );
    return await carryOut({ config, folder, data, dataRecord, device, engine, resume: checkpoint, json });
  } finally {
    await device.dispose();
  }
}

function checkHoldsCheckpoint({ folder, paths }: RunFolder): void {
  if (existsSync(paths.checkpoint)) return;
  const what = existsSync(folder) ? `${folder} holds no checkpoint` : `the folder ${folder} does not exist`;
  throw new LimbeckError(
    'ERR_FILE_MISSING',
    `${what}, expected ${join(folder, 'checkpoint.safetensors')}: name the --out folder of a run`,
  );
}

async function readCheckpoint({ paths }: RunFolder) {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(paths.checkpoint);
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${paths.checkpoint} cannot be read: ${(cause as Error).message}; expected the checkpoint of a run`,
      { cause },
    );
  }
  try {
    const { checkpoint, extra } = decodeCheckpoint(bytes);
    return { checkpoint, extra: readExtra(extra, checkpoint.options) };
  } catch (error) {
    if (!(error instanceof LimbeckError)) throw error;
    throw new LimbeckError(
      error.code,
      `${paths.checkpoint} cannot be resumed from: ${error.message}${/[.?]$/.test(error.message) ? '' : '.'} ` +
        'If there is no copy, begin again with --force.',
      { cause: error },
    );
  }
}
