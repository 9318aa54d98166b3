/**
 * `npm test`: sets everything up, a Vulkan driver and a browser included, then runs the linter, the type checker and every test
 * but those of the packed package (`npm run test:package`).
 * Arguments after `--` go to vitest. The status is that of the worst of the three.
 */
import { provideChromium } from './setup/chromium.mjs';
import { attempt, main, npm } from './setup/run.mjs';
import { unlessUpToDate } from './setup/up-to-date.mjs';
import { vitest } from './setup/vitest.mjs';
import { vulkanEnvironment } from './setup/vulkan.mjs';
import { setUp, typescriptSources } from './setup.mjs';

await main(async () => {
  await setUp();
  await provideChromium();
  const environment = await vulkanEnvironment();
  const failed = [];
  if (!(await attempt('lint', ...npm('run', '--silent', 'lint')))) failed.push('the linter');
  if (!(await checkTypes())) failed.push('the type checker');
  if ((await vitest(process.argv.slice(2), environment)) !== 0) failed.push('a test');
  if (!failed.length) return 0;
  console.error(`npm test failed: ${failed.join(', ')} (see above)`);
  return 1;
});

function checkTypes() {
  const inputs = [...typescriptSources, 'test', 'bench', 'examples', 'package-lock.json'];
  return unlessUpToDate('types', { inputs }, () =>
    attempt('check types', ...npm('run', '--silent', 'check-types')),
  );
}
