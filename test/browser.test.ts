/**
 * The browser entry in a browser: what was built, as plain ES modules, on the browser's own WebGPU. No browser is a
 * failure, not a skip, as with WebGPU in Node.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import * as limbeck from '../src/browser.js';
import type { OpCase } from '../src/engine/op.js';
import { ops } from '../src/engine/ops/index.gen.js';
import { prepareCase } from './harness/cases.js';
import { inChromium } from './harness/chromium.js';
import { relativeError } from './harness/close.js';
import { buildWhereStale } from './harness/command-line.js';
import { work } from './harness/small-run.js';

/** The first case of every kernel, by name. */
const first = new Map<string, string>();
for (const opCase of Object.values(ops).flatMap(({ cases }) => cases as readonly OpCase[]))
  for (const { kernel } of opCase.bench ? [] : prepareCase(opCase).program.steps)
    if (!first.has(kernel.name)) first.set(kernel.name, opCase.name);
const chosen = [...new Set(first.values())];

type Work = Awaited<ReturnType<typeof work>>;

/** As the meta-gradients of the other engines; NaN is not less. */
const limit = 1e-4;

function expectAgrees(actual: Record<string, number[]>, expected: Record<string, number[]>): void {
  const errors = Object.keys(expected).map(
    (name) => [name, relativeError(actual[name], expected[name])] as const,
  );
  console.log(errors.map(([name, error]) => `${name} ${error.toExponential(1)}`).join(', '));
  for (const [name, error] of errors) expect(error, name).toBeLessThan(limit);
}

beforeAll(buildWhereStale);

describe('in Chromium', () => {
  it('a meta-gradient, the other calls and a whole distillation agree with the float64 reference in Node', async () => {
    const actual = (await inChromium(`
      const limbeck = await import('/src/browser.js');
      const { work } = await import('/test/harness/small-run.js');
      return work(limbeck, await limbeck.openDevice());
    `)) as Work;
    const expected = await work(limbeck, await limbeck.openDevice('reference'));
    expect(actual.engine).toBe('webgpu');
    expectAgrees(actual.gradient, expected.gradient);
    expectAgrees(actual.calls, expected.calls);
    expectAgrees(actual.run, expected.run);
    expect(actual.accuracy).toBe(expected.accuracy);
    for (const { progress } of [actual, expected]) expect(progress.at(-1)).toEqual([6, 6]);
  });

  it('every kernel computes what the float64 reference computes', async () => {
    const wrong = await inChromium(`
      const { openDevice } = await import('/src/browser.js');
      const { ops } = await import('/src/engine/ops/index.gen.js');
      const { expectCaseAgrees } = await import('/test/harness/cases.js');
      const device = await openDevice();
      const cases = Object.values(ops).flatMap(({ cases }) => cases);
      const wrong = [];
      for (const name of ${JSON.stringify(chosen)})
        await expectCaseAgrees(device, cases.find((opCase) => opCase.name === name))
          .catch((error) => wrong.push(error.message));
      return wrong;
    `);
    expect(chosen.length).toBeGreaterThan(20);
    expect(wrong).toEqual([]);
  });

  it('without an adapter openDevice says so', async () => {
    const error = await inChromium(
      `
      const { openDevice, LimbeckError } = await import('/src/browser.js');
      const error = await openDevice().catch((error) => error);
      return { code: error.code, message: error.message, ours: error instanceof LimbeckError };
    `,
      { webgpu: false },
    );
    expect(error).toEqual({
      code: 'ERR_DEVICE',
      message: expect.stringMatching(/no adapter; turn hardware acceleration on/),
      ours: true,
    });
  });
});

describe('openDevice of the browser entry', () => {
  it('says what is missing where there is no navigator.gpu', async () => {
    await expect(limbeck.openDevice()).rejects.toMatchObject({
      code: 'ERR_DEVICE',
      message: expect.stringMatching(/no navigator\.gpu; use a browser with WebGPU/),
    });
  });

  it('knows no engine that a browser has not', async () => {
    await expect(limbeck.openDevice('cpu' as 'webgpu')).rejects.toMatchObject({
      code: 'ERR_DEVICE',
      message: 'device "cpu" is unknown; a browser has: webgpu, reference',
    });
  });
});
