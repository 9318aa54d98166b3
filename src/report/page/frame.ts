import { style } from './style.js';

const policy =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** A page that needs nothing but itself; `title` and what it holds are HTML already. */
export const framed = (title: string, sections: readonly string[]): string =>
  [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    // Should anything shown be taken for markup all the same, it can neither run nor fetch.
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${title}</title><style>${style}</style></head><body><main>`,
    ...sections,
    '</main></body></html>\n',
  ].join('\n');
