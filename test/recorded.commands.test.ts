/** What commands print and leave behind, as it was recorded: see docs/testing.md. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandHelp, generalHelp } from '../src/cli/help.js';
import type { Dataset } from '../src/index.js';
import { methods } from '../src/methods/index.js';
import { resolveFor } from '../src/runs/options.js';
import { commandNamed, printedBy } from './harness/command-here.js';
import { npy } from './harness/data-files.js';
import { imageShape, shapes } from './harness/made-shapes.js';
import { readPage } from './harness/page.js';
import { expectRecorded, masked, pageText, recordText } from './harness/recorded.js';

const back = process.cwd();
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'limbeck-recorded-')));
const mask = (text: string) => masked(text, { FOLDER: folder });
/** What commands print one after another, masked. */
async function printed(...lines: readonly string[]): Promise<string> {
  let out = '';
  for (const line of lines) {
    const [name, ...args] = line.split(' ');
    out += `${await printedBy(name, ...args)}\n`;
  }
  return mask(out);
}
const page = (path: string) => pageText(readPage(readFileSync(path, 'utf8')), mask);

beforeAll(() => {
  process.chdir(folder);
  mkdirSync('data');
  const data = shapes();
  for (const [name, split] of [
    ['train', data.train],
    ['val', data.validation],
    ['test', data.test],
  ] as const) {
    const bytes = Uint8Array.from(split.images as Float32Array, (value) => Math.round(255 * value));
    writeFileSync(`data/x_${name}.npy`, npy([split.count, ...imageShape], bytes));
    writeFileSync(`data/y_${name}.npy`, npy([split.count], Uint8Array.from(split.labels)));
  }
});
afterAll(() => {
  process.chdir(back);
  rmSync(folder, { recursive: true });
});

const commands = [
  ...['distill', 'plan', 'resume', 'evaluate', 'compare', 'analyse', 'use', 'train', 'predict', 'export'],
  ...['experts', 'data', 'download', 'devices', 'profile'],
];
test('the help of every command', async () => {
  const helpOf = async (name: string) => commandHelp(await commandNamed(name), 80, undefined).split('\n');
  const shared = await helpOf('distill');
  let text = '';
  for (const name of commands) {
    const lines = await helpOf(name);
    // What stands in the help of distill is not said once more.
    const own = name === 'distill' ? lines : lines.filter((line) => line && !shared.includes(line));
    text += `${own.join('\n')}\n\n`;
  }
  await expectRecorded(
    'commands/help.txt',
    mask(text + generalHelp(await Promise.all(commands.map(commandNamed)), 80)),
  );
});

/** As much of a data set as its settings ask for. */
const published = (name: string, classes: number, shape: readonly number[], count: number) =>
  ({
    name,
    classes,
    imageShape: shape,
    train: { count, labels: Array.from({ length: count }, (_, i) => i % classes) },
  }) as unknown as Dataset;
const known = [
  published('something', 7, [3, 20, 30], 5000),
  published('digits', 10, [1, 28, 28], 10_000),
  published('mnist', 10, [1, 28, 28], 60_000),
  published('cifar10', 10, [3, 32, 32], 50_000),
  published('cifar100', 100, [3, 32, 32], 50_000),
  published('svhn', 10, [3, 32, 32], 73_257),
];
test.each(Object.keys(methods))(
  'the options of %s as data and images per class make them',
  async (method) => {
    const named = { teacher: 'T', experts: 'E' };
    const given = Object.fromEntries(
      Object.entries(named).filter(([name]) => name in methods[method].options),
    );
    const optionsFor = (data: Dataset | undefined, ipc?: number): object => {
      const { options } = resolveFor('test', { ...given, ...(ipc && { ipc }), method } as never, data);
      return options;
    };
    const lines = (options: object) => recordText(options).split('\n');
    const plain = optionsFor(undefined);
    let text = recordText(plain);
    for (const data of known)
      for (const ipc of [undefined, 1, 10, 50]) {
        const differing = lines(optionsFor(data, ipc)).filter((line) => !lines(plain).includes(line));
        text += `${data.name}, ${ipc ?? 'no'} images per class: ${differing.join('; ') || 'the same'}\n`;
      }
    await expectRecorded(`options/${method}.txt`, text);
  },
);

const on = '--dataset data --layout nchw --device reference';
const small = `${on} --network mlp:width=5 --networks 2 --validation-networks 2`;

describe('commands one after another', () => {
  test('data', async () => {
    await expectRecorded('commands/data.txt', await printed('data data --layout nchw', 'data nowhere'));
  });

  test('distill and evaluate', async () => {
    const steps =
      '--steps 2 --epochs 2 --init random --labels soft --batch 9 --iterations 12 --lr 0.1 --validate-every 4';
    const text = await printed(
      `distill ${small} --method unrolled ${steps} --seed 3 --out a`,
      'evaluate a/distilled.safetensors --device reference --networks 2 --protocol full-batch --epochs 20 --baselines all',
      'evaluate a --device reference --networks 3 --labels hard --protocol rat-digits --networks-of mlp:width=3 --no-baselines',
      `distill ${small} --method kip --batch 7 --iterations 3 --validate-every 1 --ipc 2 --labels soft --out k`,
      'resume k --iterations 5',
    );
    await expectRecorded('commands/distill.txt', text);
    await expectRecorded('pages/unrolled.txt', page('a/report.html'));
    await expectRecorded('pages/kip.txt', page('k/report.html'));
    const record = (path: string) =>
      mask(recordText(JSON.parse(readFileSync(path, 'utf8')), ['timings', 'platform', 'versions', 'sha256']));
    await expectRecorded('commands/run.unrolled.txt', record('a/run.json'));
    await expectRecorded('commands/run.kip.txt', record('k/run.json'));
  });

  test('train, predict and export', async () => {
    const text = await printed(
      `train --on a/distilled.safetensors ${on} --networks 2 --out net`,
      `train ${on} --network mlp:width=4 --networks 5 --epochs 4 --batch 10 --seed 2 --out full`,
      'predict net data/x_test.npy --device reference',
      'export net',
      `experts ${on} --network mlp:width=4 --count 2 --epochs 2 --batch 10 --flat 0.01 --out experts`,
    );
    await expectRecorded('commands/train.txt', text);
  });

  test('uses', async () => {
    const few = '--device reference --networks 2 --seed 4 --protocol rat-digits';
    const text = await printed(
      `use robustness,fairness,privacy a ${few} --images 23 --epsilon 0.03,0.2 --steps 2`,
      `use continual a ${few} --stages 2`,
      `use federated a ${few} --clients 3 --rounds 2 --classes-each 2`,
      `use search a ${few} --architectures mlp:width=2,mlp:width=6,mlp:width=4:layers=2`,
    );
    await expectRecorded('commands/use.txt', text);
  });

  test('plans', async () => {
    const untimed = `${on} --network convnet:width=4:depth=1 --untimed --memory 4 --batch 9`;
    const text = await printed(
      `plan ${untimed} --method unrolled --steps 3 --labels soft --init random --population 3`,
      `plan ${untimed} --method dm --ipc 3`,
      `plan ${untimed} --method rat --window 3 --total 7 --ipc 2`,
      `plan ${untimed} --method dc --ipc 2 --parametrisation factor`,
    );
    await expectRecorded('commands/plan.txt', text);
  });

  test('refusals', async () => {
    const text = await printed(
      `distill --iterations 0 ${on}`,
      `distill --method dm --epochs 3 ${on}`,
      `distill --network mlp:widht=3 ${on}`,
      'distill --dataset nowhere',
      `distill --method mtt ${on}`,
      `distill --method sre2l ${on}`,
      'evaluate',
      'evaluate nothing.safetensors',
      'evaluate a --protocol kip-regression --epochs 3',
      'evaluate a --baselines love',
      `compare ${on}`,
      `compare --methods dm,dm ${on}`,
      'analyse love a',
      'use privacy,love a',
      'use privacy a --steps 3',
      `train --optimizer love ${on}`,
      'resume nowhere',
      'predict net',
      'export nowhere',
      'download nothing',
      `plan ${on} --memory 0`,
      `experts ${on} --count 0`,
    );
    await expectRecorded('commands/refusals.txt', text);
  });
});

test('records hold no path of this machine', () => {
  expect(mask(`${folder}/a`)).toBe('FOLDER/a');
});
