/** Projects of others with the package installed: no compiler, no optional packages, outside the checkout. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { root } from '../harness/repository.js';
import { answer, installTarball, npmScript, run, succeed } from './run.js';

const { folder, tarball, user, tools } = inject('packed');
const node = process.execPath;
const tool = (path: string) => join(root, 'node_modules', path);

/** A copy of test/fixtures/<name> outside the checkout with the tarball installed. */
async function project(name: string): Promise<string> {
  const copy = join(folder, name);
  cpSync(join(root, 'test/fixtures', name), copy, { recursive: true });
  await installTarball(tarball, copy, tools);
  return copy;
}

const npx = (...args: string[]) =>
  run(node, [npmScript('npx'), '--no-install', 'limbeck', ...args], { cwd: user, path: tools });

describe('the command line', () => {
  it('says which engines there are, and why webgpu is not', async () => {
    const { status, stdout, stderr } = await npx('devices', '--json');
    expect(status, stderr).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(1);
    const report = JSON.stringify(JSON.parse(lines[0]));
    expect(report).toMatch(/cpu/);
    expect(report).toMatch(/webgpu[^}]*not installed[^}]*npm install webgpu/);
  });

  it('distils', async () => {
    const { status, stdout, stderr } = await npx(
      ...['distill', '--dataset', 'digits', '--network', 'mlp', '--iterations', '3', '--batch', '32'],
      ...['--out', 'out', '--json'],
    );
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ engine: expect.anything() });
    const left = readdirSync(join(user, 'out')).filter((name) => name !== 'checkpoint.safetensors');
    const results = [
      'distilled.png',
      'distilled.safetensors',
      'film.jsonl',
      'progress.jsonl',
      'report.html',
      'run.json',
    ];
    expect(left.sort()).toEqual(results);
  });
});

describe('without a binary for this platform', () => {
  it('says what to do, and building says what is missing', async () => {
    const cwd = join(folder, 'bare');
    cpSync(user, cwd, { recursive: true, verbatimSymlinks: true });
    rmSync(join(cwd, 'node_modules/limbeck/prebuilds'), { recursive: true });
    const bare = { cwd, path: tools };
    const { stdout } = await succeed(node, [npmScript('npx'), '--no-install', 'limbeck', 'devices'], bare);
    expect(stdout).toMatch(/cpu +not available: .*\(the package brings none for it\).*build-native\.mjs/);
    if (process.platform === 'win32') return;
    const build = await run(node, ['node_modules/limbeck/scripts/build-native.mjs'], bare);
    expect(build.status).toBe(3);
    expect(build.stderr).toMatch(/^Missing: cmake.*; a C\+\+17 compiler.*; make or ninja/);
  });
});

describe('JavaScript', () => {
  it('imports it, and requires it', async () => {
    const cwd = await project('javascript');
    const options = { cwd, path: tools };
    expect(await answer(node, ['esm.mjs'], options)).toEqual({
      engine: 'cpu',
      loss: expect.stringMatching(/^\d/),
      images: 8,
    });
    expect(await answer(node, ['commonjs.cjs'], options)).toEqual({ engine: 'cpu', finite: true });
  });
});

/** The compiler of TypeScript 7, which is another program than the one that builds the package. */
async function typescript7(): Promise<string> {
  const cwd = join(folder, 'typescript-7');
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'package.json'), '{ "private": true }\n');
  await succeed(node, [npmScript('npm'), 'install', '--no-audit', '--no-fund', 'typescript@7'], { cwd });
  return join(cwd, 'node_modules/typescript/bin/tsc');
}

describe('TypeScript', () => {
  it.each([
    [6, async () => tool('typescript/bin/tsc')],
    [7, typescript7],
  ])('%i compiles against it, as Node resolves and as a bundler does, and it runs', async (_, compiler) => {
    const cwd = await project('typescript');
    const types = ['--typeRoots', tool('@types'), '--skipLibCheck', 'false'];
    const tsc = [await compiler(), '-p', '.', ...types];
    await succeed(node, tsc, { cwd });
    await succeed(node, [...tsc, '--noEmit', '--module', 'esnext', '--moduleResolution', 'bundler'], { cwd });
    expect(await answer(node, ['out/main.js'], { cwd, path: tools })).toEqual({
      outerSteps: 2,
      curve: 1,
      code: 'ERR_OPTION',
    });
  });

  it('needs no types of Node for limbeck/browser', async () => {
    const cwd = await project('vite');
    const options = [
      '--noEmit',
      '--allowJs',
      '--checkJs',
      '--strict',
      '--module',
      'esnext',
      '--moduleResolution',
      'bundler',
    ];
    const lib = ['--target', 'ES2022', '--lib', 'ES2023,ESNext.Disposable,DOM'];
    await succeed(node, [tool('typescript/bin/tsc'), ...options, ...lib, 'main.js'], { cwd });
  });
});

describe('a bundler', () => {
  it('bundles limbeck/browser without anything of Node', async () => {
    const cwd = await project('vite');
    await succeed(node, [tool('vite/bin/vite.js'), 'build', '--logLevel', 'warn'], { cwd });
    const scripts = readdirSync(join(cwd, 'dist/assets')).filter((name) => name.endsWith('.js'));
    expect(scripts).toHaveLength(1);
    const script = join('dist/assets', scripts[0]);
    expect(readFileSync(join(cwd, script), 'utf8')).not.toMatch(/["']node:|createRequire/);
    expect(await answer(node, [script], { cwd })).toEqual({
      loss: expect.stringMatching(/^\d/),
      images: 2,
      networks: true,
    });
  });
});

describe('worker threads', () => {
  it('may end in the middle of a run, a hundred times', async () => {
    const cwd = await project('worker');
    const options = { cwd, path: tools, timeout: 1_100_000 };
    expect(await answer(node, ['main.mjs', '25'], options)).toEqual({ terminated: 100, outerSteps: 5 });
  });
});

describe('a process', () => {
  const script = (end: string) => `
    import { distill, generateDigits, openDevice } from 'limbeck';
    const device = await openDevice('cpu');
    const digits = generateDigits({ train: 100, validation: 20, test: 20 });
    const options = { network: 'mlp', batch: 64, iterations: 1_000_000, validateEvery: 1_000_000 };
    ${end}`;

  it.each([
    ['ends with a device left open', '', 0],
    [
      'ends after a run, with everything left open',
      'await distill(device, digits, { ...options, iterations: 1 })',
      0,
    ],
    [
      'ends in the middle of a run when it says so',
      'distill(device, digits, options, { onProgress: () => process.exit(7) })',
      7,
    ],
    [
      'ends in the middle of a run that throws',
      "distill(device, digits, options, { onProgress: () => { throw new Error('no') } })",
      1,
    ],
  ])('%s', async (_, end, expected) => {
    const args = ['--input-type=module', '-e', script(end)];
    const { status, stderr } = await run(node, args, { cwd: user, path: tools, timeout: 300_000 });
    expect(status, stderr).toBe(expected);
    expect(stderr).not.toMatch(/ended by/);
  });
});
