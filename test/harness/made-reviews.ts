/** Short made-up reviews of two or three kinds: what kind a review is of, some of its words tell. */

const kinds: Readonly<Record<string, readonly string[]>> = {
  good: ['wonderful', 'great', 'lovely', 'brilliant', 'moving', 'charming'],
  bad: ['dreadful', 'boring', 'awful', 'dull', 'clumsy', 'tedious'],
  mixed: ['uneven', 'ordinary', 'passable', 'average', 'watchable', 'middling'],
};
const subjects = ['film', 'plot', 'cast', 'story', 'ending', 'music', 'script', 'hero'];
const frames = [
  (s: string, a: string, b: string) => `The ${s} was ${a}, and I thought it ${b}.`,
  (s: string, a: string, b: string) => `A ${a} ${s}! Really ${b} from start to finish.`,
  (s: string, a: string, b: string) => `I don't know why, but this ${s} is ${a} and ${b}.`,
  (s: string, a: string, b: string) => `What a ${a} ${s}; my friends found it ${b} too.`,
];

export interface Review {
  readonly text: string;
  readonly label: string;
}

/** Reviews, the kinds in turn; the same every time. */
export function madeReviews(count: number, names: readonly string[] = ['good', 'bad']): Review[] {
  // Linear congruences: the words differ from review to review without any being told by its place.
  let state = 12345;
  const pick = <T>(list: readonly T[]): T => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return list[(state >>> 16) % list.length];
  };
  return Array.from({ length: count }, (_, i) => {
    const label = names[i % names.length];
    return { text: pick(frames)(pick(subjects), pick(kinds[label]), pick(kinds[label])), label };
  });
}

/** The same as lines of JSON. */
export const jsonLines = (reviews: readonly Review[]): string =>
  reviews.map((review) => `${JSON.stringify(review)}\n`).join('');
