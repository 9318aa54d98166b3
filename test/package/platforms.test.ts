/** The packed package on other versions of Node and on another processor, and its own kernels held to the reference. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { root } from '../harness/repository.js';
import { answer, succeed } from './run.js';

interface NodeVersion {
  readonly name: string;
  readonly arch: string;
  readonly command?: readonly [string, ...string[]];
  readonly reason?: string;
}

const { folder, user } = inject('packed');
const versions: NodeVersion[] = JSON.parse(process.env.LIMBECK_NODES ?? '[]');
const usable = versions.flatMap(({ name, arch, command }) => (command ? [{ name, arch, command }] : []));
for (const { name, reason } of versions) if (reason) console.warn(`not tested: ${name}, because ${reason}`);
if (!usable.length) throw new Error('no version of Node to test with: run npm run test:package');

const kernels = join(folder, 'kernels');

beforeAll(async () => {
  cpSync(join(root, 'test/fixtures/javascript'), user, { recursive: true });
  // The checks compiled, beside the installed binaries: no test runner works under an emulator.
  mkdirSync(kernels);
  const compilerOptions = {
    ...{ noEmit: false, declaration: false, sourceMap: false, rootDir: root, outDir: join(kernels, 'out') },
    typeRoots: [join(root, 'node_modules/@types'), join(root, 'node_modules')],
    types: ['node', '@webgpu/types'],
  };
  const files = [join(root, 'test/harness/check-kernels.ts')];
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: [], files };
  writeFileSync(join(kernels, 'tsconfig.json'), JSON.stringify(config));
  await succeed(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', kernels], {
    cwd: kernels,
  });
  for (const name of ['node_modules/limbeck/prebuilds', 'node_modules/limbeck/package.json', 'node_modules'])
    symlinkSync(join(user, name), join(kernels, name.split('/').at(-1)!));
});

describe.each(usable)('$name on $arch', ({ command: [program, ...args] }) => {
  const start = (script: string) => answer(program, [...args, script], { cwd: user, timeout: 1_100_000 });

  it('imports the package and computes on the native engine', async () => {
    expect(await start('esm.mjs')).toEqual({ engine: 'cpu', loss: expect.stringMatching(/^\d/), images: 8 });
  });

  it('requires it', async () => {
    expect(await start('commonjs.cjs')).toEqual({ engine: 'cpu', finite: true });
  });
});

describe.each([...new Set(usable.map(({ arch }) => arch))])('the packed kernels for %s', (arch) => {
  it('agree with the reference on every case of every op', async () => {
    const { command } = usable.findLast((version) => version.arch === arch)!;
    const [program, ...args] = command;
    const report = await answer(program, [...args, 'out/test/harness/check-kernels.js'], { cwd: kernels });
    expect(report).toMatchObject({ arch, failures: [] });
    expect((report as { cases: number }).cases).toBeGreaterThan(400);
  });
});
