/** Runs and networks that lie among the images of a data set. */
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { loadDataset } from '../src/data/load.js';
import { madeFolders } from './harness/folders.js';

const { write } = madeFolders('results');

/** Twelve images of two classes. */
async function set(): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < 12; i++)
    files[`${i % 2 ? 'b' : 'a'}/${i}.png`] = await sharp(new Uint8Array(6).fill(20 * i), {
      raw: { width: 3, height: 2, channels: 1 },
    })
      .png()
      .toBuffer();
  return files;
}

test('what limbeck wrote among images is no class, and that is said once', async () => {
  const images = await set();
  const run = { 'run.json': '{}', 'distilled.png': images['a/0.png'] };
  const below = (folder: string, files: Record<string, Uint8Array | string>) =>
    Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]));
  const trained = below('net', { 'network.safetensors': 'x' });
  const cut = below('b/cut', { 'checkpoint.safetensors': 'x', 'distilled.png': images['a/0.png'] });
  const data = await loadDataset(
    await write({ ...images, ...below('out', run), ...below('runs/first', run), ...trained, ...cut }),
    { validation: 0, test: 0 },
  );
  expect(data).toMatchObject({ classNames: ['a', 'b'], train: { count: 12 } });
  expect(data.notes).toContainEqual(
    expect.stringMatching(
      /^4 folders with results of limbeck left out: .*net, .*out, .*b.cut, .*runs.first$/,
    ),
  );
  const split = await loadDataset(
    await write({
      ...below('train', { ...images, ...below('out', run) }),
      ...below('test', images),
      ...trained,
    }),
  );
  expect(split.classNames).toEqual(['a', 'b']);
  expect(split.notes).toContainEqual(
    expect.stringMatching(/^2 folders with results of limbeck left out: .*net, .*train.out$/),
  );
});
