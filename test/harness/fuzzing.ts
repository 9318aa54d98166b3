/** Readers on damaged and made-up files: read, or refused with a LimbeckError. `npm run test:endurance -- readers` does more. */
import { afterAll, expect, test } from 'vitest';
import { madeFolders } from './folders.js';
import { type FuzzedReader, inputOf, tryInput, Watchdog } from './fuzz.js';

const COUNT = 2000;
const SEED = 21;

/** A test of each of these readers; `file` is the test file, for what the watchdog says. */
export function testReaders(file: string, readers: Readonly<Record<string, FuzzedReader>>): void {
  const made = madeFolders('fuzz');
  const dog = new Watchdog(file, 60);
  afterAll(() => dog.end());

  test.each(Object.entries(readers))('%s', async (name, reader) => {
    const seeds = await reader.seeds();
    const folder = await made.write({});
    const counts = { read: 0, refused: 0 };
    for (let number = 0; number < COUNT; number++) {
      dog.beat(number);
      try {
        const error = await tryInput(reader, folder, inputOf(reader, seeds, SEED, number));
        counts[error ? 'refused' : 'read']++;
        if (number < seeds.length) expect(error).toBeUndefined();
      } catch (cause) {
        throw new Error(`${name}, input ${number} of seed ${SEED}`, { cause });
      }
    }
    expect(counts.read).toBeGreaterThan(seeds.length);
    expect(counts.refused).toBeGreaterThan(COUNT / 10);
  });
}
