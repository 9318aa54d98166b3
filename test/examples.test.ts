/** Every program in examples/, as its head says it is started; each ends with an error where its result is not what it should be. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeArtefact, generateDigits, openDevice, predict, trainOn } from '../src/index.js';
import { inChromium } from './harness/chromium.js';
import { buildWhereStale } from './harness/command-line.js';
import { Project } from './harness/document.js';
import { withPage } from './harness/open-page.js';
import { files, text } from './harness/repository.js';

const project = new Project();
const server = 'examples/server.mjs';
beforeAll(async () => {
  await buildWhereStale();
  for (const path of files('examples')) project.save(path, text(path));
});
afterAll(() => project[Symbol.dispose]());

const programs = files('examples').filter((path) => path.endsWith('.mjs'));
it.each(programs)('%s says how it is started', (path) => {
  expect(text(path)).toContain(`*     node ${path}\n`);
});

it.each(programs.filter((path) => path !== server))('%s', async (path) => {
  expect(await project.run(process.execPath, path)).toMatch(/\d %/);
});

describe(server, () => {
  let address: string;
  let child: ReturnType<typeof spawn>;
  beforeAll(async () => {
    child = spawn(process.execPath, [server], {
      ...{ cwd: project.folder, env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] },
    });
    address = await new Promise((resolve, reject) => {
      let said = '';
      child.stdout!.setEncoding('utf8').on('data', (part: string) => {
        said += part;
        const found = /^http:\S+/m.exec(said);
        if (found) resolve(found[0]);
      });
      child.on('exit', (status) => reject(new Error(`the server ended with ${status}: ${said}`)));
    });
  }, 120_000);
  afterAll(async () => {
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.kill();
    await ended;
  });

  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(address + path, { method: 'POST', body: JSON.stringify(body) });
    return { status: response.status, ...((await response.json()) as object) };
  };
  const { test } = generateDigits({ train: 1, validation: 1, test: 200, seed: 3 });
  /** Dark digits on a light ground, which the ten images do not show. */
  const dark = Array.from({ length: 200 }, (_, i) =>
    Array.from(test.images.subarray(i * 784, (i + 1) * 784), (pixel) => 255 - pixel),
  );
  const right = async (from: number, user?: string) => {
    const { predictions } = await post('/predict', { images: dark.slice(from), user });
    const answers = (predictions as { class: string; probability: number }[]).map((one) => {
      expect(one.probability).toBeGreaterThan(0.1);
      return one.class;
    });
    return answers.filter((name, i) => name === String(test.labels[from + i])).length / answers.length;
  };

  it('adapts to ten labelled images of a user within a second, and of no other', async () => {
    const before = await right(10);
    const labels = Array.from(test.labels.subarray(0, 10), String);
    expect(new Set(labels).size).toBe(10);
    const { status, user, milliseconds } = await post('/adapt', { images: dark.slice(0, 10), labels });
    expect(status).toBe(200);
    expect(milliseconds).toBeLessThan(1000);
    const after = await right(10, user as string);
    console.log(
      `of dark digits ${(100 * before).toFixed(0)} % before and ${(100 * after).toFixed(0)} % after`,
    );
    expect(after).toBeGreaterThan(before + 0.15);
    expect(await right(10)).toBe(before);
  });

  it('says what is wrong with a request', async () => {
    expect(await post('/adapt', { images: [[1, 2]], labels: ['7'] })).toEqual({
      status: 400,
      error: 'images: expected lists of 784 bytes each, [1, 28, 28]',
    });
    const unknown = await post('/adapt', { images: dark.slice(0, 1), labels: ['eleven'] });
    expect(unknown).toMatchObject({ status: 400, error: expect.stringContaining('of 0, 1, 2') });
    expect(await post('/none', {})).toMatchObject({ status: 404 });
  });

  it('serves a page that trains in the browser and reads what is drawn', async () => {
    const html = await (await fetch(`${address}/`)).text();
    expect(html).toContain("from './reader.js'");
    expect((await fetch(`${address}/limbeck/browser.js`)).headers.get('content-type')).toBe(
      'text/javascript',
    );
    expect((await fetch(`${address}/../package.json`)).status).toBe(404);
    const bytes = new Uint8Array(await (await fetch(`${address}/set`)).arrayBuffer());
    const artefact = decodeArtefact(bytes);
    await using device = await openDevice('reference');
    const { model } = await trainOn(device, artefact);
    const { scores } = await predict(device, model, test.images.subarray(0, 784) as Uint8Array);
    const found = (await inChromium(`
      const { fitted, openReader } = await import('/examples/page/reader.js');
      const bytes = Uint8Array.from(atob('${Buffer.from(bytes).toString('base64')}'), (c) => c.charCodeAt(0));
      const reader = await openReader(bytes);
      const pixels = ${JSON.stringify([...test.images.subarray(0, 784)])};
      const drawing = new Uint8Array(280 * 280);
      for (let y = 100; y < 200; y++) for (let x = 30; x < 50; x++) drawing[y * 280 + x] = 255;
      return {
        engine: reader.engine,
        scores: [...(await reader.read(pixels))],
        fitted: [...fitted(drawing, 280, reader.inputShape)],
      };
    `)) as { engine: string; scores: number[]; fitted: number[] };
    expect(found.engine).toBe('webgpu');
    for (const [k, score] of scores.entries()) expect(Math.abs(found.scores[k] - score)).toBeLessThan(1e-3);
    // A stroke of 100 x 20 becomes one of 20 x 4 in the middle.
    const inked = found.fitted.flatMap((value, i) => (value > 127 ? [[Math.floor(i / 28), i % 28]] : []));
    expect(inked).toHaveLength(80);
    expect([inked[0], inked[79]]).toEqual([
      [4, 12],
      [23, 15],
    ]);
    expect(artefact.set.classes).toHaveLength(10);
  });

  it('reads a digit that is drawn with the mouse', async () => {
    await withPage(`${address}/`, async (page) => {
      await page.until(
        `document.querySelector('#status')?.textContent.includes('Draw a digit')`,
        `document.querySelector('#status')?.textContent`,
      );
      const [left, top] = (await page.value(
        `(({ left, top }) => [left, top])(document.querySelector('#drawing').getBoundingClientRect())`,
      )) as [number, number];
      const draw = async (stroke: readonly (readonly [number, number])[]) => {
        await page.value(`document.querySelector('#clear').click()`);
        expect(await page.value(`document.querySelectorAll('#answer tr').length`)).toBe(0);
        await page.drag(stroke.map(([x, y]) => [left + x, top + y] as const));
        await page.until(
          `document.querySelectorAll('#answer tr').length === 3`,
          `document.querySelector('#answer').textContent`,
        );
        return page.value(`document.querySelector('#answer td').textContent`);
      };
      const steps = [...Array(25).keys()].map((i) => i / 24);
      expect(await draw(steps.map((t) => [150 - 20 * t, 50 + 180 * t]))).toBe('1');
      const round = steps.map((t) => 2 * Math.PI * t);
      expect(await draw(round.map((a) => [140 + 60 * Math.sin(a), 140 - 90 * Math.cos(a)]))).toBe('0');
    });
  });
});
