/** The checkpoint of a run and the one before it: which is used, and what is said of it. */
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../src/engine/device.js';
import { type BegunRun, distillToFolder, generateDigits, openDevice, resumeFolder } from '../src/index.js';
import { decodeCheckpoint, encodeCheckpoint } from '../src/runs/checkpoint.js';
import { CheckpointFiles } from '../src/runs/checkpoint-files.js';
import { runFileNames } from '../src/runs/run-files.js';
import { writeFileAtomic } from '../src/util/atomic-file.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-checkpoints-'));
const at = (...names: string[]) => join(folder, ...names);
const newer = (run: string) => at(run, runFileNames.checkpoint);
const older = (run: string) => at(run, runFileNames.olderCheckpoint);
const artefact = (run: string) => readFileSync(at(run, runFileNames.artefact));
const recordIn = (run: string) => JSON.parse(readFileSync(at(run, runFileNames.record), 'utf8'));
const { limbeck } = commandLine(folder);

const digits = generateDigits({ train: 40, validation: 20, test: 20, size: 16 });
const options = { network: 'mlp:width=4', iterations: 4, batch: 4, validateEvery: 1, innerLr: 0.02 } as const;
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
  await distillToFolder(device, digits, at('whole'), options);
});
afterAll(async () => {
  await device.dispose();
  rmSync(folder, { recursive: true });
});

/** A run that is stopped behind its look at step 3, with two checkpoints. */
async function stopped(name: string): Promise<void> {
  const controller = new AbortController();
  const onProgress = ({ iteration }: { iteration: number }) => {
    if (iteration === 3) controller.abort();
  };
  const { record } = await distillToFolder(device, digits, at(name), options, {
    signal: controller.signal,
    onProgress,
  });
  expect(record.outerSteps).toBe(3);
}

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] ^= 1;
  writeFileSync(path, bytes);
}

describe('a run', () => {
  test('has one checkpoint when it is finished', () => {
    expect(existsSync(newer('whole'))).toBe(true);
    expect(existsSync(older('whole'))).toBe(false);
    expect(recordIn('whole')).not.toHaveProperty('recoveries');
  });

  test('whose newest checkpoint is damaged goes on from the one before, says so, and ends with the same bits', async () => {
    await stopped('damaged');
    damage(newer('damaged'));
    const begun: BegunRun[] = [];
    const { record } = await resumeFolder(device, digits, at('damaged'), {
      onBegin: (run) => void begun.push(run),
    });
    expect(begun[0].damage).toMatch(/checkpoint\.safetensors cannot be resumed from: .*checksum/);
    expect(record.recoveries).toEqual([{ iteration: begun[0].iteration, reason: begun[0].damage }]);
    expect(recordIn('damaged').recoveries).toEqual(record.recoveries);
    expect(artefact('damaged').equals(artefact('whole'))).toBe(true);
    expect(existsSync(older('damaged'))).toBe(false);
  });

  test('that was killed while the newer one took its place goes on from the older one', async () => {
    await stopped('between');
    copyFileSync(newer('between'), older('between'));
    rmSync(newer('between'));
    const { record } = await resumeFolder(device, digits, at('between'));
    expect(record.recoveries).toMatchObject([{ iteration: 3, reason: expect.stringMatching(/ENOENT/) }]);
    expect(artefact('between').equals(artefact('whole'))).toBe(true);
    // A run lies there, so another is not begun over it.
    renameSync(newer('between'), older('between'));
    rmSync(at('between', runFileNames.record));
    await expect(distillToFolder(device, digits, at('between'), options)).rejects.toMatchObject({
      code: 'ERR_OPTION',
    });
  });

  test('whose checkpoints are both damaged is refused with what is wrong with either', async () => {
    await stopped('both');
    damage(newer('both'));
    writeFileSync(older('both'), 'not a checkpoint');
    await expect(resumeFolder(device, digits, at('both'))).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(
        /checkpoint\.safetensors cannot be.* Nor is .*checkpoint\.older\.safetensors cannot be.*--force/,
      ),
    });
  });

  test('is told on the terminal when it goes on from the older one', async () => {
    await buildWhereStale();
    const tiny = [
      '--device',
      'reference',
      '--network',
      'mlp:width=4',
      '--digits-size',
      '100',
      '--batch',
      '4',
    ];
    await limbeck('distill', ...tiny, '--iterations', '1', '--validate-every', '1', '--out', 'told');
    renameSync(newer('told'), older('told'));
    writeFileSync(newer('told'), 'not a checkpoint');
    const { status, stderr } = await limbeck('resume', 'told', '--iterations', '2');
    expect(stderr).toMatch(
      /^Warning: .*checkpoint\.safetensors cannot be resumed from: .*[.?] It goes on from the checkpoint before that\.$/m,
    );
    expect(status).toBe(0);
  });
});

test('a good checkpoint is kept in the place of a damaged one until there is a better', async () => {
  const { checkpoint, extra } = decodeCheckpoint(readFileSync(newer('whole')));
  const files = new CheckpointFiles({ checkpoint: at('newer'), olderCheckpoint: at('older') });
  const write = (iteration: number) => files.write(encodeCheckpoint({ ...checkpoint, iteration }, extra));
  const stepsOf = (name: string) => decodeCheckpoint(readFileSync(at(name))).checkpoint.iteration;
  for (const iteration of [1, 2, 3]) await write(iteration);
  expect([stepsOf('newer'), stepsOf('older')]).toEqual([3, 2]);
  damage(at('newer'));
  expect((await files.read()).checkpoint.iteration).toBe(2);
  await write(4);
  expect([stepsOf('newer'), stepsOf('older')]).toEqual([4, 2]);
  await write(5);
  expect([stepsOf('newer'), stepsOf('older')]).toEqual([5, 4]);
});

test('a file whose older content is kept: either name has a whole one', async () => {
  const [path, keep] = [at('file'), at('kept')];
  for (const text of ['first', 'second', 'third']) await writeFileAtomic(path, text, { keep });
  expect([path, keep].map((name) => readFileSync(name, 'utf8'))).toEqual(['third', 'second']);
});
