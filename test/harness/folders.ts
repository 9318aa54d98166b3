import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

/** Folders that a test file makes: each with its own files, all gone when the tests have run. */
export function madeFolders(name: string) {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), `limbeck-${name}-`));
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
