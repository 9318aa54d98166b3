/** Letters to insert, remove or replace to make one word of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** The known word that was probably meant, if any is near enough to say so. */
export function closest(word: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, '');
  const near = known
    .map((candidate) => ({ candidate, letters: distance(plain(word), plain(candidate)) }))
    .sort((a, b) => a.letters - b.letters)[0];
  return near && near.letters <= Math.max(1, Math.ceil(plain(word).length / 3)) ? near.candidate : undefined;
}

/** ` did you mean X?` or, when nothing is near, what to do instead. */
export function suggestion(word: string, known: readonly string[], otherwise: string): string {
  const near = closest(word, known);
  return near ? `did you mean ${near}?` : otherwise;
}
