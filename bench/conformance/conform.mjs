import * as limbeck from '../../dist/browser.js';
import { ops } from '../../dist/engine/ops/index.gen.js';
import { fitsMatrices, halfTiles, tiles } from '../../dist/engine/webgpu/tiles.js';
import { loadHarness } from './harness.mjs';
import { withPopulation } from './population.mjs';

/** The largest error, relative to the 2-norm, of what comes out of many kernels: that of the tests. */
const limit = 1e-4;
/** The same in half precision, where some ReLU or maximum is taken the other way. */
const halfLimit = 0.1;
/** How far half precision moves a factor, of itself: half a unit in the last of 11 places. */
const rounding = 2 ** -11;

/**
 * Holds a device to the float64 reference: every op's own cases as they are and for populations of `members`, the tests'
 * corner cases, those that an engine may make one step of, products in every tile that a GPU may get, and a small distillation.
 * Where products are computed in half precision: those in each of its tiles, and the small distillation. Calls
 * `onCheck({ name, error })` after each, `error` a sentence or undefined. `only`: part of the name of what is checked.
 */
export async function conform(device, { members = [1, 3, 20], only = '', signal }, onCheck) {
  const harness = await loadHarness();
  const half = device.pipelines?.abilities.matrices !== undefined;
  const checks = half ? inHalf(device, harness) : inSingle(device, harness, members);
  const run = () => whole(device, harness, half ? halfLimit : limit);
  checks.push({ name: 'second-order calls and a distillation', run });
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

function inSingle(device, harness, members) {
  const { expectCaseAgrees, corners, joinedCases } = harness;
  const own = Object.values(ops).flatMap(({ cases }) => cases.filter(({ bench }) => !bench));
  const populations = own.flatMap((opCase) =>
    members.flatMap((count) => withPopulation(opCase, count) ?? []),
  );
  const checks = [...own, ...corners, ...joinedCases, ...populations].map((opCase) => ({
    name: opCase.name,
    run: () => expectCaseAgrees(device, opCase),
  }));
  // Software has the plain kernels, and takes a second to compile one in tiles.
  const { pipelines } = device;
  if (!pipelines || pipelines.software) return checks;
  return [...checks, ...tiles.flatMap((tile) => inTile(device, harness, tile, {}))];
}

function inHalf(device, harness) {
  const fitting = halfTiles.filter((tile) => fitsMatrices(tile, device.pipelines.abilities));
  return fitting.flatMap((tile) => inTile(device, harness, tile, { rounding }));
}

/** Every product in a tile. */
function inTile(device, { expectCaseAgrees, inTile, products, tileName }, tile, options) {
  const changed = inTile(device, tile, options.rounding !== undefined);
  return Object.entries(products).map(([kernel, record]) => {
    const name = `${kernel} in tiles of ${tileName(tile)}`;
    return { name, run: () => expectCaseAgrees(changed, { name, record }, options) };
  });
}

async function whole(device, { work, relativeError }, most) {
  const expected = await work(limbeck, await limbeck.openDevice('reference'));
  const actual = await work(limbeck, device);
  // The cosines of rows have their own sensitivity, which half precision has no limit for.
  for (const part of most === limit ? ['gradient', 'calls', 'run'] : ['gradient', 'run'])
    for (const [name, values] of Object.entries(expected[part])) {
      const error = relativeError(actual[part][name], values);
      if (!(error <= most))
        throw new Error(`${part}: relative error of ${name} is ${error}, at most ${most}`);
    }
}
