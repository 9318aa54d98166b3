import type { StoredTensor } from '../../util/safetensors.js';
import { checkFinite, damaged, type StoredFields } from '../../util/stored-fields.js';
import { firstWords, type TextEncoding } from './encoding.js';
import { tokeniser } from './tokenise.js';

/** What a record says of how texts are read: of the words and their numbers only how many there are. */
export interface TextRecord {
  /** Name of the rules by which texts become words. */
  readonly tokeniser: string;
  /** Words that every text is brought to. */
  readonly length: number;
  /** Numbers that a word becomes. */
  readonly width: number;
  /** Words that are known. */
  readonly vocabulary: number;
  /** Where the numbers come from: for people. */
  readonly embeddings: string;
}

/** The record of how texts are read. */
export const textRecord = ({ tokeniser, length, width, words, embeddings }: TextEncoding): TextRecord => ({
  ...{ tokeniser, length, width, embeddings },
  vocabulary: words.length - firstWords.length,
});

/** Reads and checks such a record. */
export function readTextRecord(fields: StoredFields): TextRecord {
  return {
    tokeniser: fields.text('tokeniser'),
    length: fields.whole('length', 1),
    width: fields.whole('width', 1),
    vocabulary: fields.whole('vocabulary', 1),
    embeddings: fields.text('embeddings'),
  };
}

/** The words and their numbers as tensors of a file: `words` is text in UTF-8, a word on each line. */
export function textTensors({
  words,
  table,
  width,
}: TextEncoding): Record<'words' | 'embeddings', StoredTensor<Uint8Array | Float32Array>> {
  const text = new TextEncoder().encode(words.slice(firstWords.length).join('\n'));
  return {
    words: { shape: [text.length], data: text },
    embeddings: { shape: [words.length, width], data: table },
  };
}

/** Reads and checks what texts are read with; ERR_FILE_FORMAT, in the name of `file`, for anything else. */
export function readText(
  file: string,
  fields: StoredFields,
  tensors: Readonly<Record<string, StoredTensor>>,
): TextEncoding {
  const { length, width, vocabulary, embeddings, tokeniser: rules } = readTextRecord(fields);
  if (rules !== tokeniser)
    throw damaged(
      file,
      `its texts were parted into words by ${JSON.stringify(rules.slice(0, 40))}, expected ${tokeniser}`,
    );
  const text = tensors.words?.data;
  const table = tensors.embeddings?.data;
  const known = text instanceof Uint8Array ? new TextDecoder().decode(text).split('\n') : [];
  if (known.length !== vocabulary || known.includes('') || new Set(known).size < vocabulary)
    throw damaged(file, `tensor words is no list of ${vocabulary} different words`);
  const words = [...firstWords, ...known];
  if (!(table instanceof Float32Array) || table.length !== words.length * width)
    throw damaged(
      file,
      `tensor embeddings is missing or of another size, expected F32 of ${words.length} x ${width}`,
    );
  checkFinite(file, 'embeddings', table);
  return { tokeniser, length, width, words, table, embeddings };
}
