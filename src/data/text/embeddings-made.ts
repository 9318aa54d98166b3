import { LimbeckError } from '../../util/errors.js';
import { ppmi } from './cooccurrence.js';
import type { Embeddings } from './embeddings.js';
import { largestEigen } from './largest-eigen.js';

/** Mean square root of all numbers, about that of GloVe's. */
const SCALE = 0.4;

/**
 * Embeddings out of texts alone: the largest singular vectors of the positive pointwise mutual information of neighbouring words, each
 * times the square root of its singular value (Levy, Goldberg, Dagan 2015), all of it scaled to numbers of mean square 0.4². The same every
 * time.
 *
 * @param texts words as numbers from 0 on; from `words.length` on they are none of them
 * @throws ERR_DATA where no two words stand together more often than by chance
 */
export async function makeEmbeddings(
  texts: readonly Uint32Array[],
  words: readonly string[],
  width: number,
  path: string,
): Promise<Embeddings> {
  const V = words.length;
  const matrix = await ppmi(texts, V);
  const W = Math.min(width, V);
  const { values, vectors } = await largestEigen(matrix, W);
  const roots = values.map((value) => Math.sqrt(Math.abs(value)));
  const squares = vectors.reduce(
    (sum, vector, k) => sum + roots[k] ** 2 * vector.reduce((a, b) => a + b * b, 0),
    0,
  );
  if (!(squares > 0))
    throw new LimbeckError(
      'ERR_DATA',
      `${path}: its training texts are too few to learn from which words stand together; give embeddings (--embeddings FILE).`,
    );
  const scale = SCALE / Math.sqrt(squares / (V * W));
  return {
    width: W,
    vectors: new Map(
      words.map((word, i) => [word, Float32Array.from(vectors, (vector, k) => scale * roots[k] * vector[i])]),
    ),
    source: 'the training texts (PPMI, SVD)',
  };
}
