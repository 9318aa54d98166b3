/** How long a run will take, worked out from given times: nothing here waits. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Expectation } from '../src/cli/expectation.js';
import { Pace } from '../src/runs/pace.js';
import { secondsOf } from '../src/runs/plan/time.js';
import { duration } from '../src/util/words.js';

describe('the pace of a run', () => {
  /** A first step of ten seconds, in which everything is compiled, and others of two with one of looks between them. */
  const begun = () => {
    const pace = new Pace(500);
    pace.add(1, 10_000, 10_600);
    return pace;
  };

  test('is that of its first step while there is no other', () => {
    const pace = begun();
    expect(pace.step).toBe(10_000);
    expect(pace.secondsFor(100)).toBeCloseTo(100 * 10.1, 9);
  });

  test('leaves the first step out from the second on', () => {
    const pace = begun();
    pace.add(1, 2000, 12_600);
    expect(pace.step).toBe(2000);
    expect(pace.secondsFor(100)).toBeCloseTo(200, 9);
    pace.add(3, 6000, 19_600);
    // Steps of two seconds; with what is between them, nine seconds for four.
    expect(pace.step).toBe(2000);
    expect(pace.secondsFor(100)).toBeCloseTo(225, 9);
    expect(pace.all).toEqual({ median: 2000, min: 2000 });
  });

  test('is the median of the last twenty pieces', () => {
    const pace = begun();
    for (let i = 0; i < 20; i++) pace.add(1, 5000, 0);
    for (let i = 0; i < 11; i++) pace.add(1, 1000, 0);
    expect(pace.step).toBe(1000);
  });
});

describe('the time of a program', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  /** Takes so many seconds at first, and so many from then on; counts its runs. */
  const program = (first: number, later: number) => {
    const made = {
      runs: 0,
      async run({ times = 1 }: { times?: number } = {}) {
        const seconds = made.runs === 0 ? first + (times - 1) * later : times * later;
        made.runs += times;
        vi.advanceTimersByTime(1000 * seconds);
      },
    };
    return made;
  };

  test.each([
    [5, 1],
    [2.5, 2],
    [0.5, 0.3],
    [1, 0.01],
  ])('is that of its second run where the first takes %d s and others %d s', async (first, later) => {
    expect(await secondsOf(program(first, later))).toBeCloseTo(later, 6);
  });

  test('is that of the first where that takes too long', async () => {
    const long = program(7, 6);
    expect(await secondsOf(long)).toBeCloseTo(7, 6);
    expect(long.runs).toBe(1);
  });
});

describe('what is said of a run under way', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  const flops = { step: 2, total: 300, test: 50 };
  const heard = () => {
    const said: string[] = [];
    const expected = new Expectation({ say: (text = '') => void said.push(text) });
    expected.begin({ iteration: 0, plan: { flops } });
    const hear = (iteration: number, stepsPerSecond: number, seconds: number) => {
      vi.advanceTimersByTime(1000 * seconds);
      expected.hear({ iteration, iterations: 100, stepsPerSecond });
    };
    return { said, hear };
  };

  test('does not rest on the first outer step, however long that took', () => {
    const { said, hear } = heard();
    hear(1, 0.05, 20);
    expect(said).toEqual([]);
    hear(2, 0.5, 2);
    hear(3, 0.5, 2);
    // 100 steps of 2 s, half as long again with looks; 25 steps' work for the test.
    expect(said).toEqual([
      'Time: about 5 min 0 s with looks at the validation split and 50.0 s for the test at the end, by 1 outer step after the first',
    ]);
  });

  test('waits where outer steps are short', () => {
    const { said, hear } = heard();
    hear(20, 20, 1);
    expect(said).toEqual([]);
    hear(40, 20, 1.5);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/, by 39 outer steps after the first$/);
  });
});

test('a resumed run is expected to take as long as the steps that are left', () => {
  const said: string[] = [];
  const expectation = new Expectation({ say: (text) => void said.push(text ?? '') });
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  expectation.begin({ iteration: 90, plan: { flops: { step: 1, total: 200, test: 0 } } });
  now.mockReturnValue(3000);
  expectation.hear({ iteration: 93, iterations: 100, stepsPerSecond: 0.1 });
  now.mockRestore();
  // Ten steps of ten seconds, and as much for looks.
  expect(said).toEqual([
    `Time: about ${duration(200)} with looks at the validation split, by 2 outer steps after the first`,
  ]);
});
