/** `theory` as a whole, its command and its page. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { theory } from '../src/index.js';
import { lineChart } from '../src/report/figure.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { all, readPage, textOf } from './harness/page.js';

const small = { d: [12, 24], r: [1, 2], width: [32], seeds: 2, seed: 5 };

test('sweeps every size at the middle of the others, the same bits of the same seed', async () => {
  const stages: string[] = [];
  const found = await theory({ ...small, onProgress: ({ stage }) => stages.push(stage) });
  expect(found.base).toEqual({ d: 24, r: 2, width: 32 });
  const sizes = ['d 12, r 2, width 32', 'd 24, r 2, width 32', 'd 24, r 1, width 32'];
  expect(stages).toEqual(sizes.flatMap((size) => [`${size}, seed 5`, `${size}, seed 6`]));
  expect(found.needed).toHaveLength(3 * 9);
  expect(found.exponents).toHaveLength(3 * 9);
  for (const { d, points, numbers } of found.needed)
    if (points) expect(numbers!.mean).toBeCloseTo(points.mean * (d + 1), 9);
  // One width alone has no exponent.
  for (const { of, exponent } of found.exponents) if (of === 'width') expect(exponent).toBeUndefined();
  const slope = found.exponents.find(
    ({ of, way, goal }) => of === 'r' && way === 'projected' && goal === 'gradient',
  )!;
  // Of one direction at places of its own two points, of two directions five.
  expect(slope.exponent).toBeGreaterThan(0.8);
  expect(slope.exponent).toBeLessThan(2.5);
  for (const { way, points } of found.curves) {
    for (const { numbers, points: p } of points) expect(numbers).toBe(25 * p + 32);
    for (const { alignment } of points)
      if (way === 'projected') expect(alignment.mean).toBeCloseTo(1, 12);
      else expect(alignment.mean).toBeGreaterThan(0.5);
  }
  expect(found.random.at(-1)!.learned.mean).toBeLessThan(found.random[0].learned.mean);
  expect(found.all.mean).toBeLessThan(found.random[0].learned.mean);
  expect(await theory(small)).toEqual(found);
  expect((await theory({ ...small, seed: 6 })).curves).not.toEqual(found.curves);
});

test('stops where it is told to', async () => {
  const stop = new AbortController();
  const onProgress = () => stop.abort(new Error('enough'));
  await expect(theory({ ...small, signal: stop.signal, onProgress })).rejects.toThrow('enough');
});

test.each([
  [{ d: [] }, /theory: d is a list, expected a list of whole numbers/],
  [{ d: 8 as never }, /theory: d is 8, expected a list/],
  [{ d: [1] }, /theory: d is 1, expected a whole number of at least 2/],
  [{ r: [2.5] }, /theory: r is 2\.5, expected a whole number of at least 1/],
  [{ d: [8], r: [2, 9] }, /theory: r is 9 where d is 8, expected no more directions/],
  [{ d: [2, 8, 9], r: [4] }, /theory: r is 4 where d is 2, expected no more directions/],
  [{ width: [32, 33] }, /theory: width is 33, expected an even number/],
  [{ activation: 'gelu' as never }, /theory: activation is "gelu", expected one of tanh, relu/],
  [{ link: 'cubic' as never }, /theory: link is "cubic", expected one of saddle, sphere/],
  [{ error: 50 }, /theory: error is 50, expected percent above 0 and below 50/],
  [{ error: Number.NaN }, /theory: error is NaN/],
  [{ seeds: 0 }, /theory: seeds is 0/],
  [{ seed: -1 }, /seed is -1/],
  [{ widths: [4] } as never, /option widths is unknown; did you mean width/],
])('refuses %j', async (options, message) => {
  await expect(theory(options)).rejects.toThrow(message);
});

test('a logarithmic x axis has powers at equal distances', () => {
  const points = [1, 10, 100].map((x) => [x, 1] as const);
  const svg = lineChart({
    ...{ title: 't', xLabel: 'x', yLabel: 'y', series: [{ name: 's', points }] },
    ...{ logarithmicX: true, marks: true },
  });
  const [a, b, c] = [...svg.matchAll(/cx="([\d.]+)"/g)].map(([, x]) => Number(x));
  expect(b - a).toBeGreaterThan(100);
  expect(Math.abs(c - b - (b - a))).toBeLessThan(0.2);
  expect(svg).toContain('x (log)');
});

describe('limbeck analyse theory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limbeck-theory-'));
  const { limbeck } = commandLine(folder);
  beforeAll(buildWhereStale);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const given = 'analyse theory --d 12,24 --r 1,2 --width 32 --seeds 2 --seed 5'.split(' ');

  test('needs no files; shows what is needed, and the exponents, in a table and on a page', async () => {
    const { status, stdout, stderr } = await limbeck(...given, '--out', 'theory.html');
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^saddle, tanh, d 24, r 2, width 32, 2 seeds/);
    expect(stdout).toMatch(
      /^ +one step, projected +nine tenths of the gradient +\d\.\d ± \d\.\d +\d+ +-?\d\.\d\d ± \d/m,
    );
    expect(stdout).toMatch(/^ +16,384 +\d+\.\d ± \d+\.\d %$/m);
    const page = readPage(readFileSync(join(folder, 'theory.html'), 'utf8'));
    const ways = ['matched', 'one step', 'one step, projected'];
    expect(all(page, 'span').map(textOf)).toEqual([...ways, 'random pairs', ...ways]);
    expect(all(page, 'svg')).toHaveLength(4 + 9);
    const json = await limbeck(...given, '--json');
    const { theory: found } = JSON.parse(json.stdout);
    expect(found).toEqual(JSON.parse(JSON.stringify(await theory(small))));
  });

  test.each([
    [['a.safetensors'], /is given a\.safetensors, and looks at no files/],
    [['--dataset', 'digits'], /--dataset is digits, which analyse theory does not have/],
    [['--vectors', '3'], /--vectors is 3, which analyse theory does not have/],
    [['--width', '7'], /width is 7, expected an even number/],
    [['--out', 'none/theory.html'], /none/],
  ])('refuses %j', async (more, message) => {
    const { status, stderr } = await limbeck('analyse', 'theory', ...more);
    expect(status, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});
