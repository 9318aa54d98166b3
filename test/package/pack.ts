import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { root } from '../harness/repository.js';
import { installTarball, npmScript, succeed } from './run.js';

/** The packed package, installed once into an empty folder. */
export interface Packed {
  readonly folder: string;
  readonly tarball: string;
  readonly listed: readonly { readonly path: string; readonly size: number }[];
  /** Where it is installed: a project of someone else. */
  readonly user: string;
  /** A PATH with Node and a shell and nothing else: no node-gyp, no cmake, no compiler. */
  readonly tools: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    packed: Packed;
  }
}

/** Packs and installs before all tests; everything outside the checkout. */
export default async function (project: TestProject): Promise<() => void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'limbeck-package-')));
  const tools = barePath(join(folder, 'tools'));
  const user = join(folder, 'user');
  mkdirSync(user);
  const options = ['--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
  const { stdout } = await succeed(process.execPath, [npmScript('npm'), 'pack', ...options], { cwd: root });
  const report = JSON.parse(stdout);
  const [{ filename, files }] = Array.isArray(report) ? report : Object.values(report);
  const tarball = join(folder, filename);
  writeFileSync(join(user, 'package.json'), '{ "private": true }\n');
  await installTarball(tarball, user, tools);
  project.provide('packed', { folder, tarball, listed: files, user, tools });
  return () => rmSync(folder, { recursive: true, force: true });
}

function barePath(tools: string): string {
  if (process.platform === 'win32') return dirname(process.execPath);
  mkdirSync(tools);
  symlinkSync(process.execPath, join(tools, 'node'));
  for (const name of ['sh', 'env']) {
    const found = ['/bin', '/usr/bin'].map((path) => join(path, name)).find((path) => existsSync(path));
    if (found) symlinkSync(found, join(tools, name));
  }
  return tools;
}
