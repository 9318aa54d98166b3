/** What is in the packed package, and whether every kind of consumer finds its way in. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, posix } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { root } from '../harness/repository.js';
import { run, succeed } from './run.js';

const { folder, tarball, listed, user } = inject('packed');
const installed = join(user, 'node_modules/limbeck');
const binary = `prebuilds/${process.platform}-${process.arch}/limbeck${process.platform === 'linux' ? '.glibc' : ''}.node`;

describe('the tarball', () => {
  const paths = () => listed.map(({ path }) => path);

  it('holds what is needed to run and to build, and nothing else', () => {
    for (const needed of [
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'package.json',
      'CMakeLists.txt',
      'scripts/build-native.mjs',
      'native/addon.cc',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/browser.js',
      'dist/cli/main.js',
      binary,
      'docs/data.md',
      'docs/tutorial.md',
      'docs/api/limbeck.md',
      'examples/ten-digits.mjs',
    ])
      expect(paths()).toContain(needed);
    for (const folder of ['shaders', 'native'])
      expect(paths().filter((path) => path.startsWith(`${folder}/`)).length).toBeGreaterThan(5);
    const allowed =
      /^((dist|docs|examples|shaders|prebuilds|native)\/|(LICENSE|README\.md|CHANGELOG\.md|package\.json|CMakeLists\.txt|scripts\/build-native\.mjs)$)/;
    expect(paths().filter((path) => !allowed.test(path))).toEqual([]);
    expect(paths().filter((path) => /(^|\/)\.|\.(tsbuildinfo|log)$|\.test\./.test(path))).toEqual([]);
  });

  it('is small', () => {
    expect(statSync(tarball).size).toBeLessThan(8_000_000);
  });

  it('holds no compiled file without a source', () => {
    const stale = paths().filter((path) => {
      const module = /^dist\/(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(path);
      return module && !existsSync(join(root, 'src', `${module[1]}.ts`));
    });
    expect(stale).toEqual([]);
  });

  it('holds source maps that bring their sources, and no mention of one that is not there', () => {
    for (const path of paths().filter((path) => path.endsWith('.map'))) {
      const { sources, sourcesContent } = JSON.parse(readFileSync(join(installed, path), 'utf8'));
      for (const [i, source] of sources.entries())
        if (!sourcesContent?.[i]) expect(paths(), path).toContain(posix.join(posix.dirname(path), source));
    }
    for (const path of paths().filter((path) => /\.[jt]s$/.test(path))) {
      const named = /\/\/# sourceMappingURL=(\S+)\s*$/.exec(readFileSync(join(installed, path), 'utf8'))?.[1];
      if (named) expect(paths(), path).toContain(posix.join(posix.dirname(path), named));
    }
  });

  it('names no folder of the machine that made it', () => {
    const folders = [root, join(homedir(), '/')].filter((path) => path.split(/[/\\]/).length > 2);
    for (const path of paths()) {
      const bytes = readFileSync(join(installed, path));
      for (const name of folders) expect(bytes.includes(name), `${path} holds ${name}`).toBe(false);
    }
  });
});

describe('publint', () => {
  it('finds nothing', async () => {
    const script = join(root, 'node_modules/publint/src/cli.js');
    const { stdout, status } = await run(process.execPath, [script, tarball, '--strict'], { cwd: folder });
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(/All good/);
  });
});

describe('the types', () => {
  it('resolve for every kind of import', async () => {
    const script = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    // An ES module that CommonJS may require, which every supported Node can.
    const options = [
      '--profile',
      'node16',
      '--ignore-rules',
      'cjs-resolves-to-esm',
      '--format',
      'ascii',
      '--no-emoji',
    ];
    const { stdout } = await succeed(process.execPath, [script, tarball, ...options], { cwd: folder });
    expect(stdout).toMatch(/limbeck\/browser/);
  });
});

describe('the prebuilt binaries', () => {
  const gate = () =>
    run(process.execPath, [join(root, 'scripts/check-prebuilds.mjs'), installed], { cwd: folder });

  it('run on every Linux from glibc 2.28 on where they could be built so, and else say that they do not', async () => {
    const { status, stdout } = await gate();
    const lines = stdout.trim().split('\n');
    const could = existsSync(join(root, 'build/portable/.packages'));
    expect(
      lines.every((line) =>
        could ? line.endsWith(': portable') : /: (portable|for this machine only: )/.test(line),
      ),
      stdout,
    ).toBe(true);
    expect(status).toBe(lines.every((line) => line.endsWith(': portable')) ? 0 : 1);
    expect(lines.map((line) => line.split(':')[0])).toContain(binary.replace('prebuilds/', ''));
  });

  it('are refused with what other systems lack', async () => {
    const strange = mkdtempSync(join(folder, 'gate-'));
    const place = join(strange, 'prebuilds/linux-x64');
    mkdirSync(place, { recursive: true });
    copyFileSync(join(installed, binary), join(place, 'limbeck.musl.node'));
    writeFileSync(join(place, 'limbeck.glibc.node'), 'not a library');
    const script = join(root, 'scripts/check-prebuilds.mjs');
    const { status, stdout } = await run(process.execPath, [script, strange, '--all'], { cwd: folder });
    expect(status).toBe(1);
    expect(stdout).toMatch(/limbeck\.glibc\.node: for this machine only: expected a 64-bit/);
    if (process.platform === 'linux')
      expect(stdout).toMatch(/limbeck\.musl\.node: for this machine only: it needs lib/);
    expect(stdout).toMatch(/darwin-arm64\/limbeck\.node: missing/);
  });
});
