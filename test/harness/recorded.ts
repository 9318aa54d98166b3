/**
 * Records: what a small run gave once, as text that is kept in `test/recorded/`. They notice change, not error: docs/testing.md.
 * A record is compared, never written, unless vitest is run with `-u` (`update: 'none'` in vitest.config.ts).
 */
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { DistilledSet } from '../../src/index.js';
import { crc32 } from '../../src/util/crc32.js';
import { version } from '../../src/util/version.js';
import type { Element } from './page.js';
import { decodePng } from './pictures.js';
import { root } from './repository.js';

/** Compares a text with the record of that name. */
export const expectRecorded = (name: string, text: string): Promise<void> =>
  expect(text).toMatchFileSnapshot(join(root, 'test/recorded', name));

const digits = 6;

/** Six digits. Below 1e-9 a number is what rounding left of 0. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) < 1e-9 ? '0' : String(Number(value.toPrecision(digits)));
}

/** More numbers than this are told by their mean and two fixed projections, which tell an order, too. */
const mostNumbers = 36;

export function numbersText(values: ArrayLike<number>): string {
  const list = Array.from(values);
  if (list.length <= mostNumbers) return list.map(numberText).join(' ');
  const mean = (of: (value: number, i: number) => number) =>
    numberText(list.reduce((sum, value, i) => sum + of(value, i), 0) / list.length);
  const ramp = mean((value, i) => (value * (i % 101)) / 100);
  return `${list.length} numbers: mean ${mean((value) => value)}, on a ramp ${ramp}, squared ${mean((value) => value * value)}`;
}

const isNumbers = (value: unknown): value is ArrayLike<number> =>
  (ArrayBuffer.isView(value) && !(value instanceof DataView)) ||
  (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'number'));

/** A few numbers by name: a mean with its deviation, say. */
const isFlat = (value: unknown): value is Readonly<Record<string, number>> =>
  value !== null &&
  typeof value === 'object' &&
  !Array.isArray(value) &&
  Object.keys(value).length > 1 &&
  Object.values(value).every((one) => typeof one === 'number');
const flatText = (value: Readonly<Record<string, number>>): string =>
  Object.keys(value)
    .sort()
    .map((name) => `${name} ${numberText(value[name])}`)
    .join(', ');

/** A value with what is in it, a line for each number, list of numbers or text; keys that `leftOut` names are left out. */
export function recordText(value: unknown, leftOut: readonly string[] = []): string {
  const lines: string[] = [];
  const visit = (path: string, one: unknown): void => {
    if (typeof one === 'number') lines.push(`${path}: ${numberText(one)}`);
    else if (isNumbers(one)) lines.push(`${path}: ${numbersText(one)}`);
    else if (isFlat(one)) lines.push(`${path}: ${flatText(one)}`);
    else if (one !== null && typeof one === 'object') {
      const entries = Object.entries(one).filter(([key, of]) => of !== undefined && !leftOut.includes(key));
      if (!entries.length) lines.push(`${path}: ${Array.isArray(one) ? '[]' : '{}'}`);
      const sorted = Array.isArray(one) ? entries : entries.sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [key, of] of sorted) visit(path ? `${path}.${key}` : key, of);
    } else lines.push(`${path}: ${typeof one === 'string' ? one : JSON.stringify(one)}`);
  };
  visit('', value);
  return `${lines.join('\n')}\n`;
}

/** A set by its metadata, and its images one by one. */
export function setRecord({ images, labels, ...rest }: DistilledSet): object {
  const count = rest.classes.length;
  const rows = (values: Float32Array) => {
    const size = values.length / count;
    return Array.from({ length: count }, (_, i) => values.subarray(i * size, (i + 1) * size));
  };
  return { ...rest, images: rows(images), labels: rows(labels) };
}

/** The size and checksum of a picture: of its pixels, since compressed bytes depend on the version of zlib. */
function pictureText(base64: string): string {
  const { width, height, data } = decodePng(Buffer.from(base64, 'base64'));
  return `[picture ${width} x ${height}, ${crc32(data).toString(16)}]`;
}

/** What differs from run to run, between machines or versions, masked; pictures by their pixels. */
export function masked(text: string, folders: Readonly<Record<string, string>> = {}): string {
  let out = text;
  for (const [name, folder] of Object.entries(folders)) out = out.replaceAll(folder, name);
  return out
    .replace(/^(?:\d+\/\d+ {2}|experts \d+ to ).*\n/gm, '')
    .replace(/(?:data:image\/png;base64,|\b(?=iVBORw0KGgo))([\w+/]+=*)/g, (_, base64) => pictureText(base64))
    .replaceAll(process.version, 'NODE')
    .replace(new RegExp(`\\b${version.replaceAll('.', '\\.')}\\b`, 'g'), 'VERSION')
    .replace(/\b\d[\d.,]*[   ]?(?:µs|ms|s|min|h|d)\b(?:[   ]\d+[   ](?:s|min|h)\b)?/g, 'TIME')
    .replace(/\b[\d.,]+ (steps\/s|[kMGT]B (?:are )?free)/g, 'SO MANY $1')
    .replace(/\b[\d.]+ [kMGT]B {2}free/g, 'SO MANY  free')
    .replace(/(available of) [\d.]+ [GT]B/g, '$1 SO MANY')
    .replace(/(Platform|Real images per second)(\W+(?:dd>)?)[^\n]+/g, '$1$2MASKED')
    .replace(/[ \t]+$/gm, '');
}

/** Elements whose text is not for readers; they are told by a checksum. */
const unread: readonly string[] = ['style', 'script'];

/** Elements that are a line each, with all that is in them; of a chart's marks the line through them says where they are. */
const wholeLines: readonly string[] = [
  'tr',
  'p',
  'h1',
  'h2',
  'h3',
  'label',
  'figcaption',
  'summary',
  'pre',
  'text',
];
const leftOutOfCharts = 'circle';

/** A page as lines: elements with their attributes, then what is in them. */
export function pageText(page: Element, mask: (text: string) => string = masked): string {
  const lines: string[] = [];
  const headOf = ({ tag, attributes }: Element): string =>
    [tag, ...Object.entries(attributes).map(([name, value]) => `${name}=${value}`)].join(' ');
  const inside = (element: Element): string => {
    const text = element.children.map((child) => (typeof child === 'string' ? child : whole(child))).join('');
    return unread.includes(element.tag) ? `[${crc32(Buffer.from(text)).toString(16)}]` : text;
  };
  const whole = (element: Element): string => `<${headOf(element)}>${inside(element)}`;
  const visit = (element: Element): void => {
    const isList = element.children.some((child) => typeof child !== 'string' && child.tag === 'dt');
    const isLeaf = element.children.every((child) => typeof child === 'string');
    if (element.tag === leftOutOfCharts) return;
    if (/over time/.test(element.attributes['aria-label'] ?? '')) {
      lines.push(`<${headOf(element)}> is of times`);
      return;
    }
    if (isLeaf || isList || wholeLines.includes(element.tag)) lines.push(whole(element).replace(/\s+/g, ' '));
    else {
      if (Object.keys(element.attributes).length) lines.push(`<${headOf(element)}>`);
      for (const child of element.children)
        if (typeof child !== 'string') visit(child);
        else if (child.trim()) lines.push(child.trim());
    }
  };
  visit(page);
  return mask(`${lines.join('\n')}\n`);
}
