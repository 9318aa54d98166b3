/**
 * What kind of error a `LimbeckError` is. Codes are stable: programs may ask for them.
 *
 * - `ERR_OPTION`: an option or configuration value is unknown, missing or out of range
 * - `ERR_FILE_MISSING`: a file or folder that was named does not exist or cannot be read
 * - `ERR_FILE_FORMAT`: a file was read but is truncated, corrupt or not of the format it should be
 * - `ERR_FILE_WRITE`: a result could not be written
 * - `ERR_DOWNLOAD`: a file could not be fetched from any of its addresses
 * - `ERR_CHECKSUM`: a fetched file is not the one that was published
 * - `ERR_DATA`: data is readable but unusable: label out of range, NaN, empty split, wrong length
 * - `ERR_SHAPE`: a tensor, image or layer has an impossible or mismatching shape
 * - `ERR_PROGRAM`: a program was recorded or bound wrongly
 * - `ERR_DEVICE`: the asked-for engine or adapter is not available or was lost
 * - `ERR_OUT_OF_MEMORY`: an engine could not allocate what a program needs
 * - `ERR_DIVERGED`: a run produced NaN or infinity
 */
export type ErrorCode =
  | 'ERR_OPTION'
  | 'ERR_FILE_MISSING'
  | 'ERR_FILE_FORMAT'
  | 'ERR_FILE_WRITE'
  | 'ERR_DOWNLOAD'
  | 'ERR_CHECKSUM'
  | 'ERR_DATA'
  | 'ERR_SHAPE'
  | 'ERR_PROGRAM'
  | 'ERR_DEVICE'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_DIVERGED';

/**
 * Every error limbeck raises on purpose: its message says what was given, what was expected and what to do, and what another
 * library said is its `cause`.
 */
export class LimbeckError extends Error {
  /** `LimbeckError`. */
  override readonly name = 'LimbeckError';
  /** What kind of error it is, for programs. */
  readonly code: ErrorCode;

  /** Only limbeck makes them. */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

const FILE_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EEXIST: 'there is something else of that name',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
  EACCES: 'permission is denied',
  EPERM: 'that is not permitted',
  EROFS: 'its disk may only be read',
  ENOSPC: 'its disk is full',
  EDQUOT: 'the quota of its disk is used up',
  EMFILE: 'too many files are open',
  EIO: 'its disk failed',
};

/** What a call to the file system failed of, for a message that names the path itself: `there is no such file or folder (ENOENT)`. */
export function fileReason(cause: unknown): string {
  const { code, message = String(cause) } = (cause ?? {}) as { code?: unknown; message?: string };
  const reason = FILE_REASONS[String(code)];
  return reason ? `${reason} (${code})` : message;
}

const shownSizes = 16;

/** `[2, 3, 4]` for messages; a file may claim any number of sizes. */
export function shapeText(shape: readonly number[]): string {
  const more = shape.length > shownSizes ? ', …' : '';
  return `[${shape.slice(0, shownSizes).join(', ')}${more}]`;
}
