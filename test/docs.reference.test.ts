import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { methods } from '../src/methods/index.js';
import { commonOptions } from '../src/methods/options.js';
import { parametrisations } from '../src/parametrisations/index.js';
import { tableOf } from '../src/runs/options.js';
import { buildWhereStale } from './harness/command-line.js';
import { root, text } from './harness/repository.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-reference-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The text of every file below a folder, by its path in it. */
function textsBelow(below: string): Record<string, string> {
  const paths = readdirSync(below, { recursive: true, encoding: 'utf8' });
  const files = paths.filter((path) => statSync(join(below, path)).isFile()).sort();
  return Object.fromEntries(
    files.map((path) => [path.replaceAll('\\', '/'), readFileSync(join(below, path), 'utf8')]),
  );
}

describe('the reference of the API', () => {
  it('is complete, and what the sources say now: else npm run docs', async () => {
    const typedoc = join(root, 'node_modules/typedoc/bin/typedoc');
    // Whatever is exported without a word on it, or named in a broken link, ends it with a status of its own.
    await promisify(execFile)(process.execPath, [typedoc, '--out', folder], { cwd: root });
    expect(textsBelow(join(root, 'docs/api'))).toEqual(textsBelow(folder));
  }, 300_000);
});

describe('docs/options.md', () => {
  const page = text('docs/options.md');

  it('is what the option tables say now: else npm run docs', async () => {
    await buildWhereStale();
    const file = join(folder, 'options.md');
    await promisify(execFile)(process.execPath, [join(root, 'scripts/options-page.mjs'), file]);
    expect(page).toBe(readFileSync(file, 'utf8'));
  }, 120_000);

  it('has a row with five filled cells for every option of a run, a method and a parametrisation', () => {
    const sections = page.split(/^#+ /m);
    const expectRows = (heading: string, names: readonly string[]) => {
      const section = sections.find((one) => one.startsWith(heading))!;
      const rows = section.split('\n').filter((line) => /^\| `/.test(line));
      expect(rows.map((row) => /^\| `(\w+)`/.exec(row)![1])).toEqual(names);
      for (const row of rows) {
        const cells = row.split(/(?<!\\)\|/).slice(1, -1);
        expect(
          cells.map((cell) => /^(\s*|\s*undefined\s*)$/.test(cell)),
          row,
        ).toEqual(Array(5).fill(false));
      }
    };
    expectRows('Every run\n', ['method', ...Object.keys(commonOptions)]);
    for (const { name, options } of Object.values(methods))
      expectRows(`Method \`${name}\`\n`, Object.keys(options));
    for (const { name, options } of Object.values(parametrisations))
      expectRows(`\`${name}\`\n`, Object.keys(options));
  });

  it('an option of one name is read from the command line in one way, whatever the method; none hides one of every run', () => {
    const kinds = new Map<string, string>();
    for (const method of Object.values(methods)) {
      expect(Object.keys(method.options).filter((name) => Object.hasOwn(commonOptions, name))).toEqual([]);
      for (const [name, { kind }] of Object.entries(tableOf(method))) {
        expect(kinds.get(name) ?? kind, name).toBe(kind);
        kinds.set(name, kind);
      }
    }
    expect(kinds.size).toBeGreaterThan(30);
  });
});
