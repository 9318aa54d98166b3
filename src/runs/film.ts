import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../util/atomic-file.js';
import { StoredFields } from '../util/stored-fields.js';
import type { CurvePoint } from './distillation.js';

/** Images of a run at one look at the validation split, small. */
export interface Frame {
  /** The number of the look, from 1; 0 before the first outer step. */
  readonly look: number;
  /** Outer steps done. */
  readonly iteration: number;
  /** Percent; left out before the first outer step. */
  readonly validationAccuracy?: number;
  /** The pixel that is shown as black. */
  readonly black: number;
  /** The pixel that is shown as white. */
  readonly white: number;
  /** A PNG file in base64. */
  readonly png: string;
}

/** Frames that a film keeps. */
export const mostFrames = 16;

/** How far apart the looks are that are kept: a power of two, so that a longer run drops every other frame. */
function strideOf(looks: number): number {
  let stride = 1;
  while (looks / stride >= mostFrames) stride *= 2;
  return stride;
}

/** `film.jsonl`: the frames of a run, a line each. */
export class Film {
  /** Touches nothing yet. */
  constructor(
    /** Where it lies, or will. */
    readonly path: string,
  ) {}

  /** What the file holds; none where there is none, or it is no film: a run does not fail for its pictures. */
  async frames(): Promise<Frame[]> {
    if (!existsSync(this.path)) return [];
    try {
      const lines = (await readFile(this.path, 'utf8')).split('\n').filter(Boolean);
      return lines.map((line) => readFrame(new StoredFields(this.path, 'frame', JSON.parse(line))));
    } catch {
      return [];
    }
  }

  /** Keeps the frames of the looks that a run goes on from. */
  async goOn(curve: readonly CurvePoint[]): Promise<void> {
    const frames = await this.frames();
    const known = frames.filter(({ look, iteration }) => (curve[look - 1]?.iteration ?? 0) === iteration);
    if (known.length < frames.length) await this.#write(known);
  }

  /** Whether the film has a frame of a look, the last one so far. */
  keeps(look: number): boolean {
    return look % strideOf(look) === 0;
  }

  /** Adds the frame of a look, where it is kept; those after it are of another run. */
  async add(frame: Frame): Promise<void> {
    const stride = strideOf(frame.look);
    const earlier = (await this.frames()).filter(({ look }) => look < frame.look && look % stride === 0);
    await this.#write([...earlier, frame]);
  }

  #write(frames: readonly Frame[]): Promise<void> {
    return writeFileAtomic(this.path, frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''));
  }
}

/** It goes into a page: what is no base64 is no frame. */
function readFrame(fields: StoredFields): Frame {
  const png = fields.text('png');
  if (!/^[A-Za-z0-9+/]+=*$/.test(png)) throw new Error('expected base64');
  return {
    look: fields.whole('look', 0),
    iteration: fields.whole('iteration', 0),
    validationAccuracy: fields.optional('validationAccuracy', (name) => fields.number(name)),
    black: fields.number('black'),
    white: fields.number('white'),
    png,
  };
}
