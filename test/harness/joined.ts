/**
 * Cases of several steps that the WebGPU engine makes one of: a kernel and a rectifier, or its mask; gradients of weights and of
 * the bias behind them.
 */
import type { OpCase } from '../../src/engine/op.js';
import { ops } from '../../src/engine/ops/index.gen.js';
import { type Program, Recorder } from '../../src/engine/program.js';
import { elements, type View } from '../../src/engine/view.js';
import { type Rectification, rectifiable, rectifications } from '../../src/engine/webgpu/ops/rectified.js';
import { corners } from './corners.js';

export const recorded = (opCase: OpCase): Program => {
  const r = new Recorder(opCase.name);
  opCase.record(r);
  return r.program();
};

const all = Object.values(ops).flatMap(({ cases }) => cases as readonly OpCase[]);
/** Those that take software no time. */
const small = all.filter((opCase) => {
  const program = recorded(opCase);
  return !opCase.bench && program.flops() < 1e6;
});
/** The step that a case is about. */
export const stepOf = (opCase: OpCase) => recorded(opCase).steps.at(-1)!;

/** Records a case whose slot `name` is made by `make` instead. */
function recordWith(
  r: Recorder,
  opCase: OpCase,
  name: string,
  make: (members: number, shape: readonly number[]) => View,
): void {
  const external = r.external;
  r.external = (of, members, shape, dtype) =>
    of === name ? make(members, shape) : external.call(r, of, members, shape, dtype);
  opCase.record(r);
  r.external = external;
}

/** Of masks: what is not above 0 masks, and NaN is not. */
const signs = [1, -1, 0, 0.5, Number.NaN, -0, 2];

/** A case with a rectifier behind it, or a mask: of every member, or one for all. Both lie inside larger tensors. */
function followed(opCase: OpCase, how: Rectification, shared: boolean): OpCase {
  const { kernel, operands } = stepOf(opCase);
  const name = rectifiable(kernel)!;
  const { members, shape } = operands[name]!;
  const length = elements(shape) + 8;
  const maskMembers = shared ? 1 : members;
  const values = Array.from({ length: maskMembers * length }, (_, i) => signs[(i * i) % signs.length]);
  return {
    ...opCase,
    name: `${opCase.name}, ${how}${shared ? ' by one mask' : ''}`,
    fill: { ...opCase.fill, mask: { kind: 'values', values: () => values } },
    record(r) {
      const all = ops.elementwise.fill(r, 3, r.external('rectified', members, [length]));
      const into = { ...all, offset: 5, shape };
      const result = r.temporary('result', members, shape);
      recordWith(r, opCase, name, () => result);
      if (how === 'rectified') ops.relu.forward(r, { x: result }, { into });
      else {
        const y = { ...r.external('mask', maskMembers, [length]), offset: 3, shape };
        ops.relu.mask(r, { y, u: result }, { into });
      }
    },
  };
}

export const rectifiableCases = small.filter((opCase) => {
  const { kernel, accumulate, operands } = stepOf(opCase);
  const result = rectifiable(kernel);
  return result && operands[result]!.slot.name === result && !accumulate;
});
export const followedCases = [
  ...rectifiableCases.flatMap((opCase, index) =>
    rectifications.map((how) => followed(opCase, how, index % 2 > 0)),
  ),
  ...corners
    .filter(({ name }) => /^maxpool2d .* of NaN/.test(name))
    .map((opCase) => followed(opCase, 'rectified', false)),
];

/** A gradient of weights with that of the bias behind it, as in a parameter vector with something on either side. */
function withBias(opCase: OpCase): OpCase {
  return {
    ...opCase,
    name: `${opCase.name}, with the bias`,
    record(r) {
      let weights: View;
      const { operands, accumulate } = stepOf(opCase);
      const [C] = operands.wBar!.shape;
      recordWith(r, opCase, 'wBar', (members, shape) => {
        const g = r.external('g', members, [elements(shape) + C + 5]);
        weights = { ...g, offset: 3, shape };
        return weights;
      });
      const bBar = { ...weights!, offset: 3 + elements(weights!.shape), shape: [C] };
      const { yBar } = r.program().steps[0].operands;
      ops.bias.backward(r, { yBar: yBar! }, { into: bBar, accumulate });
    },
  };
}

const gradients = small.filter((opCase) => {
  const { kernel, operands } = stepOf(opCase);
  if (!kernel.name.endsWith('.backwardWeight')) return false;
  const { wBar, yBar } = operands;
  // Where all members share yBar but not x there would be one gradient of the bias for all.
  return yBar!.members === wBar!.members;
});
export const biasedCases = gradients.map(withBias);

/** Gradients of three biases, one behind the other in both places. */
export const severalBiases: OpCase = {
  name: 'gradients of three biases',
  record(r) {
    const g = r.external('g', 3, [27]);
    const sums = r.external('sums', 3, [3, 5, 7]);
    for (let i = 0; i < 3; i++) {
      const yBar = { ...sums, offset: 35 * i, shape: [5, 7] };
      ops.bias.backward(r, { yBar }, { into: { ...g, offset: 4 + 7 * i, shape: [7] }, accumulate: true });
    }
  },
};

export const joinedCases: readonly OpCase[] = [...followedCases, ...biasedCases, severalBiases];
