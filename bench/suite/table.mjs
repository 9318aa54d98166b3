import { readFileSync, writeFileSync } from 'node:fs';

/** A table in Markdown: the keys of `columns` are its head, each value makes a cell of a row. */
export function markdown(columns, rows) {
  const lines = rows.map((row) => Object.values(columns).map((cell) => cell(row) ?? '–'));
  const rule = Object.keys(columns).map(() => '---');
  return [Object.keys(columns), rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Three digits, and no more decimals than they need. */
export const digits = (value) =>
  value === undefined
    ? undefined
    : value >= 100
      ? Math.round(value).toLocaleString('en')
      : value.toPrecision(3);
const scientific = (value) => value?.toExponential(1);
export const timed = (numbers) => numbers && `${digits(numbers.ms)} (${numbers.range.map(digits).join('–')})`;
const mebibytes = (numbers) => numbers?.memory && `+${Math.round(numbers.memory)}`;

export const stepsTable = (rows) =>
  markdown(
    {
      workload: ({ name }) => `\`${name}\``,
      'limbeck ms (range)': ({ limbeck }) => timed(limbeck),
      'GFLOP/s': ({ gflop, limbeck }) => gflop && limbeck && digits((1e3 * gflop) / limbeck.ms),
      MiB: ({ limbeck }) => mebibytes(limbeck),
      peer: ({ peer, peerSettings }) => peer && (peerSettings ? `${peer}: ${peerSettings}` : peer),
      'peer ms (range)': ({ peerNumbers }) => timed(peerNumbers),
      'peer MiB': ({ peerNumbers }) => mebibytes(peerNumbers),
      'limbeck is faster by': ({ ratio }) => ratio && `${ratio.toFixed(2)} x`,
      'error to reference, to peer': ({ referenceError, peerError }) =>
        `${scientific(referenceError) ?? '–'}, ${scientific(peerError) ?? '–'}`,
      'peak GFLOP/s, trials again': ({ peak, again }) => peak && `${peak.map(digits).join('–')}, ${again}`,
    },
    rows,
  );

/** Images that a whole run takes in a second. */
export const notesOf = (rows) => [
  ...rows
    .filter(({ images, limbeck }) => images && limbeck)
    .map(
      ({ name, images, limbeck }) => `- \`${name}\`: ${digits((1e3 * images) / limbeck.ms)} real images/s`,
    ),
  ...rows.filter(({ note }) => note).map(({ name, note }) => `- \`${name}\`: ${note}`),
];

/** Replaces what stands between the two markers of a part of a file. */
export function writeBetweenMarkers(path, part, text) {
  const file = readFileSync(path, 'utf8');
  const [begin, end] = [`<!-- begin ${part} -->`, `<!-- end ${part} -->`];
  const [from, to] = [file.indexOf(begin), file.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} has no lines ${begin} and ${end} to write between`);
  writeFileSync(path, `${file.slice(0, from + begin.length)}\n${text}\n${file.slice(to)}`);
}
