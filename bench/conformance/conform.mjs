import * as limbeck from '../../dist/browser.js';
import { ops } from '../../dist/engine/ops/index.gen.js';
import { loadHarness } from './harness.mjs';
import { withPopulation } from './population.mjs';

/** The largest error, relative to the 2-norm, of what comes out of many kernels: that of the tests. */
const limit = 1e-4;

/**
 * Holds a device to the float64 reference: every op's own cases as they are and for populations of `members`, the tests'
 * corner cases, those that an engine may make one step of, and a small distillation. Calls `onCheck({ name, error })` after each, `error` a sentence or undefined.
 * `only`: part of the name of what is checked.
 */
export async function conform(device, { members = [1, 3, 20], only = '', signal }, onCheck) {
  const { expectCaseAgrees, corners, joinedCases, work, relativeError } = await loadHarness();
  const own = Object.values(ops).flatMap(({ cases }) => cases.filter(({ bench }) => !bench));
  const populations = own.flatMap((opCase) =>
    members.flatMap((count) => withPopulation(opCase, count) ?? []),
  );
  const checks = [...own, ...corners, ...joinedCases, ...populations].map((opCase) => ({
    name: opCase.name,
    run: () => expectCaseAgrees(device, opCase),
  }));
  checks.push({ name: 'a meta-gradient and a distillation', run: () => whole(device, work, relativeError) });
  for (const { name, run } of checks) {
    if (!name.includes(only)) continue;
    signal?.throwIfAborted();
    const error = await run().then(
      () => undefined,
      ({ message }) => message,
    );
    onCheck({ name, error });
  }
}

async function whole(device, work, relativeError) {
  const expected = await work(limbeck, await limbeck.openDevice('reference'));
  const actual = await work(limbeck, device);
  for (const part of ['gradient', 'run'])
    for (const [name, values] of Object.entries(expected[part])) {
      const error = relativeError(actual[part][name], values);
      if (!(error <= limit))
        throw new Error(`${part}: relative error of ${name} is ${error}, at most ${limit}`);
    }
}
