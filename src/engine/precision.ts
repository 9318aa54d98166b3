import { LimbeckError } from '../util/errors.js';
import type { EngineName } from './device.js';

export const precisions = ['single', 'half'] as const;
/** Precision of matrix products: `half` rounds their factors to f16. */
export type Precision = (typeof precisions)[number];

/** ERR_OPTION for an unknown precision or one that the engine lacks; `why` says why it is this engine. */
export function checkPrecision(
  engine: EngineName | 'auto',
  precision: string | undefined,
  why: string,
): void {
  if (precision === undefined) return;
  if (!(precisions as readonly string[]).includes(precision))
    throw new LimbeckError(
      'ERR_OPTION',
      `precision ${JSON.stringify(precision)} is unknown; there are: ${precisions.join(', ')}`,
    );
  if (precision === 'half' && engine !== 'webgpu' && engine !== 'auto')
    throw new LimbeckError(
      'ERR_OPTION',
      `precision half is for a GPU with matrix units, and ${why}; take the device webgpu, or leave precision out`,
    );
}
