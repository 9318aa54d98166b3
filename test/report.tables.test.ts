/** Tables of many columns, as screens of every width show them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { framed } from '../src/report/page/frame.js';
import { level } from '../src/report/page/tone.js';
import { nothing, wideTable } from '../src/report/page/wide-table.js';
import { withPage } from './harness/open-page.js';

const folder = mkdtempSync(join(tmpdir(), 'limbeck-tables-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const heads = ['method', ...Array.from({ length: 9 }, (_, i) => `column "${i}"`)];
const row = (name: string, first = nothing) => ({
  cells: [`<td>${name}</td>`, first, ...Array.from({ length: 8 }, (_, i) => `<td>${name} ${i}</td>`)],
});
const path = join(folder, 'page.html');
writeFileSync(path, framed('tables', [wideTable(heads, [row('one'), row('another', '<td>only here</td>')])]));

/** What a window of this width has: how far the page and the table reach, and the cells that are seen. */
const seenAt = (width: number) =>
  withPage(
    pathToFileURL(path).href,
    async (page) =>
      (await page.value(`(() => {
        const cells = [...document.querySelectorAll('td')].filter((cell) => cell.getBoundingClientRect().height > 0);
        const headOf = (cell) => getComputedStyle(cell, '::before').content;
        const card = document.querySelector('.card');
        return {
          page: document.documentElement.scrollWidth,
          inner: card.scrollWidth - card.clientWidth,
          heads: document.querySelector('thead').getBoundingClientRect().height > 0,
          cells: cells.map((cell) => [headOf(cell), cell.textContent]),
        };
      })()`)) as { page: number; inner: number; heads: boolean; cells: [string, string][] },
    width,
  );

test('on a phone every value has the head of its column, and nothing is cut off', async () => {
  const seen = await seenAt(390);
  expect(seen.page).toBeLessThanOrEqual(390);
  expect(seen.inner).toBeLessThanOrEqual(0);
  expect(seen.heads).toBe(false);
  // Without the cell that has nothing to say.
  const of = (name: string, first: [string, string][] = []) => [
    ['none', name],
    ...first,
    ...Array.from({ length: 8 }, (_, i) => [JSON.stringify(`column "${i + 1}"`), `${name} ${i}`]),
  ];
  expect(seen.cells).toEqual([...of('one'), ...of('another', [[JSON.stringify('column "0"'), 'only here']])]);
});

test('on a wide screen the heads stand above their columns', async () => {
  const seen = await seenAt(1440);
  expect(seen.heads).toBe(true);
  expect(seen.cells).toHaveLength(20);
  expect(seen.cells.every(([head]) => head === 'none')).toBe(true);
});

test('a column in which no row has anything to say is left out, with its head', () => {
  const html = wideTable(['a', 'b', 'c'], [{ cells: ['<td>1</td>', nothing, '<td>2</td>'] }]);
  expect(html).not.toContain('>b<');
  expect(html).toContain('<td data-head="c">2</td>');
});

test('zero has no sign', () => {
  expect([-0.004, 0, 0.004, -0.31, 1.7].map(level)).toEqual(['0.00', '0.00', '0.00', '−0.31', '1.70']);
});
