/**
 * Every error limbeck raises on purpose is a `LimbeckError`: its message says what was given, what was
 * expected and what to do; its `code` is stable and meant for programs.
 */
export type ErrorCode =
  | 'ERR_OPTION' // an option or configuration value is unknown, missing or out of range
  | 'ERR_FILE_MISSING' // a file or folder that was named does not exist or cannot be read
  | 'ERR_FILE_FORMAT' // a file was read but is truncated, corrupt or not of the format it should be
  | 'ERR_FILE_WRITE' // a result could not be written
  | 'ERR_DOWNLOAD' // a file could not be fetched from any of its addresses
  | 'ERR_CHECKSUM' // a fetched file is not the one that was published
  | 'ERR_DATA' // data is readable but unusable: label out of range, NaN, empty split, wrong length
  | 'ERR_SHAPE' // a tensor, image or layer has an impossible or mismatching shape
  | 'ERR_PROGRAM' // a program was recorded or bound wrongly
  | 'ERR_DEVICE' // the asked-for engine or adapter is not available or was lost
  | 'ERR_OUT_OF_MEMORY' // an engine could not allocate what a program needs
  | 'ERR_DIVERGED'; // a run produced NaN or infinity

export class LimbeckError extends Error {
  override readonly name = 'LimbeckError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** `[2, 3, 4]` for messages. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
