/** Every program in examples/, as its head says it is started; each ends with an error where its result is not what it should be. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildWhereStale } from './harness/command-line.js';
import { Project } from './harness/document.js';
import { files, text } from './harness/repository.js';

const project = new Project();
beforeAll(buildWhereStale);
afterAll(() => project[Symbol.dispose]());

it.each(files('examples'))('%s', async (path) => {
  expect(text(path)).toContain(`*     node ${path}\n`);
  project.save(path, text(path));
  expect(await project.run(process.execPath, path)).toMatch(/\d %/);
});
