/**
 * The package as its users get it: packed, installed into an empty folder without optional dependencies, install
 * scripts, compiler or cmake, and then used.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join, posix } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from './harness/repository.js';

const windows = process.platform === 'win32';
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'limbeck-package-')));
const user = join(folder, 'user');
const installed = join(user, 'node_modules/limbeck');
const tools = join(folder, 'tools');
const binary = `prebuilds/${process.platform}-${process.arch}/limbeck${process.platform === 'linux' ? '.glibc' : ''}.node`;

interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  command: string,
  args: string[],
  options: { cwd?: string; path?: string } = {},
): Promise<Result> {
  // What npm and vitest put into the environment of this process is none of the user's.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_|VITEST|NODE_ENV$|INIT_CWD$|VK_|LD_LIBRARY_PATH$)/.test(name),
    ),
  );
  if (options.path) env.PATH = options.path;
  const settings = { cwd: options.cwd ?? user, env, maxBuffer: 1 << 26 };
  try {
    return { status: 0, ...(await promisify(execFile)(command, args, settings)) };
  } catch (error) {
    const { code, stdout = '', stderr = '', message } = error as Error & Partial<Result> & { code: unknown };
    return { status: typeof code === 'number' ? code : 1, stdout, stderr: stderr || message };
  }
}

/** Fails with everything a command said when it did not end well. */
async function succeed(...args: Parameters<typeof run>): Promise<Result> {
  const result = await run(...args);
  expect(result.status, `${args[0]} ${args[1].join(' ')}\n${result.stdout}\n${result.stderr}`).toBe(0);
  return result;
}

/** npm's or npx's script, to be run with this Node. */
function npmScript(name: 'npm' | 'npx'): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js')
    ? process.env.npm_execpath
    : folders.map((path) => join(path, 'npm')).find((path) => existsSync(path));
  if (!npm) throw new Error('npm is not on the PATH');
  return join(dirname(realpathSync(npm)), `${name}-cli.js`);
}

/** A PATH with Node and a shell and nothing else: no cmake, no compiler. */
function barePath(): string {
  if (windows) return dirname(process.execPath);
  mkdirSync(tools);
  symlinkSync(process.execPath, join(tools, 'node'));
  for (const name of ['sh', 'env']) {
    const found = ['/bin', '/usr/bin'].map((path) => join(path, name)).find((path) => existsSync(path));
    if (found) symlinkSync(found, join(tools, name));
  }
  return tools;
}

const npx = (...args: string[]) =>
  run(process.execPath, [npmScript('npx'), '--no-install', 'limbeck', ...args], { path: tools });

let tarball = '';
let listed: { path: string; size: number }[] = [];

beforeAll(async () => {
  await succeed(process.execPath, ['scripts/setup.mjs', '--prebuild'], { cwd: root });
  mkdirSync(user);
  const packed = await succeed(
    process.execPath,
    [
      npmScript('npm'),
      'pack',
      '--json',
      '--ignore-scripts',
      '--loglevel=error',
      '--pack-destination',
      folder,
    ],
    { cwd: root },
  );
  const report = JSON.parse(packed.stdout);
  const [{ filename, files }] = Array.isArray(report) ? report : Object.values(report);
  tarball = join(folder, filename);
  listed = files;
  writeFileSync(join(user, 'package.json'), '{ "private": true }\n');
  await succeed(
    process.execPath,
    [
      npmScript('npm'),
      'install',
      '--ignore-scripts',
      '--omit=optional',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      tarball,
    ],
    { path: barePath() },
  );
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

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
    ])
      expect(paths()).toContain(needed);
    for (const folder of ['shaders', 'native'])
      expect(paths().filter((path) => path.startsWith(`${folder}/`)).length).toBeGreaterThan(5);
    const allowed =
      /^((dist|shaders|prebuilds|native)\/|(LICENSE|README\.md|CHANGELOG\.md|package\.json|CMakeLists\.txt|scripts\/build-native\.mjs)$)/;
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

describe('installed without optional dependencies, compiler or cmake', () => {
  it('says which engines there are, and why webgpu is not', async () => {
    const { status, stdout, stderr } = await npx('devices', '--json');
    expect(status, stderr).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(1);
    const report = JSON.stringify(JSON.parse(lines[0]));
    expect(report).toMatch(/cpu/);
    expect(report).toMatch(/webgpu[^}]*not installed[^}]*npm install webgpu/);
  });

  it('distils from the command line', async () => {
    const { status, stdout, stderr } = await npx(
      ...['distill', '--dataset', 'digits', '--network', 'mlp', '--iterations', '3', '--batch', '32'],
      ...['--out', 'out', '--json'],
    );
    expect(status, stderr).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0])).toBeTypeOf('object');
    const left = readdirSync(join(user, 'out')).filter((name) => name !== 'checkpoint.safetensors');
    expect(left.sort()).toEqual(resultFiles);
  });

  it('serves an ES module, on the native engine', async () => {
    writeFileSync(join(user, 'use.mjs'), script);
    const { stdout } = await succeed(process.execPath, ['use.mjs'], { path: tools });
    expect(JSON.parse(stdout)).toEqual({ engine: 'cpu', finite: true, images: 8 });
  });

  it('can be required from CommonJS', async () => {
    const source = "console.log(typeof require('limbeck').openDevice)";
    const { stdout } = await succeed(process.execPath, ['-e', source], { path: tools });
    expect(stdout.trim()).toBe('function');
  });

  it.each([
    ['limbeck', "openDevice('cpu')", { types: ['node'], typeRoots: [join(root, 'node_modules/@types')] }],
    [
      'limbeck/browser',
      "openDevice('reference')",
      { types: [], lib: ['ES2023', 'ESNext.Disposable', 'DOM'] },
    ],
  ])('brings types for %s that need no others', async (entry, use, options) => {
    const project = mkdtempSync(join(user, 'types-'));
    const name = /\w+(?=\()/.exec(use)?.[0];
    const source = `import { ${name} } from '${entry}';\nexport const device = await ${use};\n`;
    writeFileSync(join(project, 'use.mts'), source);
    const compilerOptions = { noEmit: true, strict: true, module: 'nodenext', target: 'ES2022', ...options };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['use.mts'] }));
    await succeed(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project]);
  });
});

/** What a run leaves; its checkpoint may stay beside them. */
const resultFiles = ['distilled.png', 'distilled.safetensors', 'report.html', 'run.json'];

const script = `
import { metaGradient, openDevice } from 'limbeck';
const device = await openDevice('cpu');
const { loss, images } = await metaGradient(device, {
  network: { name: 'mlp', inputShape: [1, 2, 2], classes: 2, width: 3 },
  parameters: Array.from({ length: 35 }, (_, i) => Math.sin(i)),
  images: [1, -1, 0.5, 2, -2, 1, 0, 1],
  labels: [1, 0, 0, 1],
  learningRates: [0.1],
  steps: 1,
  epochs: 1,
  realImages: [1, 0, 1, 0],
  realLabels: [0, 1],
});
console.log(JSON.stringify({ engine: device.engine, finite: Number.isFinite(loss), images: images.length }));
await device.dispose();
`;
