/**
 * `npm run test:half`: the values of products in half precision, on a driver in software that has matrix units. Arguments after
 * `--` go to vitest.
 */
import { matrixNode } from './setup/matrix-driver.mjs';
import { main } from './setup/run.mjs';
import { vitest } from './setup/vitest.mjs';
import { setUp } from './setup.mjs';

await main(async () => {
  await setUp();
  return vitest(['--config', 'vitest.half.config.ts', ...process.argv.slice(2)], {}, await matrixNode());
});
