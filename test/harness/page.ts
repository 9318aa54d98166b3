/**
 * A page of a report as a document: elements with attributes and text, so that a test can ask what a browser would show. It
 * reads well-formed HTML only and throws at anything else, as at a tag that is not closed.
 */

export interface Element {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (Element | string)[];
}

/** Elements that have no end tag. */
const empty = new Set(['meta', 'img', 'br', 'hr', 'input', 'link']);
const named: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
};

const unescaped = (text: string): string =>
  text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, name) =>
    name
      ? (named[name] ?? whole)
      : String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex, 16)),
  );

function attributesOf(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  const rest = text.replace(/([^\s"'<>/=]+)(?:="([^"]*)")?/g, (_, name, value = '') => {
    attributes[name] = unescaped(value);
    return '';
  });
  if (rest.trim() && rest.trim() !== '/') throw new Error(`attributes that cannot be read: ${text}`);
  return attributes;
}

/** The root element of a page. */
export function readPage(html: string): Element {
  const root = { tag: '', attributes: {}, children: [] as (Element | string)[] };
  const open = [root];
  const token = /<!doctype[^>]*>|<(\/?)([a-zA-Z][\w-]*)((?:[^"<>]|"[^"]*")*)>|[^<]+|</gy;
  for (const [text, closing, tag, rest] of html.matchAll(token)) {
    const parent = open[open.length - 1];
    if (text === '<') throw new Error('a < that begins no tag');
    if (tag === undefined) {
      if (!text.startsWith('<')) parent.children.push(unescaped(text));
    } else if (closing) {
      if (parent.tag !== tag) throw new Error(`</${tag}> ends <${parent.tag}>`);
      open.pop();
    } else {
      const element = { tag, attributes: attributesOf(rest), children: [] };
      parent.children.push(element);
      if (!empty.has(tag) && !rest.endsWith('/')) open.push(element);
    }
  }
  if (open.length > 1) throw new Error(`<${open[open.length - 1].tag}> is not ended`);
  return root;
}

/** Every element below that has this tag, in the order of the page. */
export function all(element: Element, tag: string): Element[] {
  return element.children.flatMap((child) =>
    typeof child === 'string' ? [] : [...(child.tag === tag ? [child] : []), ...all(child, tag)],
  );
}

/** What can be read in an element. */
export const textOf = ({ children }: Element): string =>
  children.map((child) => (typeof child === 'string' ? child : textOf(child))).join('');

/** The section of a page under a heading. */
export function sectionOf(page: Element, heading: string): Element {
  const found = all(page, 'section').filter((section) => all(section, 'h2').map(textOf).includes(heading));
  if (found.length !== 1) throw new Error(`${found.length} sections are called ${heading}, expected one`);
  return found[0];
}

/** The rows of the tables in an element: what each cell says. */
export const rowsOf = (element: Element): string[][] =>
  all(element, 'tr').map((row) =>
    row.children.flatMap((cell) => (typeof cell === 'string' ? [] : [textOf(cell)])),
  );
