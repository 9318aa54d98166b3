import * as elementwise from '../engine/ops/elementwise.js';
import * as gather from '../engine/ops/gather.js';
import type { Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';

/** Records the batch x `[B, C, H, W]`, y `[B, K]` of a set that lies on the device, as it is, by its row numbers `[B]`. */
export function gatherRows(
  r: Recorder,
  { images, labels, index }: { images: View; labels: View; index: View },
): { x: View; y: View } {
  const same = (channels: number) => ({
    gain: elementwise.fill(r, 1, r.temporary('gain', 1, [channels])),
    shift: elementwise.fill(r, 0, r.temporary('shift', 1, [channels])),
  });
  const [rows, K] = labels.shape;
  const y = gather.images(r, { data: reshape(labels, [rows, 1, 1, K]), index, ...same(1) });
  return {
    x: gather.images(r, { data: images, index, ...same(images.shape[1]) }),
    y: reshape(y, [index.shape[0], K]),
  };
}
