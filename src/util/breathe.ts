/** Lets other work of this thread run: long sums on the host await it between pieces. */
export const breathe = (): Promise<void> => new Promise((resume) => setTimeout(resume, 0));

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
