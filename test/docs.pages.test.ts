/** Pages of the documentation that stand by themselves: their programs run and their links lead somewhere. */
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodePng } from '../src/util/png.js';
import { buildWhereStale } from './harness/command-line.js';
import { blocksOf, Project } from './harness/document.js';
import { files, root, text } from './harness/repository.js';

const project = new Project();
beforeAll(buildWhereStale);
afterAll(() => project[Symbol.dispose]());

it('docs/data.md: arrays of a program become a data set', async () => {
  const [{ name, code }] = blocksOf('docs/data.md');
  project.save(name, code);
  expect(await project.run(process.execPath, name)).toBe('2 2 1\n');
});

it('docs/networks.md: a network of one’s own in a configuration file', async () => {
  const [{ name, code }] = blocksOf('docs/networks.md');
  project.save(name, code);
  const short = ['--digits-size', '200', '--iterations', '2', '--batch', '16', '--json', '--out', 'own'];
  await project.run('npx', 'limbeck', 'distill', name, ...short);
  const record = JSON.parse(readFileSync(join(project.folder, 'own/run.json'), 'utf8'));
  expect(record.config.options.network).toEqual(JSON.parse(code).network);
});

it('docs/experts.md: experts are trained and read by a program', async () => {
  const { name, code } = blocksOf('docs/experts.md').find(({ language }) => language === 'js')!;
  project.save(name, code);
  expect(await project.run(process.execPath, name)).toBe('2 3 true\n');
});

it('docs/using.md: a network of a set is trained, asked and exported', async () => {
  const blocks = Object.fromEntries(blocksOf('docs/using.md').map(({ name, code }) => [name, code]));
  const short = [
    '--digits-size',
    '500',
    '--iterations',
    '20',
    '--batch',
    '32',
    '--json',
    '--out',
    'runs/first',
  ];
  await project.run('npx', 'limbeck', 'distill', '--dataset', 'digits', ...short);
  expect(await project.shell(blocks.train)).toMatch(/test accuracy \d+\.\d %/);
  const png = encodePng({ width: 30, height: 28, channels: 1, data: new Uint8Array(840) });
  for (const name of ['seven.png', 'drawings/a.png']) project.save(name, png);
  expect(await project.shell(blocks.predict)).toMatch(/seven\.png .* %.*\n.*drawings.a\.png .* %/);
  expect(await project.shell(blocks.export)).toContain('Wrote net.onnx');
  project.save('use.mjs', blocks['use.mjs']);
  expect(await project.run(process.execPath, 'use.mjs')).toMatch(/^\d \d{6}\n$/);
});

it('docs/comparing.md: two methods are compared by a program', async () => {
  const { name, code } = blocksOf('docs/comparing.md').find(({ language }) => language === 'js')!;
  project.save(name, code);
  const lines = (await project.run(process.execPath, name)).trim().split('\n');
  expect(lines).toEqual([
    expect.stringMatching(/^unrolled \d+(\.\d+)? \d+(\.\d+)?$/),
    expect.stringMatching(/^dm:iterations=20:batch=32:protocol=dc \d+(\.\d+)? \d+(\.\d+)?$/),
  ]);
});

it('docs/analyses.md: trace and eigenvalues are found by a program', async () => {
  const { name, code } = blocksOf('docs/analyses.md').find(({ language }) => language === 'js')!;
  project.save(name, code);
  expect(await project.run(process.execPath, name)).toBe('true 0 true\n');
});

/** As GitHub makes them of headings. */
const anchorsOf = (page: string) =>
  [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

it('links to files and headings that are there', () => {
  const pages = files().filter((file) => file.endsWith('.md') && !file.startsWith('docs/api/'));
  const wrong = pages.flatMap((page) =>
    [...text(page).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [path, anchor] = link.split('#');
      const target = path === '' ? page : posix.join(posix.dirname(page), path);
      const there = existsSync(join(root, target)) && (!anchor || anchorsOf(text(target)).includes(anchor));
      return there ? [] : [`${page}: ${link}`];
    }),
  );
  expect(wrong).toEqual([]);
});
