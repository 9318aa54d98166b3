import { type FileHandle, open } from 'node:fs/promises';
import { decodeRecord, encodeRecord, recordBytes } from '../../data/experts/format.js';
import { type ExpertStart, readBytes, readExpertHeader } from '../../data/experts/read.js';
import { moveIntoPlace, writeFileAtomic } from '../../util/atomic-file.js';
import { fileReason, LimbeckError } from '../../util/errors.js';
import { damaged } from '../../util/stored-fields.js';

/** What is known of an expert under way. */
export interface PartContent extends ExpertStart {
  /** Snapshots that are whole, from the first on. */
  readonly snapshots: number;
}

/**
 * The file of an expert under way, `expert-0007.safetensors.part`: header and first snapshot at once or not at all, then one
 * snapshot more after every epoch. What a killed process was writing last is cut off when the training goes on.
 */
export class PartFile {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private end: number,
  ) {}

  /** Begins a file with its first snapshot. */
  static async create(path: string, header: Uint8Array, first: Float32Array): Promise<PartFile> {
    const record = encodeRecord(first);
    const bytes = new Uint8Array(header.length + record.length);
    bytes.set(header);
    bytes.set(record, header.length);
    await writeFileAtomic(path, bytes);
    return writing(path, async () => new PartFile(path, await open(path, 'r+'), bytes.length));
  }

  /** Goes on behind the first `keep` snapshots; what lies behind them goes. */
  static goOn(path: string, { dataStart, header }: PartContent, keep: number): Promise<PartFile> {
    const end = dataStart + keep * recordBytes(header.network.count);
    return writing(path, async () => {
      const handle = await open(path, 'r+');
      const part = new PartFile(path, handle, end);
      await handle.truncate(end).catch(async (error) => {
        await part.close();
        throw error;
      });
      return part;
    });
  }

  /** Adds a snapshot; when this is done it outlasts a loss of power. */
  append(theta: Float32Array): Promise<void> {
    return writing(this.path, async () => {
      const record = encodeRecord(theta);
      for (let at = 0; at < record.length; ) {
        const { bytesWritten } = await this.handle.write(record, at, record.length - at, this.end + at);
        at += bytesWritten;
      }
      await this.handle.datasync();
      this.end += record.length;
    });
  }

  /** Gives the file, which has all its snapshots, the name of a finished expert. */
  async finish(path: string): Promise<void> {
    try {
      await writing(this.path, () => this.handle.sync());
    } finally {
      await this.close();
    }
    await moveIntoPlace(this.path, path);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

/** Reads the header of a file under way, and every snapshot to see which are whole. */
export async function readPart(path: string): Promise<PartContent> {
  const handle = await open(path, 'r');
  try {
    const { header, dataStart } = await readExpertHeader(path, handle);
    const size = recordBytes(header.network.count);
    let snapshots = 0;
    for (; snapshots <= header.description.training.epochs; snapshots++) {
      const record = await readBytes(handle, dataStart + snapshots * size, size);
      if (record.length < size || !decodeRecord(record)) break;
    }
    if (!snapshots) throw damaged(path, 'its first snapshot is not what its checksum says');
    return { header, dataStart, snapshots };
  } finally {
    await handle.close();
  }
}

/** One snapshot of a file under way that is known to be whole. */
export async function readSnapshot(
  path: string,
  { dataStart, header }: PartContent,
  epoch: number,
): Promise<Float32Array> {
  const handle = await open(path, 'r');
  try {
    const size = recordBytes(header.network.count);
    return decodeRecord(await readBytes(handle, dataStart + epoch * size, size))!;
  } finally {
    await handle.close();
  }
}

async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_WRITE',
      `${path} could not be written: ${fileReason(cause)}. Check that it may be written to and that there is space ` +
        'left; the same command goes on from the last whole epoch.',
      { cause },
    );
  }
}
