import { damaged, type StoredFields } from '../util/stored-fields.js';
import { lossNames } from './loss.js';
import { resolveOptimizer, type Training } from './training.js';

/** The optimiser and loss in the fields of a file; ERR_FILE_FORMAT, in the name of the file, where they are none. */
export function storedTraining(fields: StoredFields): Training {
  const optimizer = fields.object('optimizer').all() as unknown as Training['optimizer'];
  try {
    resolveOptimizer(optimizer);
  } catch (cause) {
    throw damaged(fields.file, `${fields.name}: ${(cause as Error).message}`, cause);
  }
  return { optimizer, loss: fields.word('loss', lossNames) };
}
