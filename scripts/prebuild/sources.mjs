import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** Puts all that the native engine is built from into a tree that is built in by chroot; returns the folder there. */
export function copySources(checkout, root) {
  const folder = join(root, 'limbeck');
  mkdirSync(folder, { recursive: true });
  const copies = {
    native: join(checkout, 'native'),
    'CMakeLists.txt': join(checkout, 'CMakeLists.txt'),
    'package.json': join(checkout, 'package.json'),
    'headers/node-api-headers': require('node-api-headers').include_dir,
    'headers/node-addon-api': dirname(require.resolve('node-addon-api/package.json')),
  };
  for (const [name, from] of Object.entries(copies)) {
    const to = join(folder, name);
    if (existsSync(to)) rmSync(to, { recursive: true });
    // With its times, so that what has not changed is not compiled again.
    cpSync(from, to, { recursive: true, dereference: true, preserveTimestamps: true });
  }
  return folder;
}
