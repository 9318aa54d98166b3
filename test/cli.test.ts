/** The command line as its users have it: the built program, in a process of its own. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cpuInfo } from '../src/engine/cpu/device.js';
import { decodeArtefact } from '../src/eval/artefact.js';
import { decodeCheckpoint, encodeCheckpoint } from '../src/runs/checkpoint.js';
import { resolveOptions } from '../src/runs/options.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { root } from './harness/repository.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-cli-'));
const at = (...names: string[]) => join(folder, ...names);
const { start, limbeck } = commandLine(folder);
const device = deviceHere();
const tiny = `--device ${device} --network mlp --digits-size 100 --batch 16`.split(' ');

function deviceHere(): string {
  try {
    cpuInfo();
    return 'cpu';
  } catch {
    return 'reference';
  }
}

beforeAll(buildWhereStale);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const results = [
  'checkpoint.safetensors',
  'distilled.png',
  'distilled.safetensors',
  'film.jsonl',
  'progress.jsonl',
  'report.html',
  'run.json',
];

/** How often a run's test split was opened, by its record. */
const opened = (run: string): number => JSON.parse(readFileSync(at(run, 'run.json'), 'utf8')).testOpened;

describe('distill', () => {
  test('writes everything and answers with one line of JSON', async () => {
    const args = ['--iterations', '6', '--validate-every', '3', '--out', 'run', '--json'];
    const { status, stdout, stderr } = await limbeck('distill', ...tiny, ...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    const line = JSON.parse(stdout);
    expect(line).toMatchObject({ outerSteps: 6, engine: device, out: 'run', stopped: false });
    expect(line.testAccuracy).toMatchObject({ mean: expect.any(Number), std: 0, networks: 1 });
    expect(Object.keys(line.baselines)).toEqual(['randomReal', 'classMeans']);
    expect(line.stepMilliseconds.min).toBeGreaterThan(0);
    expect(readdirSync(at('run')).sort()).toEqual(results);
    const record = JSON.parse(readFileSync(at('run/run.json'), 'utf8'));
    expect(record).toMatchObject({ testOpened: 1, stopped: false, testAccuracy: line.testAccuracy });
    expect(record.dataset.splits).toEqual({ train: 100, validation: 10, test: 20 });
    expect(record.curve.map(({ iteration }: { iteration: number }) => iteration)).toEqual([3, 6]);

    const again = await limbeck('distill', ...tiny, ...args);
    expect(again).toMatchObject({ status: 2, stdout: '' });
    expect(again.stderr).toMatch(/limbeck resume run.*--force.*\[ERR_OPTION\]\n$/);

    // Finished: the same line again, from the record.
    expect(await limbeck('resume', 'run', '--json')).toEqual({ status: 0, stdout, stderr: '' });
    // The file knows its data; each look at its test split is counted, and none at other data.
    const evaluate = ['evaluate', 'run/distilled.safetensors', '--device', device];
    const { testAccuracy, baselines } = line;
    const same = await limbeck(...evaluate, '--json');
    expect(JSON.parse(same.stdout)).toMatchObject({ testAccuracy, baselines, sameData: true });
    expect(opened('run')).toBe(2);
    const other = [...evaluate, '--digits-size', '110', '--no-baselines'];
    expect(JSON.parse((await limbeck(...other, '--json')).stdout).sameData).toBe(false);
    expect((await limbeck(...other)).stderr).toContain('Warning: this is not the data');
    expect(opened('run')).toBe(2);
  });

  test('a checkpoint from another processor goes on, and says that its bits are others', async () => {
    await limbeck('distill', ...tiny, '--iterations', '2', '--out', 'moved', '--json');
    const path = at('moved/checkpoint.safetensors');
    const { checkpoint, extra } = decodeCheckpoint(readFileSync(path));
    const engine = { ...(extra.engine as object), processor: 'an abacus' };
    writeFileSync(path, encodeCheckpoint(checkpoint, { ...extra, engine }));
    // As if its test had been cut off, by the end of a process that left its lock behind.
    const record = JSON.parse(readFileSync(at('moved/run.json'), 'utf8'));
    const cutOff = { ...record, stopped: true, testAccuracy: null, baselines: {} };
    writeFileSync(at('moved/run.json'), JSON.stringify(cutOff));
    const dead = start(['--version']);
    await dead.ended;
    writeFileSync(at('moved/.limbeck-lock'), `${dead.child.pid}\n`);
    const { status, stderr } = await limbeck('resume', 'moved');
    expect(stderr).toMatch(/^Warning: this run was begun on an abacus and goes on on .*bits will not be/m);
    expect(status).toBe(0);
    expect(readdirSync(at('moved')).sort()).toEqual(results);
    expect(opened('moved')).toBe(2);
    const { processor, earlierProcessors } = JSON.parse(readFileSync(at('moved/run.json'), 'utf8')).engine;
    expect(processor).not.toMatch(/thread/);
    expect(earlierProcessors).toEqual(['an abacus']);
  });

  test('diverged, keeps the best from before and says so', async () => {
    const args = ['--iterations', '50', '--validate-every', '1', '--lr', '5e5', '--out', 'diverged'];
    const { status, stdout, stderr } = await limbeck('distill', ...tiny, ...args, '--json');
    expect(stderr).toMatch(/^limbeck: .* outer steps, .* \[ERR_DIVERGED\]\n$/);
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ stopped: true, testAccuracy: null });
    expect(readdirSync(at('diverged')).sort()).toEqual(results);
    const record = JSON.parse(readFileSync(at('diverged/run.json'), 'utf8'));
    expect(record).toMatchObject({ diverged: expect.any(String), testOpened: 0 });
  });

  test('takes a configuration file, which flags overrule', async () => {
    const config = {
      network: 'mlp',
      iterations: 5,
      digitsSize: 100,
      batch: 8,
      device,
      out: 'configured',
      seed: 7,
    };
    writeFileSync(at('config.json'), JSON.stringify(config));
    const { status, stdout } = await limbeck('distill', 'config.json', '--iterations', '2', '--json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ outerSteps: 2, out: 'configured' });
    const { config: used } = JSON.parse(readFileSync(at('configured/run.json'), 'utf8'));
    expect(used.options).toMatchObject({ iterations: 2, batch: 8, seed: 7 });
  });

  test('takes options in full from a configuration file, and those of other methods by their name', async () => {
    const config = {
      ...{ method: 'dm', network: { name: 'mlp', width: 8 }, parametrisation: { name: 'factor', factor: 2 } },
      ...{ iterations: 2, batch: 4, networks: 1, validateEvery: 1, digitsSize: 100, device, out: 'full' },
    };
    writeFileSync(at('full.json'), JSON.stringify(config));
    const { status, stderr } = await limbeck('distill', 'full.json', '--image-momentum', '0.25', '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { config: used } = JSON.parse(readFileSync(at('full/run.json'), 'utf8'));
    const { method, network, parametrisation } = config;
    expect(used.options).toMatchObject({ method, network, parametrisation, imageMomentum: 0.25 });
    const { set } = decodeArtefact(readFileSync(at('full/distilled.safetensors')));
    expect(set.stored).toMatchObject({ parametrisation, pictures: 10 });
    expect(set.classes.length).toBe(40);
    expect(set.use).toMatchObject({ kind: 'minibatches' });
  });

  test('stopped in the middle, goes on to the same bits', async () => {
    const iterations = device === 'cpu' ? '600' : '12';
    const every = device === 'cpu' ? '20' : '3';
    const options = [
      ...tiny,
      '--iterations',
      iterations,
      '--validate-every',
      every,
      '--labels',
      'soft',
      '--average',
      '0.9',
    ];
    const whole = limbeck('distill', ...options, '--out', 'whole', '--json');
    const { child, ended } = start(['distill', ...options, '--out', 'parts']);
    while (!existsSync(at('parts/checkpoint.safetensors')) && child.exitCode === null) await wait(10);
    child.kill('SIGINT');
    const stopped = await ended;
    expect(stopped.stderr).toContain('limbeck resume parts');
    expect(stopped).toMatchObject({ status: 130, stdout: '' });
    const left = readdirSync(at('parts')).sort();
    expect(left.filter((name) => name !== 'checkpoint.older.safetensors')).toEqual(results);
    const record = JSON.parse(readFileSync(at('parts/run.json'), 'utf8'));
    expect(record).toMatchObject({ stopped: true, testAccuracy: null, testOpened: 0 });
    expect(record.outerSteps).toBeLessThan(Number(iterations));

    // The bits are the same for any number of threads.
    const threads = device === 'cpu' ? ['--threads', '1'] : [];
    const resumed = await limbeck('resume', 'parts', '--json', ...threads);
    expect(resumed).toMatchObject({ status: 0, stderr: '' });
    expect((await whole).status).toBe(0);
    const bytes = (run: string) => readFileSync(at(run, 'distilled.safetensors'));
    expect(bytes('parts').equals(bytes('whole'))).toBe(true);
    const { testAccuracy, baselines, outerSteps } = JSON.parse((await whole).stdout);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ testAccuracy, baselines, outerSteps });
  });
});

describe('mistakes', () => {
  /** An IDX file with the given dimensions. */
  const idx = (
    magic: number,
    shape: number[],
    bytes = shape.reduce((a, b) => a * b, 1),
    value = (i: number) => i % 10,
  ) => {
    const header = Buffer.alloc(4 + 4 * shape.length);
    header.writeUInt32BE(magic, 0);
    shape.forEach((size, axis) => {
      header.writeUInt32BE(size, 4 + 4 * axis);
    });
    return Buffer.concat([header, Buffer.from(Array.from({ length: bytes }, (_, i) => value(i)))]);
  };
  const idxFolder = (name: string, trainImages: Buffer, size = 28) => {
    const set = mkdtempSync(at(`${name}-`));
    writeFileSync(join(set, 'train-images-idx3-ubyte'), trainImages);
    writeFileSync(join(set, 'train-labels-idx1-ubyte'), idx(0x801, [40]));
    writeFileSync(join(set, 't10k-images-idx3-ubyte'), idx(0x803, [20, size, size]));
    writeFileSync(join(set, 't10k-labels-idx1-ubyte'), idx(0x801, [20]));
    return set;
  };
  const distilling = (...args: string[]) => ['distill', '--out', 'out/nested', ...args];
  const data = (set: string) => distilling('--dataset', set);
  const tooSmall = () => [...data(idxFolder('tiny', idx(0x803, [40, 2, 2]), 2)), '--network', 'lenet'];

  const table: [string, () => string[], string, RegExp][] = [
    ['unknown option', () => distilling('--iteration', '3'), 'ERR_OPTION', /did you mean --iterations\?/],
    [
      'a seed',
      () => distilling('--seed=-1'),
      'ERR_OPTION',
      /seed is -1, expected a whole number of at least 0/,
    ],
    ['unknown command', () => ['distil'], 'ERR_OPTION', /did you mean distill\?/],
    [
      'fraction',
      () => distilling('--iterations', '3.5'),
      'ERR_OPTION',
      /--iterations is 3.5, expected a whole number/,
    ],
    [
      'word for a number',
      () => distilling('--iterations', 'abc'),
      'ERR_OPTION',
      /--iterations is "abc", expected a whole/,
    ],
    [
      'out of range',
      () => distilling('--label-lr', '-1'),
      'ERR_OPTION',
      /--label-lr is -1, expected a number above 0/,
    ],
    [
      'an option of another method',
      () => distilling('--method', 'dm', '--steps', '2'),
      'ERR_OPTION',
      /--steps is no option of method dm, which has: --init, --batch/,
    ],
    [
      'steps that a method does not learn',
      () => distilling('--method', 'dm', '--protocol', 'learned-steps', '--digits-size', '20'),
      'ERR_OPTION',
      /protocol is learned-steps, but method dm learns no steps, .* leave it out for dm/,
    ],
    [
      'images that cannot be shared out',
      () => distilling('--ipc', '3', '--steps', '2'),
      'ERR_OPTION',
      /ipc is 3 and steps is 2: .*expected a multiple of 2/,
    ],
    ['no value', () => distilling('--steps', '--json'), 'ERR_OPTION', /--steps has no value/],
    ['twice', () => distilling('--lr', '1', '--lr', '2'), 'ERR_OPTION', /given twice/],
    [
      'argument too many',
      () => distilling('a.json', 'b.json'),
      'ERR_OPTION',
      /"b.json" is one argument too many/,
    ],
    ['missing configuration', () => distilling('none.json'), 'ERR_FILE_MISSING', /none.json cannot be read/],
    ['unknown device', () => distilling('--device', 'gpu'), 'ERR_DEVICE', /"gpu" is unknown/],
    ['missing folder', () => data(at('nowhere')), 'ERR_FILE_MISSING', /does not exist/],
    ['unknown data set', () => data('nowhere'), 'ERR_OPTION', /neither known nor a file or folder/],
    ['truncated', () => data(idxFolder('cut', idx(0x803, [40, 28, 28], 99))), 'ERR_FILE_FORMAT', /truncated/],
    [
      'wrong magic',
      () => data(idxFolder('magic', idx(0x1234, [40, 28, 28]))),
      'ERR_FILE_FORMAT',
      /train-images/,
    ],
    ['impossible shape', tooSmall, 'ERR_SHAPE', /too small.*--network mlp takes any size/],
    [
      'a file as folder',
      () => ['distill', ...tiny, '--out', 'file.txt/x'],
      'ERR_FILE_WRITE',
      /cannot be made/,
    ],
    [
      'a folder in use',
      () => ['distill', ...tiny, '--out', 'in-use'],
      'ERR_FILE_WRITE',
      new RegExp(`process ${process.pid} is at work in in-use`),
    ],
    [
      'a name too long, inside a new folder',
      () => ['distill', ...tiny, '--out', `out/${'x'.repeat(300)}`],
      'ERR_FILE_WRITE',
      /cannot be made/,
    ],
    ['a folder as checkpoint', () => ['resume', 'folders'], 'ERR_FILE_MISSING', /cannot be read/],
    [
      'a schedule that is none',
      () => distilling('schedule.json'),
      'ERR_OPTION',
      /schedule is .*, expected no factr in it; step takes factor, stages, warmup/,
    ],
    ['nothing to resume', () => ['resume', 'nowhere'], 'ERR_FILE_MISSING', /does not exist/],
    [
      'damaged checkpoint',
      () => ['resume', 'damaged'],
      'ERR_FILE_FORMAT',
      /checkpoint.safetensors cannot be resumed/,
    ],
    [
      'unknown protocol',
      () => ['evaluate', 'config.json5', '--protocol', 'dcc'],
      'ERR_OPTION',
      /protocol "dcc" is unknown; there are: learned-steps, dc,/,
    ],
    [
      'unknown baseline',
      () => ['evaluate', 'config.json5', '--baselines', 'randomReal,kMedians'],
      'ERR_OPTION',
      /baseline "kMedians" is unknown/,
    ],
    [
      'baselines and none',
      () => ['evaluate', 'config.json5', '--baselines', 'all', '--no-baselines'],
      'ERR_OPTION',
      /leave one of them out/,
    ],
    [
      'unknown optimiser',
      () => ['train', '--optimizer', 'rmsprop'],
      'ERR_OPTION',
      /optimizer "rmsprop" is unknown; there are: sgd, momentum, nesterov, adam, adamw/,
    ],
    [
      'a network that is none',
      () => ['train', '--digits-size', '20', '--network', 'lenett'],
      'ERR_OPTION',
      /network "lenett" is unknown/,
    ],
    ['no distilled file', () => ['evaluate', 'config.json5'], 'ERR_FILE_MISSING', /cannot be read/],
  ];
  beforeAll(() => {
    writeFileSync(at('file.txt'), '');
    mkdirSync(at('in-use'));
    writeFileSync(at('in-use/.limbeck-lock'), `${process.pid}\n`);
    mkdirSync(at('folders/checkpoint.safetensors'), { recursive: true });
    writeFileSync(at('schedule.json'), JSON.stringify({ schedule: { kind: 'step', factr: 0.5 } }));
    mkdirSync(at('damaged'));
    writeFileSync(at('damaged/checkpoint.safetensors'), 'not a checkpoint');
  });

  test.concurrent.each(table)('%s', async (_, args, code, message) => {
    const { status, stdout, stderr } = await limbeck(...args());
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(new RegExp(`^limbeck: .* \\[${code}\\]\\n$`));
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });

  // Not in each of them: they run at once, and one makes the folder before it fails and takes it away.
  test('leave nothing behind', () => expect(existsSync(at('out'))).toBe(false));

  test('in a configuration file', async () => {
    writeFileSync(at('wrong.json'), JSON.stringify({ iteration: 3 }));
    const { status, stderr } = await limbeck('distill', 'wrong.json');
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'limbeck: wrong.json: iteration is unknown; did you mean iterations? [ERR_OPTION]\n',
    });
  });
});

test('help and version', async () => {
  const help = await limbeck('distill', '--help');
  const usual = resolveOptions({}).validateEvery;
  expect(help.stdout).toMatch(new RegExp(`--validate-every N [^\\]]*\\[${usual}\\]`));
  expect(help.stdout).toContain('Example: limbeck distill');
  const section = (start: string) => help.stdout.split(/\n\n/).find((one) => one.startsWith(start));
  expect(section('Every run:')).toMatch(/^ +--ipc N /m);
  expect(section('Method unrolled')).toMatch(/^ +--inner-lr X,… /m);
  expect(section('Methods')).toMatch(/^ +dm +mean features/m);
  expect(section('Method dm')).toBeUndefined();
  // Help of another method: its options, and its defaults of those that every run has.
  const { stdout } = await limbeck('distill', '--method', 'dm', '--help');
  expect(stdout).toMatch(/^Method dm, [^\n]*\n(?: .*\n)* +--image-momentum X /m);
  expect(stdout).toMatch(/--network NAME [^[]*\[convnet\]/);
  for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  expect((await limbeck('--help')).stdout).toContain('resume DIR');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect((await limbeck('--version')).stdout).toBe(`${version}\n`);
});
