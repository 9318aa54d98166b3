import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Vulkan drivers want a private runtime folder and complain, or fail, without one (containers, cron, ssh).
 * Environment variables that native code reads must be set before Dawn is loaded, and in the main thread: in a
 * worker `process.env` is a copy that getenv never sees.
 */
export function prepareEnvironment(): void {
  if (process.platform !== 'linux' || process.env.XDG_RUNTIME_DIR) return;
  const folder = join(tmpdir(), `limbeck-runtime-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  process.env.XDG_RUNTIME_DIR = folder;
}
