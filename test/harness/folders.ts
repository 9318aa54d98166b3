import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

/** Where thousands of small files are written and read soonest: in memory, where the system has such a folder. */
export function inMemory(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

/** Folders that a test file makes: each with its own files, all gone when the tests have run. */
export function madeFolders(name: string, parent = tmpdir()) {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(parent, `limbeck-${name}-`));
  });
  afterAll(async () => {
    await rm(root, { recursive: true });
  });
  let made = 0;
  return {
    /** A new folder of these files, whose names may have folders in front. */
    async write(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
      const folder = join(root, `set-${made++}`);
      await mkdir(folder);
      for (const [file, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, file)), { recursive: true });
        await writeFile(join(folder, file), content);
      }
      return folder;
    },
  };
}
