import type { Access, Elements, Kernel } from './kernel.js';
import { destination, expectRank, expectShape, type Fill, type OpCase, population } from './op.js';
import type { Recorder } from './program.js';
import type { Step } from './step.js';
import type { Operands, View } from './view.js';

/**
 * What the losses have in common: logits z, labels y and all their derivatives are `[N, K]`, `losses` `[N]`, one for each
 * sample, and no sample depends on another. Labels may be shared by the population. The constant `scale` is the cotangent of
 * each sample's loss: 1/N for the mean over a batch. The tangent of the loss itself is the dot product of zBar and zDot
 * (`reduce.dot`).
 */

/** The rows of the operands that belong to one sample: K numbers, or one of `losses`. */
type Rows<O> = { readonly [name in keyof O]: Elements };

/** A kernel of a loss, defined by what it does with one sample. */
export function lossKernel<const O extends Readonly<Record<string, Access>>>(
  name: string,
  operands: O,
  { reduction = () => 1, flops }: { reduction?: Kernel['reduction']; flops: number },
  sample: (rows: Rows<O>, K: number, scale: number) => void,
): Kernel {
  return {
    name,
    operands,
    sizes: ['P', 'N', 'K'],
    constants: 'losses' in operands ? [] : ['scale'],
    cuts: { images: { sizes: ['N'] } },
    kind: 'nonlinear',
    reduction,
    flops: (s) => flops * s.P * s.N * s.K,
    reference(members, s, { scale }) {
      for (let p = 0; p < s.P; p++) {
        const values = Object.keys(operands).map((name) => [name, members[name](p)] as const);
        for (let n = 0; n < s.N; n++) {
          const rows = values.map(([name, all]) => {
            const length = all.length / s.N;
            return [name, all.subarray(n * length, (n + 1) * length)];
          });
          sample(Object.fromEntries(rows), s.K, scale);
        }
      }
    },
  };
}

/** Records a kernel of a loss; results that `into` does not have are new temporaries. */
export function recordLoss<Result extends string>(
  r: Recorder,
  kernel: Kernel,
  inputs: Readonly<Record<string, View>>,
  into: Readonly<Record<Result, View | undefined>>,
  scale?: number,
): Record<Result, View> {
  const [[first, { shape }]] = Object.entries(inputs);
  for (const [name, view] of Object.entries(inputs)) {
    expectRank(kernel.name, name, view, 'N K');
    expectShape(kernel.name, name, view, shape, `because ${first} has that shape`);
  }
  const [P, [N, K]] = [population(kernel.name, inputs), shape];
  const results = Object.fromEntries(
    Object.entries<View | undefined>(into).map(([name, view]) => [
      name,
      destination(r, kernel.name, name, P, name === 'losses' ? [N] : shape, { into: view }),
    ]),
  ) as Record<Result, View>;
  const operands: Operands = { ...inputs, ...results };
  const constants: Step['constants'] = scale === undefined ? {} : { scale };
  r.push({ kernel, operands, sizes: { P, N, K }, constants, accumulate: false });
  return results;
}

/** What a case of a loss records its passes on. */
export interface LossCase {
  readonly scale: number;
  /** An external slot `[N, K]`, of each member or, for labels, of all. */
  tensor(name: string): View;
  labels(): View;
  /** An external slot `[N]`. */
  losses(): View;
}

/** Cases for each pass of a loss, of K classes, of 10 with shared labels and of 3. */
export function lossCases(
  op: string,
  classes: number,
  passes: Readonly<Record<string, (r: Recorder, at: LossCase) => void>>,
  fill?: Readonly<Record<string, Fill>>,
): OpCase[] {
  return [
    { P: 1, N: 5, K: classes, shared: false },
    { P: 3, N: 10, K: 10, shared: true },
    { P: 2, N: 67, K: 3, shared: false },
  ].flatMap(({ P, N, K, shared }) =>
    Object.entries(passes).map(([pass, record]) => ({
      name: `${op}.${pass} P=${P} N=${N} K=${K}${shared ? ' labels shared' : ''}`,
      fill,
      record: (r) =>
        record(r, {
          scale: 1 / N,
          tensor: (name) => r.external(name, P, [N, K]),
          labels: () => r.external('y', shared ? 1 : P, [N, K]),
          losses: () => r.external('losses', P, [N]),
        }),
    })),
  );
}
