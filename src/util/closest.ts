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

/** The known words that were probably meant, the nearest alone; none where none is near enough to say so. */
function nearest(word: string, known: readonly string[]): string[] {
  const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, '');
  const letters = known.map((candidate) => distance(plain(word), plain(candidate)));
  const least = Math.min(...letters);
  return least <= Math.max(1, Math.ceil(plain(word).length / 3))
    ? known.filter((_, i) => letters[i] === least)
    : [];
}

/** `did you mean X or Y?` or, when nothing is near, what to do instead. */
export function suggestion(word: string, known: readonly string[], otherwise: string): string {
  const near = nearest(word, known);
  return near.length ? `did you mean ${near.slice(0, 3).join(' or ')}?` : otherwise;
}
