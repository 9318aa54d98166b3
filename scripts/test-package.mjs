/**
 * `npm run test:package`: builds what the npm package carries, then packs it, installs it in folders outside the checkout
 * and uses it there, with every version of Node that is supported and, emulated, on arm64. Arguments after `--` go to vitest.
 */
import { nodeVersions } from './setup/nodes.mjs';
import { main } from './setup/run.mjs';
import { vitest } from './setup/vitest.mjs';
import { setUp } from './setup.mjs';

await main(async () => {
  await setUp({ prebuild: true });
  const environment = { LIMBECK_NODES: JSON.stringify(await nodeVersions()) };
  return vitest(['--config', 'vitest.package.config.ts', ...process.argv.slice(2)], environment);
});
