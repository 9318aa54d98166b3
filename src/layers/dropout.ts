import * as random from '../engine/ops/random.js';
import type { View } from '../engine/view.js';
import { LimbeckError } from '../util/errors.js';
import type { Layer } from './layer.js';

/**
 * Dropout (Srivastava et al. 2014): `y = mask x / (1 - rate)`; without random numbers in its mode (after training) the
 * layer is the identity. Every other pass applies the same mask, drawn again from its address: a few dozen integer
 * operations are cheaper than a mask kept in memory for every step of an unrolled training. The state it is drawn from must
 * therefore still hold the same words when the other passes run. x and y have any shape. Saves nothing.
 */
export function dropout(rate: number): Layer {
  const name = `dropout${rate}`;
  if (!(rate >= 0 && rate < 1))
    throw new LimbeckError('ERR_OPTION', `${name}: the rate is ${rate}, expected a number from 0 to below 1`);
  return {
    name,
    streams: 1,
    parameters: () => [],
    outputShape: (inputShape) => inputShape,
    onnx: (_, x) => x,
    forward(r, x, _, { random: source } = {}) {
      const mask = (view: View) =>
        source
          ? random.dropout(
              r,
              { state: source.state, x: view },
              { rate, stream: source.stream, masks: x.members },
            )
          : view;
      return {
        y: mask(x),
        backward: ({ yBar, wantX }) => (wantX ? mask(yBar) : undefined),
        tangentForward: ({ xDot }) => xDot && mask(xDot),
        tangentBackward: ({ yBarDot, wantX }) => (wantX && yBarDot ? mask(yBarDot) : undefined),
      };
    },
  };
}
