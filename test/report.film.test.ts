/** The film of a run, its colours, and what is taken for what: read as documents, their pictures decoded. */
import { Buffer } from 'node:buffer';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { distillToFolder, openDevice, RunFolder, reportHtml, resumeFolder } from '../src/index.js';
import { filmFrame, frameLayout } from '../src/report/film-frame.js';
import { signedColour } from '../src/report/page/tone.js';
import { Film, type Frame, mostFrames } from '../src/runs/film.js';
import { learnedSet } from './harness/distilled-set.js';
import { shortRun, twoClasses } from './harness/made-data.js';
import { withPage } from './harness/open-page.js';
import { all, type Element, readPage, rowsOf, sectionOf, textOf } from './harness/page.js';
import { decodePng } from './harness/pictures.js';
import { makeRecord } from './harness/record.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-film-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pngOf = (text: string) => decodePng(Buffer.from(text, 'base64'));
const frame = (look: number, more: Partial<Frame> = {}): Frame => ({
  ...{ look, iteration: 10 * look, black: 0, white: 1, png: 'AAAA' },
  ...more,
});

/** Images of 2 x 2 pixels, one of each class. */
const setOf = (classes: number, channels: number, images: ArrayLike<number>) =>
  learnedSet({
    network: { name: 'mlp', inputShape: [channels, 2, 2], classes },
    images: Float32Array.from(images),
    labels: Float32Array.from({ length: classes ** 2 }, (_, i) => Number(i % (classes + 1) === 0)),
    learningRates: Float32Array.of(0.1),
  });
/** Those of the second class leave 0 to 1. */
const set = setOf(2, 1, [0, 0.25, 0.5, 1, -1, -0.5, 1.5, 2]);
const plain = makeRecord({}, { classes: 2, side: 2 });
const record = { ...plain, dataset: { ...plain.dataset, mean: [0], std: [1] } };

describe('the film', () => {
  test('keeps few frames, equally far apart, whatever the length of the run', async () => {
    const film = new Film(join(folder, 'long.jsonl'));
    for (let look = 0; look <= 100; look++) if (film.keeps(look)) await film.add(frame(look));
    const looks = (await film.frames()).map(({ look }) => look);
    expect(looks).toEqual(Array.from({ length: 13 }, (_, i) => 8 * i));
    for (let look = 101; look <= 128; look++) if (film.keeps(look)) await film.add(frame(look));
    expect((await film.frames()).map(({ look }) => look)).toEqual([0, 16, 32, 48, 64, 80, 96, 112, 128]);
    expect(looks.length).toBeLessThanOrEqual(mostFrames);
  });

  test('of a run that goes on from an earlier checkpoint has no frames of looks after it', async () => {
    const film = new Film(join(folder, 'earlier.jsonl'));
    for (const look of [0, 1, 2, 3]) await film.add(frame(look));
    const point = (iteration: number) => ({ iteration, loss: 1, validationAccuracy: 50 });
    await film.goOn([point(10), point(25)]);
    expect(await film.frames()).toEqual([frame(0), frame(1)]);
  });

  test('of a resumed run holds the frames from before and after', async () => {
    await using device = await openDevice('reference');
    const options = { ...shortRun, iterations: 6, validateEvery: 2 };
    const whole = await distillToFolder(device, twoClasses(), join(folder, 'whole'), options);
    const run = new RunFolder(join(folder, 'parts'));
    const stop = new AbortController();
    const onProgress = ({ iteration }: { iteration: number }) => iteration >= 2 && stop.abort();
    await distillToFolder(device, twoClasses(), run.folder, options, { signal: stop.signal, onProgress });
    expect((await run.film.frames()).length).toBeLessThan(4);
    await resumeFolder(device, twoClasses(), run.folder);
    const frames = await run.film.frames();
    expect(frames.map(({ look, iteration }) => [look, iteration])).toEqual([
      [0, 0],
      [1, 2],
      [2, 4],
      [3, 6],
    ]);
    expect(frames).toEqual(await new RunFolder(join(folder, 'whole')).film.frames());
    const shown = all(readPage(readFileSync(run.paths.report, 'utf8')), 'figure').filter(({ attributes }) =>
      attributes.style?.includes('--delay'),
    );
    expect(shown).toHaveLength(4);
    const images = shown.map((figure) => all(figure, 'img')[0].attributes.src.split(',')[1]);
    expect(images).toEqual(frames.map(({ png }) => png));
    const percent = whole.record.curve[0].validationAccuracy.toFixed(1);
    expect(textOf(shown[1])).toContain(`outer step 2: ${percent} %`);
  });

  test('that is none, or holds what is none, is left out of the page', async () => {
    const film = new Film(join(folder, 'bad.jsonl'));
    expect(await film.frames()).toEqual([]);
    for (const bad of ['{', JSON.stringify(frame(0, { png: '"><script>' })), JSON.stringify({ look: 1 })]) {
      writeFileSync(film.path, `${bad}\n`);
      expect(await film.frames()).toEqual([]);
    }
    expect(reportHtml(record, set)).not.toContain('How they formed');
  });

  test('has the first image of each class, as many as are small together', () => {
    const { black, white, png } = filmFrame(set, record.dataset);
    const { width, height, data } = pngOf(png);
    expect([width, height]).toEqual([4, 2]);
    const byte = (value: number) =>
      Math.max(0, Math.min(255, Math.round((255 * (value - black)) / (white - black))));
    expect([...data]).toEqual([0, 0.25, -1, -0.5, 0.5, 1, 1.5, 2].map(byte));
    expect(frameLayout([3, 32, 32], 100)).toEqual({
      images: 30,
      columns: 10,
      rows: 3,
      width: 32,
      height: 32,
    });
    // A last row that is not full counts.
    expect(frameLayout([1, 8, 8], 13)).toMatchObject({ images: 13, columns: 10, rows: 2 });
    expect(frameLayout([1, 64, 32], 2)).toMatchObject({
      images: 2,
      columns: 2,
      rows: 1,
      width: 16,
      height: 32,
    });
  });

  test('shows in a browser the frame that is chosen, and plays without a script', async () => {
    const { png } = filmFrame(set, record.dataset);
    const film = [0, 1, 2].map((look) => frame(look, { png, iteration: 250 * look }));
    const html = reportHtml(record, set, { film });
    const path = join(folder, 'film.html');
    writeFileSync(path, html);
    const shown = (await withPage(pathToFileURL(path).href, async (page) => {
      return page.value(`(() => {
        const figures = [...document.querySelectorAll('.film figure')];
        const visible = () => figures.map((figure) => getComputedStyle(figure).visibility === 'visible');
        const found = [visible()];
        document.querySelector('.film > input').click();
        found.push(visible());
        document.querySelector('.play input').click();
        for (const i of figures.keys()) {
          for (const animation of document.getAnimations()) {
            animation.pause();
            animation.currentTime = 500 * i + 250;
          }
          found.push(visible());
        }
        const image = document.querySelector('.images img');
        const before = image.getBoundingClientRect().width;
        image.previousElementSibling.click();
        return { found, larger: image.getBoundingClientRect().width / before };
      })()`);
    })) as { found: boolean[][]; larger: number };
    const only = (at: number) => [0, 1, 2].map((i) => i === at);
    expect(shown.found).toEqual([only(2), only(0), only(0), only(1), only(2)]);
    expect(shown.larger).toBeGreaterThan(2);
  });
});

describe('signed colours', () => {
  test('are grey within 0 to 1, blue below and orange above', () => {
    const strength = { reach: 2, light: 1 };
    expect(signedColour(0.25, strength)).toEqual([0.25, 0.25, 0.25]);
    const [red, green, blue] = signedColour(-1, strength);
    expect(blue).toBeGreaterThan(Math.max(red, green) + 0.2);
    const above = signedColour(3, strength);
    expect(above[0]).toBe(1);
    expect(above[2]).toBeLessThan(0.1);
    expect(signedColour(-5, strength)).toEqual(signedColour(-2, strength));
  });

  test('stand in the page where pixels leave the range, and nowhere else', () => {
    const page = readPage(reportHtml(record, set));
    const [filter] = all(page, 'filter');
    const table = (name: string) => all(filter, name)[0].attributes.tableValues.split(' ').map(Number);
    const [red, green, blue] = ['feFuncR', 'feFuncG', 'feFuncB'].map(table);
    // The darkest pixel is the bluest one, the lightest the most orange.
    expect(blue[0]).toBeGreaterThan(red[0]);
    expect(red.at(-1)).toBeGreaterThan(blue.at(-1)! + 0.5);
    expect(green).toHaveLength(red.length);
    expect(textOf(page)).toMatch(
      /From 0 to 1 they are shown alike; what is darker than black \(below 0\) is blue, what is lighter than white \(above 1\) is orange/,
    );
    // Of pixels that all are below 0.6 the lightest is shown as white, and that is said.
    const dark = { ...set, images: set.images.map((value) => Math.min(value, 0.6)) };
    expect(textOf(readPage(reportHtml(record, dark)))).toMatch(
      /From 0 to 0\.60, the lightest there is, they are shown from black to white; what is darker than black \(below 0\) is blue, the stronger/,
    );
    const tame = { ...set, images: set.images.map((value) => (value + 1) / 3) };
    expect(all(readPage(reportHtml(record, tame)), 'filter')).toEqual([]);
    const colour = { ...record.dataset, imageShape: [3, 2, 2] as const, mean: [0, 0, 0], std: [1, 1, 1] };
    const rgb = setOf(2, 3, [...Array(24).keys()]);
    expect(all(readPage(reportHtml({ ...record, dataset: colour }, rgb)), 'filter')).toEqual([]);
  });
});

describe('what is taken for what', () => {
  const section = (confusion: number[][]): Element => {
    const K = confusion.length;
    const { dataset } = makeRecord({}, { classes: K, side: 2 });
    const classNames = dataset.classNames.map((name) => `<${name}>`);
    const many = setOf(K, 1, new Float32Array(4 * K));
    return sectionOf(
      readPage(reportHtml({ ...record, dataset: { ...dataset, classNames }, confusion }, many)),
      'What is taken for what',
    );
  };

  test('few classes have their numbers, and the worst mistakes first', () => {
    const found = section([
      [30, 10, 0],
      [0, 5, 15],
      [0, 0, 0],
    ]);
    expect(rowsOf(found)).toEqual([
      ['taken for →', '<0>', '<1>', '<2>'],
      ['<0>', '75', '25', ''],
      ['<1>', '', '25', '75'],
      ['<2>', '', '', ''],
    ]);
    expect(all(found, 'li').map(textOf)).toEqual(['<1> taken for <2>: 75.0 %', '<0> taken for <1>: 25.0 %']);
  });

  test('many classes have a pixel each, the darker the more often', () => {
    const confusion = Array.from({ length: 20 }, (_, i) =>
      Array.from({ length: 20 }, (_, j) => (i === j ? 3 : j === (i + 7) % 20 ? 1 : 0)),
    );
    const { width, data } = pngOf(all(section(confusion), 'img')[0].attributes.src.split(',')[1]);
    expect(width).toBe(20);
    const grey = (share: number) => Math.floor(255 * (1 - Math.sqrt(share)));
    for (const [place, value] of data.entries())
      expect(value).toBe(grey(confusion[Math.floor(place / 20)][place % 20] / 4));
  });
});
