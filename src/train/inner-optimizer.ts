import * as adam from '../engine/ops/adam.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as momentum from '../engine/ops/momentum.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { elements, type View } from '../engine/view.js';
import { type OptimizerOptions, resolveOptimizer } from './training.js';

/**
 * How an inner step makes theta[t+1] of theta[t] and the gradient g of its loss, and the exact adjoint of that. A state
 * (velocity, moments) begins at zero and is never changed in place: the adjoint of a step reads the one behind it.
 */
export interface InnerOptimizer {
  /** Shape of the state of `count` parameters; left out by those that have none. */
  stateShape?(count: number): readonly number[];
  /** Records a step; `into` receives theta[t+1], and the state behind it where a slot for it is given. */
  step(r: Recorder, o: StepOperands, into: StepResult): StepResult;
  /** Whether the adjoint reads the gradient of the step, which is then computed again. */
  readonly readsGradient: boolean;
  /** Begins the sweep back through a recorded training. */
  sweep(r: Recorder): (o: SweepOperands) => StepAdjoint;
}

export interface StepOperands {
  /** theta[t] `[count]`. */
  readonly theta: View;
  readonly g: View;
  /** `[1]` */
  readonly rate: View;
  /** The state before the step. */
  readonly state?: View;
}

/** What a step leaves. */
export interface StepResult {
  /** theta[t+1] `[count]`. */
  readonly theta: View;
  readonly state?: View;
}

export interface SweepOperands {
  /** dL/dtheta[t+1] `[count]`; it is not changed. */
  readonly lambda: View;
  readonly theta: View;
  readonly rate: View;
  /** Where `readsGradient`. */
  readonly g?: View;
  /** The states before and after the step. */
  readonly before?: View;
  readonly after?: View;
}

/** One step of the sweep, in the order of its calls: tangent pass in direction `v`, then these. */
export interface StepAdjoint {
  /** Direction of the tangent pass: dL/dg, up to `scale`. */
  readonly v: View;
  /** dL/dg = factor scale[0] v, so that the gradients of images and labels are this times the tangents of theirs. */
  readonly factor: 1 | -1;
  readonly scale?: View;
  /** Records -dL/drate `[1]` per member; `gv` records the tangent of the loss, g·v. */
  rateBar(gv: () => View): View;
  /** Records dL/dtheta[t] from hv = H_ww v. */
  lambda(hv: View, into?: View): View;
}

/** The optimiser of a description; ERR_OPTION where it is none. */
export function optimizerOf(options: OptimizerOptions): InnerOptimizer {
  const o = resolveOptimizer(options);
  if (o.kind === 'sgd') return sgd(o.weightDecay);
  if (o.kind === 'momentum' || o.kind === 'nesterov')
    return withMomentum({ momentum: o.momentum, nesterov: o.kind === 'nesterov', decay: o.weightDecay });
  const { beta1, beta2, epsilon, weightDecay: decay } = o;
  return withMoments({ beta1, beta2, epsilon, decay, decoupled: o.kind === 'adamw' });
}

const into = (view?: View) => ({ into: view });

/**
 * theta' = theta - eta (g + rho theta). With v = lambda, the tangent of the loss is g·v already: no weight gradient is
 * computed again, and the sweep keeps nothing but theta[t].
 */
function sgd(decay: number): InnerOptimizer {
  return {
    readsGradient: false,
    step: (r, { theta, g, rate }, to) => ({
      theta: optimizer.sgd(r, { theta, g, rate }, into(to.theta), decay),
    }),
    sweep:
      (r) =>
      ({ lambda, theta, rate }) => ({
        v: lambda,
        factor: -1,
        scale: rate,
        rateBar(gv) {
          if (decay === 0) return gv();
          const penalty = reduce.dot(r, { a: lambda, b: theta });
          return elementwise.add(r, { a: gv(), b: penalty }, 1, decay);
        },
        lambda: (hv, to) => optimizer.sgd(r, { theta: lambda, g: hv, rate }, into(to), decay),
      }),
  };
}

/** A cotangent of the state that the sweep carries from step to step, zero at first. */
function carried(r: Recorder, name: string): (members: number, shape: readonly number[]) => View {
  let view: View | undefined;
  return (members, shape) => {
    view ??= elementwise.fill(r, 0, r.temporary(name, members, shape));
    return view;
  };
}

/** See `engine/ops/momentum.ts`; keeps one velocity per step. */
function withMomentum(constants: momentum.MomentumConstants & { decay: number }): InnerOptimizer {
  const { momentum: mu, nesterov, decay } = constants;
  return {
    readsGradient: false,
    stateShape: (count) => [count],
    step(r, { theta, g, rate, state }, to) {
      const into = { out: to.theta, uNext: to.state };
      const after = momentum.step(r, { theta, g, rate, u: state! }, constants, into);
      return { theta: after.out, state: after.uNext };
    },
    sweep(r) {
      const carry = carried(r, 'uBar');
      return ({ lambda, rate, before, after }) => {
        const uBar = carry(lambda.members, lambda.shape);
        const v = momentum.backward(r, { lambda, rate, uBar }, constants);
        return {
          v,
          factor: 1,
          rateBar() {
            // The step went along u', or along d + mu u' = (1 + mu) u' - mu u.
            const along = reduce.dot(r, { a: lambda, b: after! });
            if (!nesterov) return along;
            return elementwise.add(r, { a: along, b: reduce.dot(r, { a: lambda, b: before! }) }, 1 + mu, -mu);
          },
          lambda: (hv, to) => optimizer.adjoint(r, { lambda, hv, v, rate }, { decay, shrink: 0 }, into(to)),
        };
      };
    },
  };
}

/** See `engine/ops/adam.ts`; keeps two moments per step, and computes g again in the sweep. */
function withMoments(constants: adam.AdamOptions): InnerOptimizer {
  const { decay, decoupled } = constants;
  const shares = decoupled ? { decay: 0, shrink: decay } : { decay, shrink: 0 };
  return {
    readsGradient: true,
    stateShape: adam.momentsShape,
    step(r, { theta, g, rate, state }, to) {
      const into = { out: to.theta, next: to.state };
      const after = adam.step(r, { theta, g, rate, moments: state! }, constants, into);
      return { theta: after.out, state: after.next };
    },
    sweep(r) {
      const carry = carried(r, 'momentsBar');
      return ({ lambda, theta, rate, g, after }) => {
        const momentsBar = carry(lambda.members, [2, elements(lambda.shape)]);
        const operands = { theta, g: g!, next: after!, rate, lambda, momentsBar };
        const { v, direction } = adam.backward(r, operands, constants);
        return {
          v,
          factor: 1,
          rateBar: () => reduce.dot(r, { a: lambda, b: direction }),
          lambda: (hv, to) => optimizer.adjoint(r, { lambda, hv, v, rate }, shares, into(to)),
        };
      };
    },
  };
}
