/**
 * Flags of the WebGPU API by value: Dawn's Node binding does not define the global objects that hold them, and
 * this library does not put anything on `globalThis` for it.
 */
export const usage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, uniform: 0x40, storage: 0x80 } as const;
export const mapRead = 0x1;
export const computeStage = 0x4;

/** Names of software adapters: SwiftShader says so itself, lavapipe does not. */
export const softwareNames = /swiftshader|llvmpipe|lavapipe|basic render/i;

/** Limits that are requested as high as the adapter has them: of others a device gets the guaranteed minimum. */
export const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
] as const;
