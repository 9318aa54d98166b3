import { LimbeckError } from '../../util/errors.js';
import type { Precision } from '../precision.js';

/** What a device can do that not every WebGPU device can. */
export interface Abilities {
  /** Lanes of its smallest subgroup, or 0 where there are no subgroup operations. */
  readonly subgroup: number;
  /** What its matrix units multiply; only where products are computed in half precision. */
  readonly matrices?: MatrixUnit;
}

/** `[ROWS, TERMS] x [TERMS, COLUMNS]` of f16, added up in f32. */
export interface MatrixUnit {
  readonly ROWS: number;
  readonly COLUMNS: number;
  readonly TERMS: number;
}

export const plain: Abilities = { subgroup: 0 };

/** What Dawn needs for half precision: its subgroup matrices are experimental, and f16 is off by default on NVIDIA. */
export const dawnFeatures = 'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia';

const halfFeatures = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'];

/** Bytes of workgroup memory for tiles in f16, and for their sums when these are handed out. */
const halfMemory = 32768;

/** The parts of a WebGPU adapter that are used here; subgroup matrices are not in the standard yet. */
export interface AdapterAbilities {
  readonly features: { has(name: string): boolean };
  readonly limits: { readonly maxComputeWorkgroupStorageSize: number };
  readonly info: {
    readonly subgroupMinSize?: number;
    readonly subgroupMaxSize?: number;
    readonly subgroupMatrixConfigs?: Iterable<{
      readonly componentType: string;
      readonly resultComponentType: string;
      readonly M: number;
      readonly N: number;
      readonly K: number;
    }>;
  };
}

/**
 * The features to request of an adapter, and what the device can do with them. Throws ERR_DEVICE where half precision is wanted
 * and the adapter cannot multiply f16 into f32, with subgroups of one size.
 */
export function abilitiesOf(
  { features, info, limits }: AdapterAbilities,
  { precision = 'single', subgroups = true }: { precision?: Precision; subgroups?: boolean },
  called: string,
): { features: string[]; abilities: Abilities } {
  const { subgroupMinSize: least = 0, subgroupMaxSize: most = 0 } = info;
  if (precision === 'single') {
    if (!subgroups || !features.has('subgroups') || !least) return { features: [], abilities: plain };
    return { features: ['subgroups'], abilities: { subgroup: least } };
  }
  const refuse = (why: string) =>
    new LimbeckError(
      'ERR_DEVICE',
      `webgpu: half precision needs an adapter that multiplies matrices of f16 and adds them up in f32: ${called} ${why}; leave precision out`,
    );
  if (precision !== 'half')
    throw new LimbeckError(
      'ERR_OPTION',
      `webgpu: precision ${JSON.stringify(precision)} is unknown; there are: single, half`,
    );
  const missing = halfFeatures.filter((name) => !features.has(name));
  if (missing.length) throw refuse(`lacks ${missing.join(', ')}`);
  if (!least || least !== most)
    throw refuse(`has subgroups of ${least} to ${most} lanes, and they must have one size`);
  const memory = limits.maxComputeWorkgroupStorageSize;
  if (memory < halfMemory) throw refuse(`has ${memory} bytes of workgroup memory, not ${halfMemory}`);
  const offered = [...(info.subgroupMatrixConfigs ?? [])];
  const configs = offered.filter((c) => c.componentType === 'f16' && c.resultComponentType === 'f32');
  const units = configs
    .map(({ M, N, K }): MatrixUnit => ({ ROWS: M, COLUMNS: N, TERMS: K }))
    .filter(({ ROWS, COLUMNS, TERMS }) => [ROWS, COLUMNS, TERMS].every((size) => size === 8 || size === 16))
    .sort((a, b) => b.ROWS * b.COLUMNS * b.TERMS - a.ROWS * a.COLUMNS * a.TERMS);
  if (!units.length) {
    const list = offered.map((c) => `${c.componentType} to ${c.resultComponentType} ${c.M}x${c.N}x${c.K}`);
    throw refuse(`offers ${list.join(', ') || 'no matrices'}`);
  }
  return { features: halfFeatures, abilities: { subgroup: least, matrices: units[0] } };
}
