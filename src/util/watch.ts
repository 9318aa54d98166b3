import { LimbeckError } from './errors.js';
import { expectOptions, shown } from './expect.js';

/** Work under way, as something to iterate over: see `watch`. */
export interface Watched<Event, Result> extends AsyncIterable<Event> {
  /** What the work comes to; rejects with what it throws. */
  readonly result: Promise<Result>;
}

/**
 * Starts work that reports by a callback and gives its events to `for await` instead:
 *
 *     const run = watch((onProgress: (event: Progress) => void, signal) =>
 *       distill(device, digits, options, { onProgress, signal }));
 *     for await (const { iteration, loss } of run) show(iteration, loss);
 *     const { set } = await run.result;
 *
 * A reader that is slower than the work gets the newest event and misses those before it. Leaving the loop early aborts
 * the signal that the work was given; so does the signal in `options`. Can be iterated once.
 */
export function watch<Event, Result>(
  work: (onEvent: (event: Event) => void, signal: AbortSignal) => Promise<Result>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Watched<Event, Result> {
  if (typeof work !== 'function')
    throw new LimbeckError(
      'ERR_OPTION',
      `watch: work is ${shown(work)}, expected a function (onProgress, signal) that begins it and gives its promise`,
    );
  expectOptions('watch', options, { signal: true });
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  let newest: { readonly event: Event } | undefined;
  let over = false;
  let wake = () => {};
  const begun: unknown = work((event) => {
    newest = { event };
    wake();
  }, signal);
  if (typeof (begun as PromiseLike<Result> | undefined)?.then !== 'function')
    throw new LimbeckError(
      'ERR_OPTION',
      `watch: work gave ${shown(begun)}, expected the promise of what it began: an async function gives one`,
    );
  const result = Promise.resolve(begun as PromiseLike<Result>).finally(() => {
    over = true;
    wake();
  });
  // Whoever only iterates hears of a failure there, whoever leaves does not want to.
  result.catch(() => {});

  async function* events(): AsyncGenerator<Event> {
    try {
      for (;;) {
        if (newest) {
          const { event } = newest;
          newest = undefined;
          yield event;
        } else if (over) break;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
      await result;
    } finally {
      if (!over) stop.abort(new DOMException('nobody watches any more', 'AbortError'));
    }
  }
  const iterator = events();
  return { result, [Symbol.asyncIterator]: () => iterator };
}
