/** Documentation that runs: the code blocks of a page, in a folder that has the package as its users have it. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { root, text } from './repository.js';

/** A code block: ```` ```language name ````. */
export interface Block {
  readonly language: string;
  /** The file a reader saves it as, or what a test calls it by. */
  readonly name: string;
  readonly code: string;
}

/** The code blocks of a page of documentation, in order. */
export function blocksOf(page: string): Block[] {
  const blocks = text(page).matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms);
  return [...blocks].map(([, language, name = '', code]) => ({ language, name, code }));
}

/** A project of a user with the package in it: what `npm install limbeck` makes, by links to the checkout. */
export class Project {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'limbeck-project-')));

  constructor() {
    const bin = join(this.folder, 'node_modules/.bin');
    mkdirSync(bin, { recursive: true });
    symlinkSync(root, join(this.folder, 'node_modules/limbeck'), 'junction');
    const command = join(bin, 'limbeck');
    writeFileSync(command, `#!/bin/sh\nexec node '${join(root, 'dist/cli/main.js')}' "$@"\n`);
    chmodSync(command, 0o755);
  }

  save(name: string, content: string | Uint8Array): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  /** What a command says, on standard output and then on standard error. Fails with all of it where the command does. */
  async run(command: string, ...args: string[]): Promise<string> {
    const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
    const options = { cwd: this.folder, env: { ...process.env, PATH }, timeout: 300_000 };
    const { stdout, stderr } = await promisify(execFile)(command, args, options);
    return stdout + stderr;
  }

  /** The lines of a block for a shell, as a reader types them. */
  shell(code: string): Promise<string> {
    return this.run('sh', '-e', '-c', code);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
