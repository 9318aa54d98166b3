/** What commands print while they work, on a terminal and in a log. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Terminal } from '../src/cli/progress.js';

const { stderr } = process;
const was = { isTTY: stderr.isTTY, columns: stderr.columns };
let written = '';

beforeEach(() => {
  written = '';
  vi.spyOn(stderr, 'write').mockImplementation((text) => {
    written += text;
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  Object.assign(stderr, was);
});

const sentence =
  'Note: the images of class "cat" are wider than they are tall, and are brought to 32 x 32 pixels.';

test('lines that are too long for a terminal are broken between words', () => {
  Object.assign(stderr, { isTTY: true, columns: 40 });
  new Terminal(false).say(`short\n${sentence}`);
  const lines = written.trimEnd().split('\n');
  expect(lines[0]).toBe('short');
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines) expect(line.length).toBeLessThan(40);
  for (const line of lines.slice(2)) expect(line).toMatch(/^ {2}\S/);
  expect(lines.slice(1).join(' ').replace(/ +/g, ' ')).toBe(sentence);
});

test('a row of a table is not', () => {
  Object.assign(stderr, { isTTY: true, columns: 40 });
  const row = `${'10 distilled images'.padEnd(30)}  94.9 %  by the test split`;
  new Terminal(false).say(row);
  expect(written).toBe(`${row}\n`);
});

test('and neither is anything in a log', () => {
  Object.assign(stderr, { isTTY: false, columns: undefined });
  new Terminal(false).say(sentence);
  expect(written).toBe(`${sentence}\n`);
});
