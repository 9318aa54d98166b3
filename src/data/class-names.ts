/** What the classes are called, whatever way their names are spelt. */
export interface ClassNames {
  /** In order. */
  readonly names: readonly string[];
  /** The class of every spelling. */
  readonly numbers: ReadonlyMap<string, number>;
  /** What was taken for one class, and what was not though it looks alike: for people. */
  readonly notes: readonly string[];
}

/** Names of several characters are one class whatever their case and form of Unicode; single letters tell case apart. */
function classOf(name: string): string {
  const composed = name.normalize('NFC').trim();
  return [...composed].length > 1 ? composed.toLowerCase() : composed;
}

/** What a person sees: the same for names that only differ in width, case, blanks and marks that do not show. */
const lookOf = (name: string): string =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s\p{Cf}]/gu, '');

/** The classes that the labels of all images name; of several spellings the most frequent is kept. */
export function classNamesOf(labels: Iterable<string>): ClassNames {
  const spellings = new Map<string, number>();
  for (const label of labels) spellings.set(label, (spellings.get(label) ?? 0) + 1);
  const classes = grouped([...spellings.keys()].sort(byName), classOf);
  const all = [...classes.values()].map((ways) => {
    const most = Math.max(...ways.map((way) => spellings.get(way)!));
    const kept = ways.find((way) => spellings.get(way) === most)!;
    return { name: kept.normalize('NFC').trim(), ways };
  });
  all.sort((a, b) => byName(a.name, b.name));
  return {
    names: all.map(({ name }) => name),
    numbers: new Map(all.flatMap(({ ways }, number) => ways.map((way) => [way, number] as const))),
    notes: [
      ...some(
        'classes spelt in several ways, each taken for one',
        all.filter(({ ways }) => ways.length > 1).map(({ ways }) => ways),
      ),
      ...some(
        'classes that look alike and stay apart',
        [
          ...grouped(
            all.map(({ name }) => name),
            lookOf,
          ).values(),
        ].filter((names) => names.length > 1),
      ),
    ],
  };
}

function grouped(names: readonly string[], key: (name: string) => string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) groups.set(key(name), [...(groups.get(key(name)) ?? []), name]);
  return groups;
}

const shownGroups = 3;

function some(what: string, groups: readonly (readonly string[])[]): string[] {
  if (groups.length === 0) return [];
  const texts = groups.slice(0, shownGroups).map((names) => names.map(spelt).join(' and '));
  const more = groups.length > shownGroups ? `; and ${groups.length - shownGroups} more` : '';
  return [`${what}: ${texts.join('; ')}${more}`];
}

/** A name, with its bytes where it does not show what it is made of. */
function spelt(name: string): string {
  const bytes = Buffer.from(name)
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ');
  return /^[\x21-\x7e]+$/.test(name) ? name : `${JSON.stringify(name)} (bytes ${bytes})`;
}

/** By runs of digits as numbers and everything else by code units: the same on every machine, whatever its language. */
export function byName(a: string, b: string): number {
  const [partsA, partsB] = [a, b].map((name) => name.match(/\d+|\D+/g) ?? []);
  for (let i = 0; i < Math.min(partsA.length, partsB.length); i++) {
    const [one, other] = [partsA[i], partsB[i]];
    if (one === other) continue;
    const numbers = /^\d/.test(one) && /^\d/.test(other);
    const order = numbers ? compareDigits(one, other) : 0;
    if (order !== 0) return order;
    return one < other ? -1 : 1;
  }
  return partsA.length - partsB.length;
}

/** Without `Number`: a name may have more digits than a number can hold. */
function compareDigits(a: string, b: string): number {
  const [one, other] = [a, b].map((digits) => digits.replace(/^0+/, ''));
  if (one.length !== other.length) return one.length - other.length;
  return one === other ? 0 : one < other ? -1 : 1;
}
