import { damaged, type StoredFields } from '../util/stored-fields.js';
import { createNetwork } from './index.js';
import type { Network, NetworkOptions } from './network.js';

/** The network that the field `network` of a file describes; ERR_FILE_FORMAT, in the name of the file, where it is none. */
export function storedNetwork(fields: StoredFields): { network: Network; options: NetworkOptions } {
  const options = networkOptionsOf(fields.object('network'));
  try {
    return { network: createNetwork(options), options };
  } catch (cause) {
    throw damaged(fields.file, `${fields.name}.network: ${(cause as Error).message}`, cause);
  }
}

const networkOptionsOf = (fields: StoredFields): NetworkOptions => ({
  ...fields.all(),
  name: fields.text('name'),
  inputShape: fields.numbers('inputShape', 3) as [number, number, number],
  classes: fields.whole('classes', 2),
});
