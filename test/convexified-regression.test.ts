/** Regression by networks that are linear in their parameters, held to its dual in float64; its method as a run is in `rcig.test.ts`. */
import { describe, expect, test } from 'vitest';
import type { EngineName } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { openDevice } from '../src/engine/open.js';
import { Recorder } from '../src/engine/program.js';
import { createNetwork } from '../src/networks/index.js';
import { recordConvexifiedRegression } from '../src/train/convexified-regression.js';
import { copyInto } from '../src/train/groups.js';
import { owning } from '../src/util/owned.js';
import { freshParameters, labelRows, normals } from './harness/arrays.js';
import { relativeError } from './harness/close.js';
import { convexifiedOracle } from './harness/oracle-convexified.js';
import type { OracleNetwork } from './harness/oracle-networks.js';

const networks: readonly (OracleNetwork & { P: number })[] = [
  { P: 2, name: 'convnet', inputShape: [2, 8, 6], classes: 3, width: 4, depth: 1, activation: 'gelu' },
  { P: 1, name: 'convnet', inputShape: [1, 8, 8], classes: 3, width: 5, depth: 2 },
  { P: 2, name: 'mlp', inputShape: [1, 4, 5], classes: 3, width: 9 },
];
const [N, B, temperature, ridge] = [3, 4, 0.4, 0.1];
const names = ['images', 'labels', 'temperature'] as const;

type Values = Readonly<Record<string, ArrayLike<number>>>;

const given = networks.map(({ P, ...network }) => {
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  return {
    ...{ P, network },
    parameters: freshParameters(network, P),
    images: normals(N * pixels, 1),
    labels: labelRows(N, network.classes, 2, true).map((value) => value - 1 / 3),
    realImages: normals(B * pixels, 3),
    realLabels: labelRows(B, network.classes, 4, false),
  };
});
type Given = (typeof given)[number];

const oracles = given.map(({ P, parameters, network, ...arrays }) => {
  const count = parameters.length / P;
  const { offset, shape } = createNetwork(network as never).parameters.at(-2)!;
  const classifier = { offset, length: shape[0] * shape[1] };
  return Array.from({ length: P }, (_, p) =>
    convexifiedOracle({
      ...{ ...arrays, network, temperature, ridge, classifier },
      parameters: parameters.subarray(p * count, (p + 1) * count),
    }),
  );
});

const regressedOn = (engine: EngineName, g: Given, { solverSteps = 40, mostImplicit = 1e6 } = {}) =>
  owning(async (owned): Promise<Values> => {
    const network = createNetwork(g.network as never);
    const r = new Recorder('test');
    const batch = (name: string, count: number) => r.external(name, 1, [count, ...network.inputShape]);
    const labels = (name: string, count: number) => r.external(name, 1, [count, network.classes]);
    const regressed = recordConvexifiedRegression(r, {
      ...{ network, ridge, solverSteps, mostImplicit },
      theta: r.external('parameters', g.P, [network.count]),
      ...{ images: batch('images', N), labels: labels('labels', N) },
      real: { images: batch('realImages', B), labels: labels('realLabels', B) },
      temperature: r.external('temperature', 1, [1]),
    });
    for (const [name, view] of Object.entries(regressed))
      copyInto(r, view, r.external(`${name}Bar`, view.members, view.shape));
    const device = owned.own(await openDevice(engine));
    const { tensors, executable } = await loadWithTensors(device, r.program(), owned);
    const { P: _, network: __, ...arrays } = g;
    for (const [name, values] of Object.entries({ ...arrays, temperature: [temperature] }))
      await tensors[name].write(values);
    await executable.run();
    const read = [...names, 'losses'].map(
      async (name) => [name, Float64Array.from(await tensors[`${name}Bar`].read())] as const,
    );
    const values = Object.fromEntries(await Promise.all(read));
    owned.dispose();
    return values;
  });

/** Of member p of P. */
const member = (values: ArrayLike<number>, p: number, P: number) =>
  Array.from(values).slice((p * values.length) / P, ((p + 1) * values.length) / P);

const held = (whole: ArrayLike<number>, direct: ArrayLike<number>, most: number) => {
  const implicit = Array.from(direct, (value, i) => whole[i] - value);
  const scale = Math.min(1, (most * Math.hypot(...Array.from(direct))) / Math.hypot(...implicit));
  return implicit.map((value, i) => direct[i] + scale * value);
};

const limits: Record<EngineName, number> = { reference: 1e-9, cpu: 1e-3, webgpu: 1e-3 };

describe.each(['reference', 'cpu', 'webgpu'] as const)('convexified regression on %s', (engine) => {
  test.each(given.map((g, i) => [`${g.network.name} ${i}`, i] as const))(
    '%s: the gradient is that of regression with the tangent kernel, and its implicit part no longer than it may be',
    async (name, i) => {
      const { P } = given[i];
      for (const mostImplicit of [1e6, 0.01]) {
        const actual = await regressedOn(engine, given[i], { mostImplicit });
        for (const [p, { loss, past, whole, direct }] of oracles[i].entries()) {
          expect(Math.abs(past / loss - 1)).toBeLessThan(1e-12);
          expect(Math.abs(actual.losses[p] / loss - 1)).toBeLessThan(limits[engine] / 10);
          const errors = names.map((one, at) => {
            // The temperature is a number of its own: the optimum does not depend on it.
            const expected = one === 'temperature' ? whole[at] : held(whole[at], direct[at], mostImplicit);
            return relativeError(member(actual[one], p, P), expected);
          });
          console.log(
            `${engine} ${name} ${mostImplicit}: ${errors.map((e) => e.toExponential(1)).join(' ')}`,
          );
          for (const error of errors) expect(error).toBeLessThan(limits[engine]);
        }
      }
    },
  );
});
