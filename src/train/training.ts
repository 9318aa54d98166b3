import { LimbeckError } from '../util/errors.js';
import { shown, written } from '../util/expect.js';
import type { LossName } from './loss.js';

/** `sgd`, with `momentum` or `nesterov` as PyTorch has them; `adam`; `adamw` with decoupled weight decay. */
export const optimizerKinds = ['sgd', 'momentum', 'nesterov', 'adam', 'adamw'] as const;

/** Whether a rate of 0.001 is usual, and not one tens of times larger. */
export const isAdam = (kind: OptimizerOptions['kind']): boolean => kind === 'adam' || kind === 'adamw';

/** An inner optimiser in words; JSON-serialisable. */
export interface OptimizerOptions {
  /**
   * `sgd`; `momentum` and `nesterov` as PyTorch's SGD has them; `adam` (Kingma & Ba 2015); `adamw` (Loshchilov &
   * Hutter 2019).
   */
  readonly kind: (typeof optimizerKinds)[number];
  /**
   * rho: the gradient of rho/2 |theta|² is added to every gradient (an L2 penalty on all parameters); `adamw` instead
   * takes rate rho theta away from theta beside its step. Default 0.
   */
  readonly weightDecay?: number;
  /** `momentum` and `nesterov`: how much of the velocity each step keeps, default 0.9. */
  readonly momentum?: number;
  /** `adam` and `adamw`: decay of the mean of gradients, default 0.9. */
  readonly beta1?: number;
  /** `adam` and `adamw`: decay of the mean of squared gradients, default 0.999. */
  readonly beta2?: number;
  /** `adam` and `adamw`: added to the root of that mean, default 1e-8. */
  readonly epsilon?: number;
}

/** How networks learn from data: the part that is not data, steps or rates. JSON-serialisable. */
export interface Training {
  /** What moves the parameters. */
  readonly optimizer: OptimizerOptions;
  /** Of each batch, the mean over its samples. */
  readonly loss: LossName;
}

/** Wang et al. 2018: cross-entropy and SGD without momentum or weight decay. */
export const plainTraining: Training = { optimizer: { kind: 'sgd' }, loss: 'cross-entropy' };

const defaults = { weightDecay: 0, momentum: 0.9, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
type Constant = keyof typeof defaults;

const momentumConstants: readonly Constant[] = ['momentum', 'weightDecay'];
const adamConstants: readonly Constant[] = ['beta1', 'beta2', 'epsilon', 'weightDecay'];

/** What each kind takes. */
const constantsOf: Record<OptimizerOptions['kind'], readonly Constant[]> = {
  sgd: ['weightDecay'],
  momentum: momentumConstants,
  nesterov: momentumConstants,
  adam: adamConstants,
  adamw: adamConstants,
};

function expectedFor(name: Constant, value: unknown): string | undefined {
  const number = typeof value === 'number' && Number.isFinite(value) ? value : Number.NaN;
  if (name === 'weightDecay') return number >= 0 ? undefined : 'a number of at least 0';
  if (name === 'epsilon') return number > 0 ? undefined : 'a number above 0';
  return number >= 0 && number < 1 ? undefined : 'a number from 0 up to, not including, 1';
}

/** Fills in defaults; ERR_OPTION for a kind that is unknown, or a constant that it has not or that is out of range; `what` is its name. */
export function resolveOptimizer(given: OptimizerOptions, what = 'optimizer'): Required<OptimizerOptions> {
  if (typeof given !== 'object' || given?.kind === undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `${what} is ${written(given)}, expected an object such as { kind: '${optimizerKinds.find((kind) => kind === (given as unknown)) ?? 'adam'}' }`,
    );
  const { kind, ...constants } = given;
  if (!optimizerKinds.includes(kind))
    throw new LimbeckError(
      'ERR_OPTION',
      `${what} ${written(kind)} is unknown; there are: ${optimizerKinds.join(', ')}`,
    );
  for (const [name, value] of Object.entries(constants)) {
    if (value === undefined) continue;
    if (!constantsOf[kind].includes(name as Constant))
      throw new LimbeckError(
        'ERR_OPTION',
        `${what} ${kind} has no ${name}; it takes ${constantsOf[kind].join(', ')}`,
      );
    const expected = expectedFor(name as Constant, value);
    if (expected)
      throw new LimbeckError(
        'ERR_OPTION',
        `${what} ${kind}: ${name} is ${shown(value)}, expected ${expected}`,
      );
  }
  const defined = Object.entries(constants).filter(([, value]) => value !== undefined);
  return { kind, ...defaults, ...Object.fromEntries(defined) };
}

/** The description of an optimiser that takes of these constants what it has. */
export function describeOptimizer(
  kind: OptimizerOptions['kind'],
  constants: Readonly<Record<Constant, number>>,
): OptimizerOptions {
  return { kind, ...Object.fromEntries(constantsOf[kind].map((name) => [name, constants[name]])) };
}

/** In words, for protocols: `plain SGD`, `Adam (beta1 0.9, ...) on squared error`. */
export function trainingName({ optimizer, loss }: Training): string {
  const { kind, ...constants } = resolveOptimizer(optimizer);
  const titles = { sgd: 'SGD', momentum: 'SGD', nesterov: 'Nesterov SGD', adam: 'Adam', adamw: 'AdamW' };
  const words = { weightDecay: 'weight decay', momentum: 'momentum' } as const;
  const parts = constantsOf[kind]
    .filter((name) => name !== 'weightDecay' || constants.weightDecay > 0)
    .map((name) => `${(words as Partial<Record<Constant, string>>)[name] ?? name} ${constants[name]}`);
  const name = parts.length ? `${titles[kind]} with ${parts.join(', ')}` : `plain ${titles[kind]}`;
  return loss === 'cross-entropy' ? name : `${name} on ${loss.replaceAll('-', ' ')}`;
}
