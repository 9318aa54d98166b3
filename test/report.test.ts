import { inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { DistilledSet } from '../src/data/distilled-set.js';
import type { DistillOptions } from '../src/methods/index.js';
import { contactSheet } from '../src/report/contact-sheet.js';
import { lineChart, ticks, tickText } from '../src/report/figure.js';
import { gridOf } from '../src/report/grid.js';
import { reportHtml } from '../src/report/html.js';
import { displayWindow, imagePixels } from '../src/report/pixels.js';
import { resolveOptions } from '../src/runs/options.js';
import { accuracyText, type RunRecord } from '../src/runs/record.js';
import { encodePng } from '../src/util/png.js';
import { bytesText, count, duration, flopText } from '../src/util/words.js';
import { learnedSet } from './harness/distilled-set.js';
import { makeRecord, type Size } from './harness/record.js';

const { iterations } = resolveOptions({});

function makeSet(options: DistillOptions = {}, { classes = 10, channels = 1 }: Size = {}): DistilledSet {
  const { steps = 1, epochs = 3, init = 'fixed', ipc = steps } = options;
  const count = ipc * classes;
  return learnedSet({
    network: { name: 'lenet', inputShape: [channels, 28, 28], classes },
    ...{ steps, epochs, init: init === 'fixed' ? init : 'random' },
    images: Float32Array.from({ length: count * channels * 784 }, (_, i) => ((i * 37) % 101) / 25 - 2),
    labels: Float32Array.from({ length: count * classes }, (_, i) => {
      const row = Math.floor(i / classes);
      return row % classes === i % classes ? 1.25 : ((i * 7) % 11) / 50 - 0.1;
    }),
    learningRates: Float32Array.from({ length: steps * epochs }, (_, t) => 0.3 / (t + 1)),
  });
}

/** Forty images for ordinary training, class by class, four decoded from each stored picture. */
function minibatchSet(): DistilledSet {
  const set = makeSet({ ipc: 4 });
  return {
    ...set,
    method: 'dm',
    classes: Uint16Array.from(set.classes, (_, i) => Math.floor(i / 4)),
    use: { kind: 'minibatches', protocol: 'dm', learningRate: 0.0123456 },
    stored: {
      parametrisation: { name: 'dct', images: 4 },
      pictures: 10,
      variables: { coefficients: { shape: [40, 1, 196], data: new Float32Array(7840) } },
    },
  };
}

describe('the page', () => {
  const variants: [string, DistillOptions, Size][] = [
    ['one step', {}, {}],
    ['several steps and images per class', { steps: 3, ipc: 6 }, {}],
    ['soft labels', { labels: 'soft', steps: 2 }, {}],
    ['many classes in colour', { labels: 'soft' }, { classes: 30, channels: 3 }],
  ];
  test.each(variants)('needs nothing but itself: %s', (_, options, size) => {
    const html = reportHtml(makeRecord(options, size), makeSet(options, size));
    const bare = html.replace(/base64,[^"]*/g, 'base64,');
    expect(bare.match(/https?:|\/\/[a-z]|<script|<link|@import|url\((?!#)|NaN|undefined/gi)).toBeNull();
    const sources = [...html.matchAll(/src="([^"]*)"/g)].map(([, source]) => source);
    const images = html.match(/alt="distilled image, class/g);
    const { steps = 1, ipc = steps } = options;
    expect(images).toHaveLength(ipc * (size.classes ?? 10));
    for (const source of sources) expect(source).toMatch(/^data:image\/png;base64,/);
  });

  test('of a set for ordinary training says so, where images come from, and speaks of no learned steps', () => {
    const set = minibatchSet();
    const curve = [{ iteration: 500, loss: 0.1, validationAccuracy: 91.7 }];
    const record = makeRecord({}, {}, { curve });
    const html = reportHtml(
      { ...record, config: { ...record.config, options: resolveOptions({ method: 'dm' }) } },
      set,
    );
    expect(html).toContain(
      'Networks are trained on them in minibatches, as the protocol says. A rate was learned with them: 0.01235.',
    );
    expect(html).toContain('decoded from 7,840 stored numbers (dct), within the storage of 10 pictures');
    expect(html).toContain('Distribution Matching');
    expect(html).not.toMatch(/NaN|undefined|step by step|inner step 1|Inner learning rates/);
    const alts = [...html.matchAll(/alt="distilled image, class (\d+)"/g)].map(([, own]) => Number(own));
    // Row by row, a column for every class, whatever the order in the set.
    expect(alts).toEqual(Array.from({ length: 40 }, (_, i) => i % 10));
  });

  test('says every number of the run', () => {
    const html = reportHtml(makeRecord(), makeSet());
    expect(html).toContain('<title>10 images teach this LeNet 94.1 ± 0.4 % of the generated digits</title>');
    const numbers = [
      '47.3 ± 5.2 %',
      '0.03',
      '12,345',
      '678',
      '2,345',
      'best 91.7 %',
      'once',
      '1 min 23 s',
      '4.5 s',
    ];
    const machine = [
      '3.25 ms',
      '2.75 ms',
      '9.8.7',
      'v99.1.2',
      'testos x64',
      'avx7, 3 threads',
      'abcdef0123456789',
    ];
    const places = [
      'in place of 12,345 real ones; the number is its accuracy on 2,345 test images',
      '<dt>Validation images</dt><dd>678</dd>',
      // 500 steps of 1024 images in 83.2 s.
      '<dt>Real images per second</dt><dd>6,154</dd>',
    ];
    for (const text of [
      ...numbers,
      ...machine,
      ...places,
      'cosine',
      `500 of ${count(iterations)}`,
      'load_file',
    ])
      expect(html).toContain(text);
  });

  test('shows the two largest parts of a learned label', () => {
    const set = makeSet();
    set.labels.set([0.1, 0.7, -0.9, 0.2, 0, 0, 0, 0, 0, 0]);
    expect(reportHtml(makeRecord(), set)).toContain('<div class="top2">1 0.70<br>3 0.20</div>');
  });

  test('shows names as text, whatever they are', () => {
    const record = makeRecord();
    const name = '<img src=x onerror="alert(1)">&\'';
    const dataset = { ...record.dataset, name, classNames: record.dataset.classNames.map(() => name) };
    const html = reportHtml({ ...record, dataset, platform: name }, makeSet({ labels: 'soft' }));
    expect(html).not.toContain('<img src=x');
    expect(html).not.toContain('onerror="');
    expect(html).toContain('&#60;img');
  });

  test('does not pass on where the data lay', () => {
    const record = makeRecord();
    const html = reportHtml(
      { ...record, config: { ...record.config, dataset: '/data/someone/secret' } },
      makeSet(),
    );
    expect(html).not.toContain('someone');
  });

  test('of a stopped run claims no test accuracy', () => {
    const stopped = {
      stopped: true,
      testAccuracy: null,
      baselines: {},
      testOpened: 0,
      outerSteps: 12,
      curve: [],
    };
    const timings = { seconds: 0.1, evaluationSeconds: 0, stepMilliseconds: { median: null, min: null } };
    const html = reportHtml(makeRecord({}, {}, { ...stopped, timings }), makeSet());
    expect(html).toContain(`12 of ${count(iterations)} outer steps were done`);
    expect(html).toContain('91.7 %</b> of the validation images of the generated digits');
    expect(html).not.toContain('How well it works');
    expect(html).not.toMatch(/NaN|undefined|null/);
  });

  test('says how often the test split was opened, whatever came of it', () => {
    const page = (changes: Partial<RunRecord>) => reportHtml(makeRecord({}, {}, changes), makeSet());
    expect(page({ testOpened: 3 })).toContain('opened 3 times');
    const untested = { stopped: true, testAccuracy: null, baselines: {}, testOpened: 1 };
    const cutOff = page({ ...untested, outerSteps: iterations });
    expect(cutOff).toContain('The outer steps are done, the test is not');
    expect(cutOff).toContain('the test split was opened once');
  });

  test('shows the accuracy of each class and what was measured later', () => {
    const accuracy = { mean: 71.25, std: 2.5, networks: 200 };
    const baselines = {
      kMeans: { ...accuracy, mean: 60.5, title: 'k-means <centroids>', learningRate: 0.1 },
    };
    const perClass = [...Array(10).keys()].map((k) => 80 + k);
    const other = { network: 'mlp:width=8', accuracy, learningRate: 'learned', perClass, baselines } as const;
    const later = {
      protocol: 'protocol dc: sgd',
      accuracy,
      learningRate: 0.01,
      perClass,
      baselines,
      others: [other],
    };
    const html = reportHtml(makeRecord({}, {}, { perClass, evaluations: [later] }), makeSet());
    expect(html).toContain('width:89.00%');
    expect(html).toContain('protocol dc: sgd');
    expect(html).toContain('k-means &#60;centroids&#62;');
    expect(html).toMatch(/mlp:width=8<.*71.3 ± 2.5 %.*as learned.*60.5 ± 2.5 %/);
    expect(html).not.toMatch(/NaN|undefined|null/);
    expect(reportHtml(makeRecord(), makeSet())).not.toMatch(/Class by class|Measured later/);
  });

  test('of a diverged run says what happened', () => {
    const diverged = 'the loss is NaN after <7> outer steps';
    const changes = { stopped: true, diverged, testAccuracy: null, baselines: {}, testOpened: 0 };
    const html = reportHtml(makeRecord({}, {}, changes), makeSet());
    expect(html).toContain('This run diverged: the loss is NaN after &#60;7&#62; outer steps');
    expect(html).not.toContain('limbeck resume');
  });
});

describe('charts', () => {
  const chart = (points: [number, number][], more = {}) =>
    lineChart({ title: 't', xLabel: 'x', yLabel: 'y', series: [{ name: 's', points }], ...more });

  test('of nothing say so', () => {
    expect(chart([])).toContain('nothing to draw');
    expect(chart([[1, Number.NaN]])).toContain('nothing to draw');
  });

  test('of one point draw a mark', () => {
    const svg = chart([[3, 0]]);
    expect(svg).toContain('<circle');
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test('leave out what is not finite', () => {
    const svg = chart([
      [1, 1],
      [2, Number.NaN],
      [3, Number.POSITIVE_INFINITY],
      [4, 2],
    ]);
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(/points="([^"]*)"/.exec(svg)?.[1].split(' ')).toHaveLength(2);
  });

  test('are logarithmic only where that is possible and useful', () => {
    const decades: [number, number][] = [
      [1, 100],
      [2, 0.01],
    ];
    expect(chart(decades, { logarithmicFrom: 10 })).toContain('(log)');
    expect(chart([...decades, [3, 0]], { logarithmicFrom: 10 })).not.toContain('(log)');
    expect(
      chart(
        [
          [1, 2],
          [2, 3],
        ] as [number, number][],
        { logarithmicFrom: 10 },
      ),
    ).not.toContain('(log)');
  });

  test('of what hardly moves are steady, with ticks that can be told apart', () => {
    const svg = chart([
      [0, 0.02],
      [1, 0.020_000_04],
      [2, 0.019_999_99],
    ]);
    const labels = [...svg.matchAll(/text-anchor="end">([^<]*)</g)].map(([, text]) => text);
    expect(labels.length).toBeGreaterThan(2);
    expect(new Set(labels).size).toBe(labels.length);
    const heights = /points="([^"]*)"/
      .exec(svg)![1]
      .split(' ')
      .map((point) => Number(point.split(',')[1]));
    expect(Math.max(...heights) - Math.min(...heights)).toBeLessThan(1);
    // What moves by more is drawn as large as ever.
    const moving = /points="([^"]*)"/
      .exec(
        chart([
          [0, 0.02],
          [1, 0.021],
        ]),
      )![1]
      .split(' ');
    expect(Number(moving[0].split(',')[1]) - Number(moving[1].split(',')[1])).toBeGreaterThan(100);
  });

  test('of percent go no further than there are', () => {
    const labels = (percent: boolean) =>
      [
        ...chart(
          [
            [0, 100],
            [1, 100],
          ],
          { percent },
        ).matchAll(/text-anchor="end">([^<]*)</g),
      ].map(([, text]) => Number(text));
    expect(Math.max(...labels(false))).toBeGreaterThan(100);
    expect(Math.max(...labels(true))).toBe(100);
  });

  test('have round ticks', () => {
    expect(ticks(0, 10_000)).toEqual([0, 2000, 4000, 6000, 8000, 10_000]);
    expect(ticks(1, 3, 5, 1)).toEqual([1, 2, 3]);
    expect(ticks(0.07, 0.31).map(tickText)).toEqual(['0.1', '0.15', '0.2', '0.25', '0.3']);
    expect(tickText(12_000)).toBe('12k');
  });
});

describe('images', () => {
  test.each<[string, DistillOptions, Size]>([
    ['grey', {}, {}],
    ['several steps', { steps: 2, ipc: 4 }, {}],
    ['many classes in colour', {}, { classes: 45, channels: 3 }],
  ])('on one sheet: %s', (_, options, size) => {
    const sheet = contactSheet(makeSet(options, size), makeRecord(options, size).dataset);
    const bytes = encodePng(sheet);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    expect([view.getUint32(16), view.getUint32(20)]).toEqual([sheet.width, sheet.height]);
    // One IDAT chunk right after the header: rows of a filter byte and pixels.
    const rows = inflateSync(bytes.subarray(41, 41 + view.getUint32(33)));
    expect(rows).toHaveLength(sheet.height * (1 + sheet.width * sheet.channels));
    expect(sheet.channels).toBe(size.channels ?? 1);
    expect(sheet.width).toBeGreaterThan(28 * 10);
    expect(sheet.width).toBeLessThanOrEqual(4200);
  });

  test.each<[string, DistillOptions, Size]>([
    ['several steps', { steps: 2, ipc: 4 }, {}],
    ['classes that wrap onto further lines', { ipc: 2 }, { classes: 45 }],
  ])('hide no part of each other on a sheet: %s', (_, options, size) => {
    const set = makeSet(options, size);
    const count = set.images.length / 784;
    // Each of one grey, and none of that of the sheet.
    const images = set.images.map((_, i) => Math.floor(i / 784));
    const { dataset } = makeRecord(options, size);
    const classNames = dataset.classNames.map(() => '');
    const sheet = contactSheet({ ...set, images }, { ...dataset, classNames });
    const seen = new Array<number>(256).fill(0);
    for (const grey of sheet.data) seen[grey]++;
    const greys = Array.from({ length: count }, (_, i) => Math.round((255 * i) / (count - 1)));
    expect(greys.map((grey) => seen[grey])).toEqual(greys.map(() => 112 ** 2));
  });

  test('stand in a column per class, step by step; a class that has fewer leaves its place empty', () => {
    const rows = (set: DistilledSet) => gridOf(set).map(({ step, items }) => [step, ...items.slice(0, 2)]);
    expect(rows(makeSet({ steps: 2, ipc: 4 }))).toEqual([
      [0, 0, 1],
      [0, 10, 11],
      [1, 20, 21],
      [1, 30, 31],
    ]);
    const set = minibatchSet();
    expect(rows(set).map(([, ...items]) => items)).toEqual([0, 1, 2, 3].map((row) => [row, 4 + row]));
    const classes = Uint16Array.from(set.classes, (own, i) => (i === 3 ? 1 : own));
    const uneven = rows({ ...set, classes });
    expect(uneven.map(([, ...items]) => items)).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
      [undefined, 6],
      [undefined, 7],
    ]);
  });

  test('share one window, which is their own range', () => {
    const set = makeSet();
    const { dataset } = makeRecord();
    const window = displayWindow(set, dataset);
    expect(window.black).toBeLessThan(-0.4);
    expect(window.white).toBeGreaterThan(0.7);
    const flat = displayWindow({ ...set, images: new Float32Array(set.images.length) }, dataset);
    expect((flat.black + flat.white) / 2).toBeCloseTo(dataset.mean[0], 6);
    expect(flat.white - flat.black).toBeCloseTo(0.25, 6);
    const first = imagePixels(set, dataset, 0, { black: 0, white: 1 });
    const value = set.images[100] * 0.31 + 0.13;
    expect(first.data[100]).toBe(Math.max(0, Math.min(255, Math.round(255 * value))));
    // All images count, not the first alone.
    const images = set.images.map((value, i) => (i < 784 ? 0 : value));
    const other = displayWindow({ ...set, images }, dataset);
    expect(other.white - other.black).toBeGreaterThan(1.1);
  });

  test('have the name of their class above them, as much of it as there is room for', () => {
    const { dataset } = makeRecord();
    const sheetOf = (...names: string[]) =>
      contactSheet(makeSet(), { ...dataset, classNames: [...names, ...dataset.classNames.slice(2)] });
    const bare = sheetOf('', '');
    const columnsOf = (sheet: typeof bare) =>
      [...sheet.data.keys()]
        .filter((i) => sheet.data[i] !== bare.data[i])
        .map((i) => Math.floor(i / sheet.channels) % sheet.width);
    const [first, second] = [columnsOf(sheetOf('M'.repeat(40), '')), columnsOf(sheetOf('', 'M'))];
    expect(first.length).toBeGreaterThan(second.length);
    expect(Math.max(...first)).toBeLessThan(Math.min(...second));
  });
});

test('numbers for people', () => {
  const bytes = [0, 999, 1000, 999_949, 999_950, 6.53e9, 1e18].map(bytesText);
  expect(bytes).toEqual(['0 B', '999 B', '1.0 kB', '999.9 kB', '1.0 MB', '6.5 GB', '1000.0 PB']);
  expect([0, 7.8e10, 7e16].map(flopText)).toEqual(['0 FLOP', '78.0 GFLOP', '70.0 PFLOP']);
  expect([8.14, 83.2, 7500, Number.NaN].map(duration)).toEqual(['8.1 s', '1 min 23 s', '2 h 5 min', '–']);
  expect(accuracyText({ mean: 94.123, std: 0, networks: 1 })).toBe('94.1 %');
});
