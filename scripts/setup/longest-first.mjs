import { BaseSequencer } from 'vitest/node';

/** Files that are short to read and long to run. */
const longest = ['readers.fuzz', 'endurance', 'texts.fuzz', 'docs.tutorial', 'tiles.values'];

/**
 * Vitest begins with what took longest before; where nothing was run yet, with the largest files, and a worker is left alone with what is small
 * and slow. Those files go first here.
 */
export class LongestFirst extends BaseSequencer {
  async sort(files) {
    const place = ({ moduleId }) => {
      const at = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}
