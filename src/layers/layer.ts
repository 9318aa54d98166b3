import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import type { OnnxGraph } from '../util/onnx.js';

/**
 * A layer is four hand-written passes, each a short recording of ops; nothing is differentiated automatically.
 *
 *     forward           y from x and theta
 *     backward          xBar and thetaBar from yBar
 *     tangent forward   yDot from xDot and thetaDot
 *     tangent backward  xBarDot and thetaBarDot from yBar, yBarDot, xDot and thetaDot
 *
 * `xDot` is left out where the input has no tangent (the first layer); results nobody wants are not recorded.
 * Parameter gradients overwrite their destination. All tensors are per member or shared, as their views say;
 * results are per member as soon as one operand is.
 */
export interface Layer {
  /** For programs and messages: `conv5x5-6`. */
  readonly name: string;
  /** The layer's parameters for inputs of `[C, H, W]` or `[features]`; throws ERR_SHAPE for inputs it cannot take. */
  parameters(inputShape: readonly number[]): readonly ParameterShape[];
  outputShape(inputShape: readonly number[]): readonly number[];
  /** Shapes of the statistics a layer keeps beside its parameters (batch norm); left out where there are none. */
  statistics?(inputShape: readonly number[]): readonly (readonly number[])[];
  /** Random streams it draws from (none where left out): layers in a row take theirs one after the other. */
  readonly streams?: number;
  /** Whether every output is a weighted sum of all inputs: as a network's last layer it is the classifier. */
  readonly fullyConnected?: boolean;
  /** Adds the layer as it is after training to an ONNX graph, for an input x `[N, ...input shape]`; returns the name of y. */
  onnx(graph: OnnxGraph, x: string, operands: OnnxOperands): string;
  /** Records the forward pass; the three others are recorded by calling the methods of what it returns, in order. */
  forward(r: Recorder, x: View, parameters: readonly View[], mode?: Mode): Passes;
}

/** What a layer finds when it is added to an ONNX graph. */
export interface OnnxOperands {
  readonly inputShape: readonly number[];
  /** Names of its parameters in the graph. */
  readonly parameters: readonly string[];
  /** Values by the shapes of `statistics`, one after the other each. */
  readonly statistics: readonly Float32Array[];
}

/** What a forward pass is for, where a layer behaves differently in training and afterwards. */
export interface Mode {
  /** Statistics to normalise by, one view per shape of `statistics`; left out, a layer uses those of its batch. */
  readonly frozen?: readonly View[];
  /** Where to write the statistics of the batch, one view per shape of `statistics`; beside `frozen` they are of the same input. */
  readonly collect?: readonly View[];
  /**
   * Gradients of the collected statistics, one view per shape, written between the forward pass and `backward`, which adds what follows from
   * them to xBar. Of first order alone: there are no tangents then.
   */
  readonly collectBar?: readonly View[];
  /** Random numbers of this pass, for dropout masks; left out, nothing is dropped. */
  readonly random?: RandomSource;
}

/**
 * Draws are addressed by the seed and draw in `state` (u32 `[4]`, see `engine/ops/random.ts`) and by the stream. The steps
 * of an unrolled training differ in `state` (see `random.fork`), the layers of a network in `stream`.
 */
export interface RandomSource {
  readonly state: View;
  readonly stream: number;
}

/** One parameter tensor of a layer. */
export interface ParameterShape {
  /** Of a layer `weight` or `bias`; of a network with place and layer before it, as `0.conv5x5-6.weight`. */
  readonly name: string;
  /** In PyTorch's layout: `[OC, C, KH, KW]`, `[out, in]`, `[OC]`. */
  readonly shape: readonly number[];
  /** `scale` and `shift`: gamma and beta of a norm, which begin as 1 and 0. */
  readonly kind: 'weight' | 'bias' | 'scale' | 'shift';
  /** Inputs of one output; what fresh weights are scaled by. */
  readonly fanIn: number;
  /** Outputs of one input. */
  readonly fanOut: number;
}

export interface Passes {
  /** `[N, ...output shape]`. */
  readonly y: View;
  backward(o: BackwardOperands): View | undefined;
  tangentForward(o: TangentForwardOperands): View | undefined;
  tangentBackward(o: TangentBackwardOperands): View | undefined;
}

export interface BackwardOperands {
  readonly yBar: View;
  /** Where the parameter gradients go, one view per parameter; left out when nobody reads them. */
  readonly thetaBar?: readonly View[];
  /** Whether xBar is wanted and returned. */
  readonly wantX: boolean;
}

export interface TangentForwardOperands {
  readonly xDot?: View;
  readonly thetaDot: readonly View[];
}

export interface TangentBackwardOperands extends TangentForwardOperands {
  readonly yBar: View;
  /** Left out when it is zero. */
  readonly yBarDot?: View;
  readonly thetaBarDot?: readonly View[];
  readonly wantX: boolean;
}

/** ERR_SHAPE where the input of a layer is no map `[C, H, W]`. */
export function expectMap(name: string, inputShape: readonly number[]): void {
  if (inputShape.length !== 3)
    throw new LimbeckError('ERR_SHAPE', `${name}: the input is ${shapeText(inputShape)}, expected [C, H, W]`);
}
