/** Every command and every program of the tutorial, in the order in which it is read. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildWhereStale } from './harness/command-line.js';
import { blocksOf, Project } from './harness/document.js';

const project = new Project();
beforeAll(buildWhereStale);
afterAll(() => project[Symbol.dispose]());

const blocks = blocksOf('docs/tutorial.md');
const at = (name: string) => join(project.folder, name);

it('has a command for everything it tells a reader to do', () => {
  const commands = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.trim().split('\n'));
  expect(commands.map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
    'npm install limbeck',
    'npx limbeck devices',
    'npx limbeck distill',
    'npx limbeck evaluate',
    'npx limbeck resume',
    'node first.mjs',
    'node read.mjs',
  ]);
});

it('does what it says, and shows a table as it is printed', async () => {
  const said: string[] = [];
  for (const { language, name, code } of blocks) {
    if (language === 'js') project.save(name, code);
    // The project has the package already.
    else if (language === 'sh') said.push(await project.shell(code.replace('npm install limbeck\n', '')));
  }
  const [devices, distilled, evaluated, resumed, first, read] = said;
  expect(devices).toMatch(/^auto takes (cpu|webgpu)/m);
  const shown = blocks.find(({ language }) => language === 'text')!.code.trim();
  // The numbers are those of another machine.
  const withoutNumbers = (table: string) => table.replace(/\d+\.\d/g, '').replace(/ +/g, ' ');
  expect(withoutNumbers(distilled)).toContain(withoutNumbers(shown));
  expect(Number(/distilled images +(\S+) %/.exec(distilled)![1])).toBeGreaterThan(80);
  for (const name of ['report.html', 'distilled.png', 'run.json'])
    expect(existsSync(at(`runs/first/${name}`)), name).toBe(true);
  expect(evaluated).toMatch(/^ +9 +\d+\.\d %$/m);
  expect(resumed).toMatch(/finished/);
  expect(Number(/^distilled images: (\S+) %/m.exec(first)![1])).toBeGreaterThan(70);
  expect(readFileSync(at('first.png')).subarray(1, 4).toString()).toBe('PNG');
  expect(read).toMatch(/^lenet, 1 x 3 steps, 10 images$/m);
}, 600_000);
