/** A set of reviews from its file to the page, by the command line and as a program has it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeArtefact, decodeModel, embedTexts, loadDataset, openDevice, predict } from '../src/index.js';
import { buildWhereStale, commandLine, type Ended } from './harness/command-line.js';
import { madeFolders } from './harness/folders.js';
import { jsonLines, madeReviews } from './harness/made-reviews.js';

const made = madeFolders('text-run');
let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const run = (...args: string[]): Promise<Ended> =>
  commandLine(folder).limbeck(...args, '--device', 'cpu', '--threads', '1');
const small = [
  '--dataset',
  'reviews.jsonl',
  '--network',
  'mlp:width=16',
  '--iterations',
  '60',
  '--validate-every',
  '20',
];

describe('reviews', () => {
  beforeAll(async () => {
    await buildWhereStale();
    folder = await made.write({ 'reviews.jsonl': jsonLines(madeReviews(80)) });
    const done = await run('distill', ...small, '--labels', 'soft', '--out', 'run');
    expect(done.stderr, done.stderr).toMatch(/2 distilled texts \(1 per class\)/);
    expect(done.stderr).toMatch(/^ {2}good: \S+ -?\d\.\d\d, /m);
    expect(done.status).toBe(0);
  }, 120_000);

  test('the record and the file say how texts are read, and what the learned ones look like', async () => {
    const record = JSON.parse(readFileSync(at('run/run.json'), 'utf8'));
    const text = {
      ...{
        tokeniser: 'limbeck-words-1',
        length: record.dataset.imageShape[1],
        width: record.dataset.imageShape[2],
      },
      embeddings: 'the training texts (PPMI, SVD)',
    };
    expect(record.dataset.text).toMatchObject(text);
    expect(record.protocol).toMatch(/2 texts per step/);
    const bytes = readFileSync(at('run/distilled.safetensors'));
    expect(decodeArtefact(bytes).notes.text).toEqual(record.dataset.text);
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
    const nearest: [string, number][][] = JSON.parse(header.__metadata__.nearest_words);
    const data = await loadDataset(at('reviews.jsonl'));
    expect(nearest).toHaveLength(2);
    for (const places of nearest) {
      expect(places).toHaveLength(text.length);
      for (const [word, cosine] of places) {
        expect(data.text!.words).toContain(word);
        expect(Math.abs(cosine)).toBeLessThanOrEqual(1);
      }
    }
  });

  test('there are no pictures; the page has words, their nearness, learned labels and real texts', () => {
    for (const name of ['distilled.png', 'film.jsonl']) expect(existsSync(at('run', name))).toBe(false);
    const page = readFileSync(at('run/report.html'), 'utf8');
    const plain = page.replace(/<(style|svg)[\s\S]*?<\/\1>/g, '').replace(/<[^>]+>/g, ' ');
    expect(page).not.toMatch(/<img class="(distilled|real)"/);
    expect(page.match(/class="text distilled"/g)).toHaveLength(2);
    expect(page.match(/class="text real"/g)).toHaveLength(2);
    expect(page.match(/class="soft"/g)).toHaveLength(2);
    expect(page).toMatch(/<span style="opacity:[\d.]+">[^<]+<sub>-?\d+<\/sub><\/span>/);
    expect(plain).toMatch(/2 texts teach this MLP/);
    expect(plain.match(/\bimages?\b/g)).toEqual(['images', 'images', 'images', 'images']); // the tensor's name, in the lines of Python, and an option's
  });

  test('evaluate finds the number again; other embeddings are other data', async () => {
    const again = await run(
      'evaluate',
      'run/distilled.safetensors',
      '--dataset',
      'reviews.jsonl',
      '--no-baselines',
      '--json',
    );
    const { testAccuracy, sameData } = JSON.parse(again.stdout);
    const record = JSON.parse(readFileSync(at('run/run.json'), 'utf8'));
    expect(testAccuracy.mean).toBe(record.testAccuracy.mean);
    expect(sameData).toBe(true);
    const width = record.dataset.imageShape[2];
    const words = readFileSync(at('reviews.jsonl'), 'utf8')
      .toLowerCase()
      .match(/[a-z]+/g)!;
    const numbers = Array.from({ length: width }, (_, i) => 1 / (i + 1)).join(' ');
    writeFileSync(at('v.vec'), [...new Set(words)].map((word) => `${word} ${numbers}\n`).join(''));
    const other = await run(
      ...['evaluate', 'run/distilled.safetensors', '--dataset', 'reviews.jsonl', '--no-baselines', '--json'],
      ...['--embeddings', 'v.vec'],
    );
    expect(JSON.parse(other.stdout).sameData).toBe(false);
  }, 60_000);

  test('a network that was trained on it reads texts', async () => {
    const trained = await run(
      'train',
      '--on',
      'run/distilled.safetensors',
      '--dataset',
      'reviews.jsonl',
      '--out',
      'net',
    );
    expect(trained.status, trained.stderr).toBe(0);
    writeFileSync(at('some.txt'), 'A great and lovely film.\n\nWhat a boring plot!\n');
    const said = await run('predict', 'net', 'some.txt', 'a dull cast', 'xyzzy', '--json');
    const { predictions } = JSON.parse(said.stdout);
    expect(predictions.map(({ text }: { text: string }) => text)).toEqual([
      'some.txt:1',
      'some.txt:3',
      '"a dull cast"',
      '"xyzzy"',
    ]);
    const model = decodeModel(readFileSync(at('net/network.safetensors')));
    const device = await openDevice('reference');
    try {
      const { text } = model.normalisation;
      const { scores } = await predict(device, model, embedTexts(text!, ['A great and lovely film.']));
      expect(scores[1]).toBeCloseTo(predictions[0].probabilities.good, 5);
      // The rows of words, as a split has them, are the same texts.
      const data = await loadDataset(at('reviews.jsonl'));
      expect(text).toEqual(data.text);
      const rows = await predict(device, model, data.test.images);
      expect(rows.classes).toHaveLength(data.test.count);
      await expect(
        predict(
          device,
          model,
          Uint32Array.from({ length: text!.length }, () => 1e6),
        ),
      ).rejects.toMatchObject({
        code: 'ERR_DATA',
      });
    } finally {
      await device.dispose();
    }
    const unknown = await run('predict', 'net', 'none.txt');
    expect(unknown.stderr).toMatch(/none\.txt cannot be read/);
  }, 60_000);

  test('what matching does to pictures it does not do to texts; data and plan tell of texts', async () => {
    const matched = await run(
      'distill',
      '--dataset',
      'reviews.jsonl',
      '--method',
      'dm',
      '--network',
      'mlp:width=8',
      '--iterations',
      '4',
      '--networks',
      '2',
      '--out',
      'dm',
      '--json',
    );
    expect(matched.status, matched.stderr).toBe(0);
    const { config } = JSON.parse(readFileSync(at('dm/run.json'), 'utf8'));
    expect(config.options).toMatchObject({ augmentation: 'none', protocol: 'dm-texts' });
    const shown = await commandLine(folder).limbeck('data', 'reviews.jsonl');
    expect(shown.stdout).toMatch(/2 classes, texts of \d+ words/);
    expect(shown.stdout).not.toMatch(/image/);
    const plan = await run('plan', ...small, '--untimed');
    expect(plan.stdout).toMatch(/2 distilled texts/);
    expect(plan.stdout).not.toMatch(/image/);
  }, 60_000);

  test('a run goes on', async () => {
    const resumed = await run('resume', 'run', '--iterations', '80');
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(JSON.parse(readFileSync(at('run/run.json'), 'utf8')).config.options.iterations).toBe(80);
  }, 60_000);
});
