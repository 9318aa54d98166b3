import type { StoredFields } from '../util/stored-fields.js';
import type { Reading } from './load.js';

/** How files were read, from what a file says of it. */
export function readingOf(fields: StoredFields): Reading {
  return {
    imageSize: fields.optional('imageSize', (name) => fields.numbers(name, 2) as [number, number]),
    channels: fields.optional('channels', (name) => fields.whole(name, 1)),
    layout: fields.optional('layout', (name) => fields.word(name, ['nhwc', 'nchw'])),
    labelColumn: fields.optional('labelColumn', (name) => fields.text(name)),
    labelSet: fields.optional('labelSet', (name) => fields.word(name, ['fine', 'coarse'])),
    zca: fields.optional('zca', (name) => fields.flag(name)),
  };
}
