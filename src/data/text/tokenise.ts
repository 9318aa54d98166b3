/** What `tokenise` does, as files name it; other rules get another name. */
export const tokeniser = 'limbeck-words-1';

/** A longer word is none of any table. */
const LONGEST = 64;
/** `n't`, `'s` and their like, which tables of words have as words of their own. */
const CLITIC = /^(.+?)(n't|'(?:s|m|d|ll|re|ve))$/;

/**
 * In this order: tags such as `<br />`; initials such as `u.s.`; numbers with their points and commas; a letter of a script that puts no blanks between words;
 * words with the apostrophes in them; clitics that stand alone; a sign, repeated or not.
 */
const TOKEN =
  /<\/?[a-z][^<>]{0,100}>|(?:\p{L}\.){2,}|\p{N}+(?:[.,]\p{N}+)*(?![\p{L}\p{N}])|[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]|[\p{L}\p{N}\p{M}]+(?:'[\p{L}\p{M}]+)*|'(?:s|m|d|ll|re|ve|t)(?![\p{L}\p{N}])|([^\s\p{L}\p{N}\p{M}\p{C}])\1*/gu;

/**
 * The words of a text, in lower case and in the form NFC of Unicode. Words are runs of letters and digits; what `n't`, `'s`, `'re` and their
 * like end with is a word of its own; so is every sign, and a repeated one (`...`, `--`). Tags of HTML are left out. Hyphens
 * part words. Of Chinese, Japanese and Thai every letter is a word. What has more than 64 characters is left as the unknown word.
 */
export function tokenise(text: string): string[] {
  const words: string[] = [];
  const plain = text
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"');
  for (const [token] of plain.matchAll(TOKEN)) {
    if (/^<\/?[a-z]/.test(token)) continue;
    const parts = token.length > 2 ? CLITIC.exec(token) : null;
    words.push(...(parts ? parts.slice(1) : [token]).map((part) => (part.length > LONGEST ? '' : part)));
  }
  return words;
}
