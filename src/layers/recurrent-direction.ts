import { type CellName, cells } from '../engine/cells.js';
import * as bias from '../engine/ops/bias.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as layout from '../engine/ops/layout.js';
import * as linear from '../engine/ops/linear.js';
import * as recurrence from '../engine/ops/recurrence.js';
import type { Recorder } from '../engine/program.js';
import { reshape, slice, type View } from '../engine/view.js';

/**
 * One layer of a recurrent network in one direction, over x `[T N, I]`, a row for every step and sample, time first: with theta = (weight_ih
 * `[G H, I]`, weight_hh `[G H, H]`, bias_ih `[G H]`, bias_hh `[G H]`) and s the step before in the direction of the walk,
 *
 *     z[t] = x[t] w_ihᵀ + b_ih + h[s] w_hhᵀ + b_hh          h, kept = cell(z, kept[s])
 *
 * The products with w_ih are one for all steps, and so is everything in the other passes that does not wait for a neighbouring step:
 *
 *     backward          hBar[s] += zBar[t] w_hh;   xBar = zBar w_ih
 *                       w_ihBar = zBarᵀ x;   w_hhBar = Σ zBar[t]ᵀ h[s];   both biases Σ zBar
 *     tangent forward   zDot[t] = x[t] w_ihDotᵀ + xDot[t] w_ihᵀ + h[s] w_hhDotᵀ + biases, then + hDot[s] w_hhᵀ step by step
 *     tangent backward  hBarDot[s] += zBar[t] w_hhDot, then + zBarDot[t] w_hh step by step; the rest by the product rule
 *
 * `engine/ops/recurrence.ts` has what goes step by step. Saves x, h, what the cell keeps, and their tangents between the tangent passes.
 */
export interface Direction {
  readonly cell: CellName;
  readonly reverse: boolean;
  /** Steps, samples, units. */
  readonly size: readonly [T: number, N: number, H: number];
}

export interface DirectionPasses {
  /** `[T, N, H]` */
  readonly h: View;
  /** hBar `[T, N, H]`, or `[1, N, H]` of the last step walked where the others have none. xBar is added to `into` where given. */
  backward(o: { hBar: View; thetaBar?: readonly View[]; wantX: boolean; into?: View }): View | undefined;
  tangentForward(o: { xDot?: View; thetaDot: readonly View[] }): View;
  /** hBarDot as hBar, changed in place where it is of all steps; left out when it is zero. */
  tangentBackward(o: {
    readonly hBarDot?: View;
    readonly xDot?: View;
    readonly thetaDot: readonly View[];
    readonly thetaBarDot?: readonly View[];
    readonly wantX: boolean;
    readonly into?: View;
  }): View | undefined;
}

export function directionPasses(
  r: Recorder,
  x: View,
  [wIh, wHh, bIh, bHh]: readonly View[],
  { cell, reverse, size: [T, N, H] }: Direction,
): DirectionPasses {
  const geometry = { cell, reverse };
  const gates = cells[cell].gates * H;
  const rows = (view: View) => reshape(view, [T * N, gates]);
  const steps = (view: View) => reshape(view, [T, N, gates]);
  // Every step but the last of the walk, and every step but its first: what is joined by w_hh.
  const shifted = (view: View, by: number) => {
    const width = view.shape[2];
    return slice(view, by * N * width, [(T - 1) * N, width]);
  };
  const before = (view: View) => shifted(view, reverse ? 1 : 0);
  const behind = (view: View) => shifted(view, reverse ? 0 : 1);
  /** Gradients of the parameters; of their tangents with a second pair of factors. */
  const gradients = (
    bar: View,
    [wIhBar, wHhBar, bIhBar, bHhBar]: readonly View[],
    ih?: { x: View; yBar: View },
    hh?: { x: View; yBar: View },
  ) => {
    linear.backwardWeight(r, { x, yBar: rows(bar), second: ih }, { into: wIhBar });
    if (T > 1) linear.backwardWeight(r, { x: before(h), yBar: behind(bar), second: hh }, { into: wHhBar });
    else elementwise.fill(r, 0, wHhBar);
    for (const into of [bIhBar, bHhBar]) bias.backward(r, { yBar: rows(bar) }, { into });
  };

  const wT = layout.swap(r, { x: wHh });
  const a = steps(linear.forward(r, { x, w: wIh, b: bIh }));
  const { h, kept } = recurrence.forward(r, { a, wT, b: bHh }, geometry);
  let back: { zBar: View; bars: View };
  let dots: { hDot: View; keptDot: View };
  return {
    h,
    backward({ hBar, thetaBar, wantX, into }) {
      back = recurrence.backward(r, { hBar, w: wHh, kept }, geometry);
      if (thetaBar) gradients(back.zBar, thetaBar);
      if (!wantX) return undefined;
      return linear.backwardInput(r, { yBar: rows(back.zBar), w: wIh }, { into, accumulate: !!into });
    },
    tangentForward({ xDot, thetaDot: [wIhDot, wHhDot, bIhDot, bHhDot] }) {
      const second = xDot && { x: xDot, w: wIh };
      const aDot = steps(linear.forward(r, { x, w: wIhDot, b: bIhDot, second }));
      if (T > 1) linear.forward(r, { x: before(h), w: wHhDot }, { into: behind(aDot), accumulate: true });
      dots = recurrence.tangent(r, { aDot, wT, bDot: bHhDot, kept }, geometry);
      return dots.hDot;
    },
    tangentBackward({ hBarDot, xDot, thetaDot: [wIhDot, wHhDot], thetaBarDot, wantX, into }) {
      const { zBar, bars } = back;
      const ofAll = hBarDot?.shape[0] === T;
      const members = Math.max(zBar.members, wHhDot.members, hBarDot?.members ?? 1);
      const all = hBarDot && ofAll ? hBarDot : r.temporary('hBarDot', members, [T, N, H]);
      if (!ofAll) {
        const last = slice(all, reverse ? 0 : (T - 1) * N * H, [1, N, H]);
        if (hBarDot) elementwise.add(r, { a: hBarDot, b: hBarDot }, 1, 0, last);
        else elementwise.fill(r, 0, last);
      }
      if (T > 1)
        linear.backwardInput(r, { yBar: behind(zBar), w: wHhDot }, { into: before(all), accumulate: ofAll });
      const { keptDot, hDot } = dots;
      const operands = { hBarDot: all, w: wHh, kept, keptDot, bars };
      const { zBarDot } = recurrence.tangentBackward(r, operands, geometry);
      if (thetaBarDot) {
        const ih = xDot && { x: xDot, yBar: rows(zBar) };
        const hh = T > 1 ? { x: before(hDot), yBar: behind(zBar) } : undefined;
        gradients(zBarDot, thetaBarDot, ih, hh);
      }
      if (!wantX) return undefined;
      return linear.backwardInput(
        r,
        { yBar: rows(zBar), w: wIhDot, second: { yBar: rows(zBarDot), w: wIh } },
        { into, accumulate: !!into },
      );
    },
  };
}
