/** Numbers for people. */

/** `12,345` */
export const count = (value: number): string => Math.round(value).toLocaleString('en-GB');

/** Four figures. */
export const short = (value: number): string => String(Number(value.toPrecision(4)));

/** `labelLr` → `--label-lr` */
export const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** `1 image`, `10 images` */
export const counted = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** `never`, `once`, `3 times` */
export const timesText = (value: number): string =>
  value === 0 ? 'never' : value === 1 ? 'once' : `${count(value)} times`;

/** `8.1 s`, `3 min 20 s`, `2 h 5 min` */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `512 B`, `1.3 GB`: powers of a thousand. */
export const bytesText = (bytes: number): string => scaled(bytes, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);

/** `78.0 GFLOP`, `45.2 PFLOP` */
export const flopText = (flops: number): string =>
  scaled(flops, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP', 'EFLOP']);

function scaled(value: number, units: readonly string[]): string {
  let [left, power] = [value, 0];
  // From where it would be rounded to a thousand.
  for (; left >= 999.95 && power < units.length - 1; power++) left /= 1000;
  return `${power === 0 ? Math.round(left) : left.toFixed(1)} ${units[power]}`;
}

/**
 * Text for a terminal: what would steer it, out of the name of a class or a file, stands there as `\x1b`. Lines and tabulators stay.
 */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
  text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });

/** Lines of words, no wider than a width where words allow: the first behind a margin, those below behind theirs. */
export function wrapped(text: string, width: number, margin = 0, below = margin): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const before = lines.length ? below : margin;
    if (line && before + line.length + 1 + word.length > width) {
      lines.push(' '.repeat(before) + line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, ' '.repeat(lines.length ? below : margin) + line];
}

/** Prose about images as it is of texts, where there is `text`. It must hold no names that somebody gave. */
export const saidOf = ({ text }: { readonly text?: unknown }, prose: string): string =>
  text ? prose.replace(/\b([Aa])n image/g, '$1 text').replaceAll('image', 'text') : prose;
