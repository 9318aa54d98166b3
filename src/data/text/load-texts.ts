import type { Dataset } from '../dataset.js';
import { assembleTexts, type TextOptions } from './assemble-texts.js';
import type { FoundTexts } from './found.js';

/** A reader of texts as one of data sets. */
export const textsBy =
  <Options>(read: (path: string, options: Options) => Promise<FoundTexts>) =>
  async (path: string, options: Options & TextOptions): Promise<Dataset> =>
    assembleTexts(await read(path, options), options);
