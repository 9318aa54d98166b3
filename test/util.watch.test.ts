import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { watch } from '../src/util/watch.js';

/** Reports 0, 1, 2 …, each when the one before had time to be read, until it is stopped or has reported `count`. */
async function counting(
  count: number,
  onEvent: (event: number) => void,
  signal: AbortSignal,
): Promise<string> {
  for (let i = 0; i < count; i++) {
    if (signal.aborted) return `stopped at ${i}: ${(signal.reason as Error).name}`;
    onEvent(i);
    await setImmediate();
  }
  return 'done';
}

describe('watch', () => {
  it('gives every event to a reader that keeps up, and then the result', async () => {
    const run = watch<number, string>((onEvent, signal) => counting(5, onEvent, signal));
    const seen: number[] = [];
    for await (const event of run) seen.push(event);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(await run.result).toBe('done');
  });

  it('gives a slow reader the newest event', async () => {
    const run = watch<number, string>((onEvent, signal) => counting(5, onEvent, signal));
    await run.result;
    const seen: number[] = [];
    for await (const event of run) seen.push(event);
    expect(seen).toEqual([4]);
  });

  it('stops the work when the loop is left', async () => {
    const run = watch<number, string>((onEvent, signal) => counting(1000, onEvent, signal));
    for await (const event of run) if (event === 3) break;
    expect(await run.result).toMatch(/^stopped at [45]: AbortError$/);
  });

  it('stops the work by a signal from outside', async () => {
    const controller = new AbortController();
    const run = watch<number, string>((onEvent, signal) => counting(1000, onEvent, signal), controller);
    for await (const event of run) if (event === 3) controller.abort(new TypeError('enough'));
    expect(await run.result).toMatch(/^stopped at \d+: TypeError$/);
  });

  it.each([5, undefined, null, {}])('refuses work that gives %s and no promise', (given) => {
    const work = (() => given) as unknown as () => Promise<void>;
    expect(() => watch(work)).toThrow(
      expect.objectContaining({
        code: 'ERR_OPTION',
        message: expect.stringMatching(/^watch: work gave .*, expected the promise of what it began/),
      }),
    );
  });

  it('throws what the work throws, in the loop and as the result', async () => {
    const run = watch<number, string>(async (onEvent) => {
      onEvent(1);
      throw new RangeError('no');
    });
    const read = async () => {
      for await (const event of run) expect(event).toBe(1);
    };
    await expect(read()).rejects.toThrow(RangeError);
    await expect(run.result).rejects.toThrow(RangeError);
  });
});
