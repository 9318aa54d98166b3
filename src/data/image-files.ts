import { readFile } from 'node:fs/promises';
import type { Sharp, SharpOptions } from 'sharp';
import { LimbeckError } from '../util/errors.js';
import { MAX_BYTES } from './bytes.js';

/** Height and width in pixels. */
export type ImageSize = readonly [number, number];

export interface DecodeOptions {
  /** Images are resized so that they cover it, and cut at the middle; they must all have one size when missing. */
  readonly imageSize?: ImageSize;
  /** 1 (grey) or 3 (RGB); when missing, 1 if no pixel of any image has a colour. */
  readonly channels?: number;
  /** Images decoded so far, and how many there are. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** `data` is `[count, C, H, W]`. */
export interface DecodedImages {
  readonly imageShape: [number, number, number];
  readonly data: Uint8Array;
}

/** Red, green and blue of each pixel in turn. */
interface Rgb {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** More than the decoder's threads, so that the next file is there when one is free. */
const IN_FLIGHT = 16;
const MAX_COMPLAINTS = 5;
/** Of one image; a header of a few bytes may claim any size. */
const MAX_PIXELS = 2 ** 26;
const PROGRESS_EVERY = 256;

/**
 * Decodes image files to bytes: turned as their EXIF data say, in sRGB, transparency dropped, only the first picture of
 * an animation. Decoding happens on the threads of the library; the event loop stays free.
 *
 * @throws ERR_DATA naming up to five files that cannot be decoded, or two whose sizes differ; ERR_OPTION without the
 * optional package `sharp`
 */
export async function decodeImages(
  paths: readonly string[],
  options: DecodeOptions = {},
): Promise<DecodedImages> {
  const { imageSize, onProgress } = options;
  checkOptions(options);
  const sharp = await loadSharp();
  const complaints: { readonly index: number; readonly text: string }[] = [];
  let firstPath = '';
  let all: { readonly height: number; readonly width: number; readonly data: Uint8Array } | undefined;
  let coloured = false;
  let next = 0;
  let done = 0;

  const decodeNext = async (): Promise<void> => {
    const index = next++;
    const path = paths[index];
    let image: Rgb;
    try {
      image = await decode(sharp, path, imageSize);
    } catch (error) {
      complaints.push({ index, text: `${path}: ${firstLine(error)}` });
      return;
    }
    const { width, height, data } = image;
    if (all === undefined) {
      firstPath = path;
      all = { height, width, data: allocate(paths.length, height, width) };
    }
    if (width !== all.width || height !== all.height) {
      next = paths.length;
      throw new LimbeckError(
        'ERR_DATA',
        `The images differ in size: ${firstPath} has ${all.height}x${all.width} pixels, ${path} ${height}x${width}. ` +
          'Give the size to bring them to: imageSize: [H, W], or --image-size HxW.',
      );
    }
    coloured = planesOf(data, all.data, index * data.length) || coloured;
    done++;
    if (done % PROGRESS_EVERY === 0 || done === paths.length) onProgress?.({ done, total: paths.length });
  };
  const worker = async () => {
    while (next < paths.length && complaints.length < MAX_COMPLAINTS) await decodeNext();
  };
  // One thread per image: images of data sets are too small to share one, and there are many. The setting is the whole
  // process's, so it is put back.
  const threads = sharp.concurrency();
  sharp.concurrency(1);
  const ends = await Promise.allSettled(Array.from({ length: IN_FLIGHT }, worker));
  sharp.concurrency(threads);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;

  if (complaints.length || all === undefined) {
    // Files are begun in order and none is left in flight: these are the first ones, whichever was decoded first.
    complaints.sort((a, b) => a.index - b.index);
    throw broken(complaints.slice(0, MAX_COMPLAINTS).map(({ text }) => text));
  }
  const channels = options.channels ?? (coloured ? 3 : 1);
  const { height, width, data } = all;
  return {
    imageShape: [channels, height, width],
    data: channels === 3 ? data : toGrey(data, height * width),
  };
}

function checkOptions({ imageSize, channels }: DecodeOptions): void {
  if (imageSize && !imageSize.every((size) => Number.isInteger(size) && size >= 1 && size <= 4096))
    throw new LimbeckError(
      'ERR_OPTION',
      `imageSize is [${imageSize.join(', ')}], expected [height, width] of 1 to 4096 pixels.`,
    );
  if (channels !== undefined && channels !== 1 && channels !== 3)
    throw new LimbeckError('ERR_OPTION', `channels is ${channels}, expected 1 (grey) or 3 (RGB).`);
}

interface SharpFunction {
  (input: Uint8Array, options: SharpOptions): Sharp;
  concurrency(threads?: number): number;
}

async function loadSharp(): Promise<SharpFunction> {
  try {
    const { default: sharp } = await import('sharp');
    return sharp;
  } catch (error) {
    throw new LimbeckError(
      'ERR_OPTION',
      `Image files need the optional package sharp, which cannot be loaded (${firstLine(error)}); install it with ` +
        'npm install sharp, or give the images as IDX, NPZ, CSV or safetensors.',
      { cause: error },
    );
  }
}

async function decode(sharp: SharpFunction, path: string, imageSize: ImageSize | undefined): Promise<Rgb> {
  const file = await readFile(path);
  let picture = sharp(file, { failOn: 'warning', limitInputPixels: MAX_PIXELS }).autoOrient();
  if (imageSize) picture = picture.resize(imageSize[1], imageSize[0], { fit: 'cover', kernel: 'lanczos3' });
  const { data, info } = await picture
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`it decodes to ${info.channels} channels, expected 3`);
  return { width: info.width, height: info.height, data };
}

function allocate(count: number, height: number, width: number): Uint8Array {
  const bytes = count * 3 * height * width;
  if (bytes <= MAX_BYTES) return new Uint8Array(bytes);
  throw new LimbeckError(
    'ERR_DATA',
    `${count} images of ${height}x${width} pixels take ${Math.ceil(bytes / 2 ** 30)} GiB, expected less than 2 GiB; ` +
      'give a smaller size: imageSize: [H, W], or --image-size HxW.',
  );
}

/** Writes interleaved pixels as three planes; true where one has a colour. */
function planesOf(rgb: Uint8Array, out: Uint8Array, at: number): boolean {
  const pixels = rgb.length / 3;
  let difference = 0;
  for (let i = 0; i < pixels; i++) {
    const red = rgb[3 * i];
    const green = rgb[3 * i + 1];
    const blue = rgb[3 * i + 2];
    out[at + i] = red;
    out[at + pixels + i] = green;
    out[at + 2 * pixels + i] = blue;
    difference |= (red ^ green) | (green ^ blue);
  }
  return difference !== 0;
}

/** Luma of ITU-R BT.601, as every common tool has it: .299 R + .587 G + .114 B; grey stays what it is. */
function toGrey(data: Uint8Array, pixels: number): Uint8Array {
  const grey = new Uint8Array(data.length / 3);
  for (let i = 0; i < grey.length; i++) {
    const at = 3 * pixels * Math.floor(i / pixels) + (i % pixels);
    const sum = 19_595 * data[at] + 38_470 * data[at + pixels] + 7471 * data[at + 2 * pixels];
    grey[i] = (sum + 0x8000) >> 16;
  }
  return grey;
}

function broken(complaints: readonly string[]): LimbeckError {
  const more = complaints.length === MAX_COMPLAINTS ? '; there may be more' : '';
  return new LimbeckError(
    'ERR_DATA',
    `Images that cannot be decoded: ${complaints.join('; ')}${more}. Repair or remove them: none is left out silently.`,
  );
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0];
}
