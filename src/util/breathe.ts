/**
 * Lets other work of this thread run: long sums on the host await it between pieces. Where there is `setImmediate` that takes no longer than
 * the other work; a timer waits a millisecond at least, and loading a program pauses a dozen times.
 */
export const breathe = (): Promise<void> =>
  new Promise((resume) => (globalThis.setImmediate ?? setTimeout)(resume));

/** Does something with 0 to `count` - 1, by ranges of a million; other work of this thread may run between two of them. */
export async function inPieces(
  count: number,
  work: (from: number, to: number) => void,
  piece = 2 ** 20,
): Promise<void> {
  for (let from = 0; from < count; from += piece) {
    if (from > 0) await breathe();
    work(from, Math.min(from + piece, count));
  }
}

/** Long work of this thread that says, by a yield, where other work may run. */
export type InPieces<T> = Generator<void, T, void>;

/** Does it in one go, for callers that cannot wait. */
export function atOnce<T>(work: InPieces<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Does it, and lets other work of this thread run between two pieces. */
export async function breathing<T>(work: InPieces<T>): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    await breathe();
  }
}
