import { breathe } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import { count, counted } from '../../util/words.js';
import { divide, type SplitOptions, withNotes } from '../assemble.js';
import { classNamesOf } from '../class-names.js';
import { labelsOf, MAX_CLASSES } from '../classes.js';
import { type Dataset, type Split, type SplitName, splitNames } from '../dataset.js';
import { missingLabel } from '../label-column.js';
import type { Embeddings } from './embeddings.js';
import { readEmbeddingsFile } from './embeddings-file.js';
import { makeEmbeddings } from './embeddings-made.js';
import { readWink } from './embeddings-wink.js';
import { firstWords, type TextEncoding, UNKNOWN } from './encoding.js';
import type { FoundTexts, Texts } from './found.js';
import { tokeniser } from './tokenise.js';
import { mostFrequent, usualLength, WordNumbers, wordCounts } from './vocabulary.js';

/** How texts become numbers. */
export interface TextOptions extends Omit<SplitOptions, 'classes'> {
  /** A file of vectors in the text form of GloVe, word2vec or fastText, or `wink`; made from the training texts when missing. */
  readonly embeddings?: string;
  /** Numbers of a word, where embeddings are made; 100 when missing. */
  readonly embeddingSize?: number;
  /** Words that a text is brought to; what 95 in a hundred training texts have, at most 200, when missing. */
  readonly textLength?: number;
  /** Words that are known at most, the most frequent of the training texts; 30,000 when missing. */
  readonly vocabulary?: number;
}

const USUAL = { width: 100, vocabulary: 30_000, part: 0.95, length: 200 } as const;
/** A word that occurs once says nothing of what it stands with. */
const LEAST_OFTEN = 2;

/**
 * A data set out of texts: split as images are, words known by the training texts alone, texts as rows of a table of numbers.
 *
 * @throws ERR_DATA for a text without words, fewer than two classes or more than 4,096; ERR_OPTION; what the readers of embeddings throw
 */
export async function assembleTexts(found: FoundTexts, options: TextOptions = {}): Promise<Dataset> {
  const { path } = found;
  const numbers = new WordNumbers();
  const all = splitNames.flatMap((part) => found.splits[part] ?? []);
  for (const { texts, places } of all)
    await numbers.add(
      texts,
      (i) =>
        new LimbeckError(
          'ERR_DATA',
          `${places[i]} is ${JSON.stringify(texts[i].slice(0, 40))}, which has no words, expected some: correct or remove it.`,
        ),
    );
  const missing = missingLabel(all.flatMap(({ labels }) => labels));
  const unlabelled = missing !== undefined && all.find(({ labels }) => labels.includes(missing));
  if (unlabelled)
    throw new LimbeckError(
      'ERR_DATA',
      `${unlabelled.places[unlabelled.labels.indexOf(missing)]} has the label ${missing}, expected a class, and all others are numbers: fill it in or remove it.`,
    );
  const classes = classNamesOf(all.flatMap(({ labels }) => labels));
  if (classes.names.length < 2 || classes.names.length > MAX_CLASSES)
    throw new LimbeckError(
      'ERR_DATA',
      `${path}: its texts are of ${classes.names.length === 1 ? 'one class' : `${count(classes.names.length)} classes`}, expected 2 to ${count(MAX_CLASSES)} different ones; if another column holds them, say --label-column.`,
    );
  const divided = await divide(
    {
      ...{ name: found.name, path, noun: 'text', imageShape: [1, 1, 1], classNames: classes.names },
      ...numbered(found.splits, classes.numbers),
      remedy: 'add some to train on, or take the texts of the class out of the others',
      notes: [...found.notes, ...classes.notes],
    },
    options,
  );
  const { splits, notes, ...rest } = divided;
  const { encoding, rows, known } = await encodingOf(path, numbers, splits.train.images, options);
  const { length, width, words } = encoding;
  const encoded = {} as Record<SplitName, Split>;
  let cut = 0;
  for (const part of splitNames) {
    const split = splits[part];
    const images = new Uint32Array(split.count * length);
    for (const [i, text] of split.images.entries()) {
      const own = numbers.texts[text];
      if (part === 'train' && own.length > length) cut++;
      for (let t = 0; t < Math.min(length, own.length); t++) images[i * length + t] = rows[own[t]];
    }
    encoded[part] = { ...split, images };
    await breathe();
  }
  return {
    name: options.name ?? found.name,
    imageShape: [1, length, width],
    ...rest,
    mean: [0],
    std: [1],
    text: encoding,
    ...withNotes([
      ...notes,
      `texts are read as ${counted(length, 'word')} of ${counted(width, 'number')}: ${cut ? `${count(cut)} of ${counted(splits.train.count, 'training text')} are cut` : 'none is cut'} (--text-length)`,
      `${count(words.length - firstWords.length)} words are known, with embeddings of ${encoding.embeddings}: ${(100 * known).toFixed(1)} % of the words of the training texts (--embeddings, --vocabulary)`,
    ]),
    ...encoded,
  };
}

/** The splits of texts as those of images: for each its place in the list of all of them. */
function numbered(
  splits: FoundTexts['splits'],
  classes: ReadonlyMap<string, number>,
): Pick<Parameters<typeof divide>[0], SplitName> {
  let next = 0;
  const split = ({ texts, labels }: Texts): Split => ({
    images: Uint32Array.from(texts, () => next++),
    labels: labelsOf(labels.map((label) => classes.get(label)!)),
    count: texts.length,
  });
  const of = (part: SplitName) => splits[part] && split(splits[part]);
  return { train: split(splits.train), validation: of('validation'), test: of('test') };
}

/** The words that are known and their numbers, which row of the table each word has, and the part of the training words that is known. */
async function encodingOf(
  path: string,
  numbers: WordNumbers,
  training: ArrayLike<number>,
  { embeddings, embeddingSize, textLength, vocabulary = USUAL.vocabulary }: TextOptions,
): Promise<{ encoding: TextEncoding; rows: Uint32Array; known: number }> {
  if (embeddings !== undefined && embeddingSize !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `embeddingSize is ${embeddingSize}, but embeddings are read from ${embeddings}, which has a size of its own: leave it out (--embedding-size).`,
    );
  const texts = Array.from(training, (text) => numbers.texts[text]);
  const counts = wordCounts(numbers, Array.from(training));
  const frequent = mostFrequent(numbers, counts, embeddings === undefined ? LEAST_OFTEN : 1);
  const spelt = (word: number) => numbers.words[word];
  let kept: number[];
  let found: Embeddings;
  if (embeddings === undefined) {
    kept = frequent.slice(0, vocabulary);
    if (kept.length === 0)
      throw new LimbeckError(
        'ERR_DATA',
        `${path}: no word occurs twice in its training texts, so no embeddings can be made of them; give some (--embeddings FILE).`,
      );
    const places = new Uint32Array(numbers.words.length).fill(kept.length);
    for (const [place, word] of kept.entries()) places[word] = place;
    found = await makeEmbeddings(
      texts.map((text) => text.map((word) => places[word])),
      kept.map(spelt),
      embeddingSize ?? USUAL.width,
      path,
    );
  } else {
    const wanted = new Set(frequent.map(spelt));
    found = await (embeddings === 'wink' ? readWink(wanted) : readEmbeddingsFile(embeddings, wanted));
    kept = frequent.filter((word) => found.vectors.has(spelt(word))).slice(0, vocabulary);
    if (kept.length === 0)
      throw new LimbeckError(
        'ERR_DATA',
        `${embeddings} has none of the ${counted(frequent.length, 'word')} of ${path}, expected embeddings of the language of its texts, in lower case.`,
      );
  }
  const { width, vectors, source } = found;
  const rows = new Uint32Array(numbers.words.length).fill(UNKNOWN);
  const table = new Float32Array((kept.length + firstWords.length) * width);
  let seen = 0;
  for (const [i, word] of kept.entries()) {
    rows[word] = i + firstWords.length;
    table.set(vectors.get(spelt(word))!, rows[word] * width);
    seen += counts[word];
  }
  const all = counts.reduce((a, b) => a + b, 0);
  return {
    rows,
    known: seen / Math.max(1, all),
    encoding: {
      tokeniser,
      length:
        textLength ??
        Math.min(
          USUAL.length,
          usualLength(
            texts.map((text) => text.length),
            USUAL.part,
          ),
        ),
      width,
      words: [...firstWords, ...kept.map(spelt)],
      table,
      embeddings: source,
    },
  };
}
