import * as elementwise from '../engine/ops/elementwise.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { type Items, itemCount, oneHotLabels } from './items.js';
import type { UpdateRule, Variable } from './variable.js';

/** Labels without their mean, for regression: a class that is as likely as any is at 0. */

/** `[count, K]`: those of items, times `scale`. */
export const centredLabels = (items: Items, scale = 1): Float32Array =>
  oneHotLabels(items).map((one) => scale * (one - 1 / items.classes));

/** The variable of such labels for regression on the features of networks: they begin over the root of K / 10; labels of real images do not. */
export const labelsOfFeatures = (items: Items, update: UpdateRule): Variable => ({
  name: 'labels',
  shape: [itemCount(items), items.classes],
  first: centredLabels(items, 1 / Math.sqrt(items.classes / 10)),
  update,
});

/** Labels y `[B, K]` on the device without their mean. */
export function recordCentred(r: Recorder, y: View): View {
  const ones = elementwise.fill(r, 1, r.temporary('ones', 1, y.shape));
  return elementwise.add(r, { a: y, b: ones }, 1, -1 / y.shape[1]);
}
