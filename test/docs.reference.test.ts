import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { root } from './harness/repository.js';

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
