import { LimbeckError } from '../../util/errors.js';

/** Of a bracket in brackets; the treebank has some thirty. */
const MOST_LEVELS = 1000;

/**
 * The class at the root of a tree such as `(3 (2 It) (4 works))`, and the words at its leaves, brackets as they were before `-LRB-` stood
 * for them.
 *
 * @param where file and line, for messages
 * @throws ERR_FILE_FORMAT for anything else
 */
export function parseTree(text: string, where: string): { label: string; words: string[] } {
  const tokens = text.match(/[()]|[^\s()]+/g) ?? [];
  const words: string[] = [];
  let depth = 0;
  for (const [i, token] of tokens.entries()) {
    const before = tokens[i - 1];
    if (token === '(') depth++;
    else if (token === ')') depth--;
    else if (before === '(' && /^\d$/.test(token)) continue;
    else if (before !== undefined && /^\d$/.test(before) && tokens[i - 2] === '(') words.push(leafOf(token));
    else
      throw noTree(
        where,
        `${JSON.stringify(token.slice(0, 40))} stands where a class from 0 to 9 or one word is expected`,
      );
    if (depth > MOST_LEVELS) throw noTree(where, `it has more than ${MOST_LEVELS} levels`);
    if (depth <= 0 && i < tokens.length - 1) throw noTree(where, 'it ends before the line does');
  }
  if (depth !== 0 || !/^\d$/.test(tokens[1] ?? '')) throw noTree(where, 'its brackets do not close');
  return { label: tokens[1], words };
}

const leafOf = (word: string): string => ({ '-LRB-': '(', '-RRB-': ')' })[word] ?? word.replace(/\\\//g, '/');

const noTree = (where: string, what: string): LimbeckError =>
  new LimbeckError(
    'ERR_FILE_FORMAT',
    `${where} is no sentence as a tree such as (3 (2 It) (4 works)): ${what}.`,
  );
