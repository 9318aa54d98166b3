/** The commands on data of one's own: how files were read travels with a run and with what comes out of it. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../src/cli/config.js';
import { command as distill } from '../src/cli/distill.js';
import { command as evaluate } from '../src/cli/evaluate.js';
import { readingOptions } from '../src/cli/options.js';
import { dataSource, openData, readingGiven } from '../src/cli/sources.js';
import { decodeArtefact } from '../src/eval/artefact.js';
import { decodeSafetensors } from '../src/util/safetensors.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limbeck-cli-data-'));
  for (const part of ['train', 'test'])
    for (const name of ['dark', 'light'])
      await mkdir(join(folder, 'pictures', part, name), { recursive: true });
  for (let i = 0; i < 48; i++) {
    const name = i % 2 ? 'light' : 'dark';
    const level = (i % 2) * 120 + 40;
    const data = Uint8Array.from({ length: 6 * 5 * 3 }, (_, at) => level + ((at * 7 + i * 13) % 60));
    await sharp(data, { raw: { width: 6, height: 5, channels: 3 } })
      .png()
      .toFile(join(folder, 'pictures', i < 40 ? 'train' : 'test', name, `${i}.png`));
  }
});
afterAll(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

describe('a folder of images, whitened', () => {
  test('is distilled, shown as pictures, and evaluated as it was read', async () => {
    const out = join(folder, 'run');
    const lines: string[] = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
    const values = {
      ...{ dataset: join(folder, 'pictures'), imageSize: '4', zca: true, out, json: true },
      ...{ device: 'reference', network: 'mlp', iterations: 2, batch: 8 },
    };
    expect(await distill.run({ values, positionals: [] })).toBe(0);

    const record = JSON.parse(await readFile(join(out, 'run.json'), 'utf8'));
    expect(record.config.reading).toEqual({ imageSize: [4, 4], zca: true });
    expect(record.dataset).toMatchObject({
      imageShape: [3, 4, 4],
      classNames: ['dark', 'light'],
      mean: [0, 0, 0],
      std: [1, 1, 1],
      zca: { epsilon: 0.1 },
    });
    expect(await readFile(join(out, 'report.html'), 'utf8')).toMatch(/ZCA-whitened with ε = 0.1/);

    const path = join(out, 'distilled.safetensors');
    const bytes = await readFile(path);
    expect(decodeArtefact(bytes).notes.reading).toMatchObject({ imageSize: [4, 4], zca: true });
    const { images, images_shown: shown } = decodeSafetensors(bytes).tensors;
    expect(shown.shape).toEqual(images.shape);
    expect(shown.data).not.toEqual(images.data);

    const pictures = async () => (await readFile(join(out, 'report.html'), 'utf8')).match(/data:image[^"]*/g);
    const before = await pictures();
    // Two distilled ones, a real one of each class, the colour scale, and two moments of the film.
    expect(before).toHaveLength(7);

    // No size and no whitening are asked for: the file knows.
    const again = { dataset: values.dataset, device: 'reference', json: true, noBaselines: true };
    expect(await evaluate.run({ values: again, positionals: [path] })).toBe(0);
    const { sameData, testAccuracy } = JSON.parse(lines.at(-1) ?? '');
    expect(sameData).toBe(true);
    expect(testAccuracy).toEqual(record.testAccuracy);

    // Nor where the data lie: the run around the file knows. The folder of the run will do.
    const { dataset: _, ...unnamed } = again;
    expect(await evaluate.run({ values: unnamed, positionals: [out] })).toBe(0);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ sameData: true, testAccuracy, file: path });
    const alone = join(folder, 'alone.safetensors');
    await writeFile(alone, bytes);
    await expect(evaluate.run({ values: unnamed, positionals: [alone] })).rejects.toThrow(
      /alone\.safetensors was made from pictures: say where that lies with --dataset PATH/,
    );

    // Under a protocol for whitened images; the page goes on showing the pictures of the run.
    const asked = { ...again, networks: 1, protocol: 'mtt', augmentation: 'crop_rotate' };
    expect(await evaluate.run({ values: asked, positionals: [path] })).toBe(0);
    expect(JSON.parse(lines.at(-1) ?? '').protocol).toMatch(
      /^mlp on ZCA-whitened images, protocol mtt: .*augmentation crop_rotate \(.*\), .*augmentation crop_rotate in place of dsa$/,
    );
    const { evaluations } = JSON.parse(await readFile(join(out, 'run.json'), 'utf8'));
    expect(evaluations).toHaveLength(2);
    expect(await pictures()).toEqual(before);
  });

  test('is told from one that is not', async () => {
    vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
    const values = { dataset: join(folder, 'pictures'), imageSize: '4', device: 'reference', json: true };
    const made = { ...values, out: join(folder, 'plain'), network: 'mlp', iterations: 1, batch: 8 };
    expect(await distill.run({ values: made, positionals: [] })).toBe(0);
    const run = (more: object) =>
      evaluate.run({
        values: { ...values, ...more },
        positionals: [join(folder, 'plain/distilled.safetensors')],
      });
    await expect(run({ zca: true })).rejects.toThrow(/were not whitened: leave --zca out/);
    await expect(run({ protocol: 'mtt' })).rejects.toThrow(/protocol mtt .*distil with --zca/);
    await expect(
      evaluate.run({
        values: { dataset: 'digits', device: 'reference', json: true },
        positionals: [join(folder, 'run/distilled.safetensors')],
      }),
    ).rejects.toThrow(/was made from ZCA-whitened images, .* add --zca/);
  });
});

describe('options of reading', () => {
  test('from the command line, and only those that were given', () => {
    expect(readingGiven({})).toBeUndefined();
    expect(readingGiven({ imageSize: '32x48', channels: 1, layout: 'nhwc', labelColumn: 'y' })).toEqual({
      imageSize: [32, 48],
      channels: 1,
      layout: 'nhwc',
      labelColumn: 'y',
    });
    for (const wrong of [{ imageSize: '32,48' }, { layout: 'chw' }, { labelSet: 'both' }])
      expect(() => readingGiven(wrong)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
  });

  test('from a configuration file: a switch is true or false', async () => {
    const path = join(folder, 'config.json');
    await writeFile(path, '{ "zca": true, "imageSize": "8" }');
    expect(await readConfig(path, readingOptions)).toEqual({ zca: true, imageSize: '8' });
    await writeFile(path, '{ "zca": "yes" }');
    await expect(readConfig(path, readingOptions)).rejects.toThrow(/zca is "yes", expected true or false/);
  });

  test('that do not apply are refused', async () => {
    const source = dataSource({ dataset: 'digits', reading: { layout: 'nhwc' } });
    await expect(openData(source)).rejects.toMatchObject({ code: 'ERR_OPTION' });
  });
});
