/** The browser of the tests. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './repository.js';

/** How it is started, whatever it is to do. */
export const chromiumFlags = [
  '--headless',
  '--no-sandbox',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-quic',
  '--disable-sync',
  '--enable-logging=stderr',
];
/** The browser there is; throws what to install where there is none. */
export async function chromiumProgram(): Promise<string> {
  const setup = pathToFileURL(join(root, 'scripts/setup/chromium.mjs')).href;
  const { findChromium, chromiumMissing } = await import(setup);
  const program: string | undefined = findChromium();
  if (!program) throw new Error(chromiumMissing);
  return program;
}
