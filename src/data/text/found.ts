import { LimbeckError } from '../../util/errors.js';
import type { SplitName } from '../dataset.js';

/** Texts and the names of their classes, as a reader collects them. */
export class Texts {
  readonly texts: string[] = [];
  readonly labels: string[] = [];

  /**
   * @param where file and line, for messages
   * @throws ERR_DATA for a text or a label that is empty
   */
  add(text: string, label: string, where: string): void {
    if (text.trim() === '')
      throw new LimbeckError(
        'ERR_DATA',
        `${where} has no text, expected some in every row: fill it in or remove the row.`,
      );
    if (label.trim() === '')
      throw new LimbeckError(
        'ERR_DATA',
        `${where} has no label, expected a class in every row: fill it in or remove the row.`,
      );
    this.texts.push(text);
    this.labels.push(label.trim());
    this.places.push(where);
  }

  /** Where each text stands, for messages. */
  readonly places: string[] = [];
}

/** What a reader of texts found, before it is split and its words become numbers. */
export interface FoundTexts {
  readonly name: string;
  /** For messages: the file or folder. */
  readonly path: string;
  readonly splits: Readonly<Partial<Record<SplitName, Texts>> & { train: Texts }>;
  /** What was decided where the files leave something open: for people. */
  readonly notes: readonly string[];
}
