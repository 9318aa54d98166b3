/**
 * Every reader on 100,000 damaged and made-up files: read, or refused with a LimbeckError, in memory of ten times the files' own size and
 * 64 MiB, and never keeping the thread for 200 ms. Memory is the peak that Linux knows of the process; elsewhere it is not looked at.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { type Files, type FuzzedReader, inputOf, tryInput, Watchdog } from '../harness/fuzz.js';
import { fuzzedReaders } from '../harness/fuzz-readers.js';

const given = (name: string) => process.env[`ENDURANCE_${name}`];
const only = given('ONLY')?.split(',') ?? Object.keys(fuzzedReaders);
const [count, from, seed] = [
  ['COUNT', 1e5],
  ['FROM', 0],
  ['SEED', 22],
].map(([name, usual]) => Number(given(name as string) ?? usual));
/** Inputs between two looks at memory and delay; what is found in a batch is tried again alone. */
const BATCH = 20;
const MOST = { times: 10, bytes: 64 * 2 ** 20, milliseconds: 200 };

const linux = process.platform === 'linux';
const kilobytes = (name: string) =>
  1024 * Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
/** Peak beyond what is there before, bytes, and the longest time in which nothing else ran, milliseconds. */
async function measured(work: () => Promise<void>): Promise<{ bytes: number; milliseconds: number }> {
  const before = linux ? kilobytes('VmRSS') : 0;
  // Sets the peak back to what there is now.
  if (linux) writeFileSync('/proc/self/clear_refs', '5');
  const delay = monitorEventLoopDelay({ resolution: 5 });
  await new Promise((resume) => setTimeout(resume, 6));
  delay.enable();
  await work();
  await new Promise((resume) => setTimeout(resume, 6));
  delay.disable();
  return { bytes: linux ? kilobytes('VmHWM') - before : 0, milliseconds: delay.max / 1e6 };
}

const sizeOf = (files: Files) => Object.values(files).reduce((sum, { length }) => sum + length, 0);
const tooMuch = ({ bytes, milliseconds }: { bytes: number; milliseconds: number }, size: number) =>
  bytes > MOST.times * size + MOST.bytes || milliseconds > MOST.milliseconds;

/** An input alone, with the garbage of others gone; other processes of the machine delay it, so the least of three tries counts. */
async function alone(reader: FuzzedReader, folder: string, files: Files) {
  const tries: { bytes: number; milliseconds: number }[] = [];
  for (let i = 0; i < 3; i++) {
    globalThis.gc!();
    tries.push(await measured(async () => void (await tryInput(reader, folder, files))));
    if (!tooMuch(tries[i], sizeOf(files))) break;
  }
  return {
    bytes: Math.min(...tries.map(({ bytes }) => bytes)),
    milliseconds: Math.min(...tries.map(({ milliseconds }) => milliseconds)),
  };
}

test.each(only)('%s', async (name) => {
  const reader = fuzzedReaders[name];
  const seeds = await reader.seeds();
  const folder = mkdtempSync(join(tmpdir(), 'limbeck-endurance-'));
  const dog = new Watchdog(name, 60);
  const tally = { inputs: 0, read: 0, refused: 0, mostMiB: 0, mostMs: 0, seconds: 0 };
  const wrong: string[] = [];
  const start = performance.now();
  for (let begin = from; begin < from + count && wrong.length < 20; begin += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, from + count - begin) }, (_, i) => begin + i);
    const inputs = numbers.map((number) => inputOf(reader, seeds, seed, number));
    const all = await measured(async () => {
      for (const [i, files] of inputs.entries()) {
        dog.beat(numbers[i]);
        try {
          tally[(await tryInput(reader, folder, files)) ? 'refused' : 'read']++;
        } catch (error) {
          wrong.push(`input ${numbers[i]}: ${(error as Error).stack}`);
        }
      }
    });
    tally.inputs += numbers.length;
    if (begin % (50 * BATCH) === 0) globalThis.gc!();
    if (!tooMuch(all, 0)) continue;
    for (const [i, files] of inputs.entries()) {
      dog.beat(numbers[i]);
      const one = await alone(reader, folder, files).catch(() => undefined);
      if (one === undefined) continue;
      tally.mostMiB = Math.max(tally.mostMiB, Math.round(one.bytes / 2 ** 20));
      tally.mostMs = Math.max(tally.mostMs, Math.round(one.milliseconds));
      if (tooMuch(one, sizeOf(files)))
        wrong.push(
          `input ${numbers[i]}: ${sizeOf(files)} bytes take ${Math.round(one.bytes / 2 ** 20)} MiB and keep the thread for ${Math.round(one.milliseconds)} ms`,
        );
    }
  }
  await dog.end();
  rmSync(folder, { recursive: true, force: true });
  tally.seconds = Math.round((performance.now() - start) / 1000);
  process.stdout.write(`${name}, seed ${seed} from ${from}: ${JSON.stringify(tally)}\n`);
  expect(wrong).toEqual([]);
});
