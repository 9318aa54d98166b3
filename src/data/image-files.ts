import { readFile } from 'node:fs/promises';
import type { Sharp, SharpOptions } from 'sharp';
import { LimbeckError } from '../util/errors.js';
import { bytesText, count, counted } from '../util/words.js';
import { decodeBmp, isBmp } from './bmp.js';
import { MAX_BYTES } from './bytes.js';
import { colourOf, composed, type Pixels, PlaneBuffer } from './planes.js';

/** Height and width in pixels. */
export type ImageSize = readonly [number, number];

export interface DecodeOptions {
  /** Images are resized so that they cover it, and cut at the middle; 32x32 when missing, unless all have one size. */
  readonly imageSize?: ImageSize;
  /** 1 (grey) or 3 (RGB); when missing, 1 if no pixel of any image has a colour. */
  readonly channels?: number;
  /** What transparent images are laid on: `white`, `black` or `#rrggbb`; white when missing. */
  readonly background?: string;
  /** What values of 16 bits are divided by; the range that these use decides when missing. */
  readonly divisor?: number;
  /** Whether images that cannot be decoded are an error or left out; when missing, left out if they are one in fifty at most. */
  readonly badImages?: 'refuse' | 'skip';
  /** Images decoded so far, and how many there are. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** An image that has yet to be decoded. */
export interface ImageSource {
  /** What it is called in messages. */
  readonly what: string;
  read(): Promise<Uint8Array>;
}

export interface DecodedImages {
  readonly imageShape: [number, number, number];
  /** `[kept, C, H, W]`: bytes, or floats in 0..1 of images with more than 8 bits per channel. */
  readonly data: Uint8Array | Float32Array;
  /** What values of 16 bits were divided by, where their range decided it. */
  readonly divisor?: number;
  /** The places in the list of those that were decoded. */
  readonly kept: readonly number[];
  /** What was decided, and what was left out: for people. */
  readonly notes: readonly string[];
}

/** More than the decoder's threads, so that the next file is there when one is free. */
const IN_FLIGHT = 16;
const MAX_COMPLAINTS = 5;
/** The part of images that may be left out unasked. */
const FEW = 1 / 50;
/** Pixels of one image; a header of a few bytes may claim any number. */
const PIXELS = { most: 2 ** 26, any: 2 ** 22, perByte: 16 } as const;
const PROGRESS_EVERY = 256;
const USUAL_SIZE: ImageSize = [32, 32];

export const imageFile = (path: string): ImageSource => ({ what: path, read: () => readFile(path) });

/**
 * Decodes images: turned as their EXIF data say, in sRGB, laid on the background where they are transparent, only the
 * first picture of an animation. Decoding happens on the threads of the library; the event loop stays free.
 *
 * @param room bytes that all of them may take, in colour
 * @throws ERR_DATA naming up to five images that cannot be decoded; ERR_OPTION without the optional package `sharp`
 */
export async function decodeImages(
  sources: readonly ImageSource[],
  options: DecodeOptions = {},
  room = MAX_BYTES,
): Promise<DecodedImages> {
  checkOptions(options);
  const sharp = await loadSharp();
  const found = await decodeAll(sharp, sources, options, room);
  if (!found.differ) return finish(sources, options, found);
  const again = await decodeAll(sharp, sources, { ...options, imageSize: USUAL_SIZE }, room);
  const { notes, ...rest } = finish(sources, options, again);
  const note = `the images differ in size and are brought to ${USUAL_SIZE.join('x')}, where wider and taller ones are cut at both ends; --image-size HxW says otherwise`;
  return { ...rest, notes: [note, ...notes] };
}

interface Found {
  readonly buffer?: PlaneBuffer;
  readonly complaints: readonly Complaint[];
  readonly transparent: number;
  /** Whether two images have different sizes; not all were decoded then. */
  readonly differ: boolean;
}

interface Complaint {
  readonly index: number;
  readonly text: string;
}

async function decodeAll(
  sharp: SharpFunction,
  sources: readonly ImageSource[],
  { imageSize, background, badImages, onProgress }: DecodeOptions,
  room: number,
): Promise<Found> {
  const total = sources.length;
  const most =
    badImages === 'skip' ? total : Math.max(MAX_COMPLAINTS, badImages ? 0 : Math.floor(FEW * total) + 1);
  const colour = colourOf(background);
  const complaints: Complaint[] = [];
  let buffer: PlaneBuffer | undefined;
  let differ = false;
  let transparent = 0;
  let next = 0;
  let done = 0;

  const decodeNext = async (): Promise<void> => {
    const index = next++;
    const { what } = sources[index];
    let pixels: Pixels;
    try {
      const image = await decode(sharp, await sources[index].read(), imageSize);
      const laid = composed(image, colour);
      pixels = laid.pixels;
      if (laid.wasTransparent) transparent++;
    } catch (error) {
      complaints.push({ index, text: `${what}: ${reasonOf(error)}` });
      return;
    }
    const { width, height } = pixels;
    if (buffer === undefined) {
      checkRoom(total, height, width, room);
      buffer = new PlaneBuffer(total, height, width);
    }
    if (width !== buffer.width || height !== buffer.height) {
      next = total;
      differ = true;
      return;
    }
    buffer.put(index, pixels);
    done++;
    if (done % PROGRESS_EVERY === 0 || done === total) onProgress?.({ done, total });
  };
  const worker = async () => {
    while (next < total && complaints.length < most) await decodeNext();
  };
  // One thread per image: images of data sets are too small to share one, and there are many. The setting is the whole
  // process's, so it is put back.
  const threads = sharp.concurrency();
  sharp.concurrency(1);
  const ends = await Promise.allSettled(Array.from({ length: IN_FLIGHT }, worker));
  sharp.concurrency(threads);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  // Files are begun in order and none is left in flight: these are the first ones, whichever was decoded first.
  complaints.sort((a, b) => a.index - b.index);
  return { buffer, complaints, transparent, differ };
}

function finish(
  sources: readonly ImageSource[],
  { channels, background, badImages, divisor: given }: DecodeOptions,
  { buffer, complaints, transparent }: Found,
): DecodedImages {
  const few = complaints.length <= FEW * sources.length;
  const texts = complaints.slice(0, MAX_COMPLAINTS).map(({ text }) => text);
  if (buffer === undefined || (complaints.length > 0 && badImages !== 'skip' && !(few && !badImages)))
    throw broken(texts, complaints.length > texts.length || complaints.length === MAX_COMPLAINTS);
  const bad = new Set(complaints.map(({ index }) => index));
  const kept = [...sources.keys()].filter((index) => !bad.has(index));
  const { data, depth, divisor, note } = buffer.images(kept, channels, given);
  const more = complaints.length > texts.length ? `; and ${complaints.length - texts.length} more` : '';
  return {
    imageShape: [depth, buffer.height, buffer.width],
    data,
    divisor,
    kept,
    notes: [
      ...(note ? [note] : []),
      ...(transparent
        ? [
            `${counted(transparent, 'image')} with transparent pixels, laid on ${background ?? 'white'}; --background says otherwise`,
          ]
        : []),
      ...(complaints.length
        ? [
            `${counted(complaints.length, 'image')} of ${count(sources.length)} cannot be decoded and ${complaints.length === 1 ? 'was' : 'were'} left out: ${texts.join('; ')}${more}`,
          ]
        : []),
    ],
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
  (input: Uint8Array | Uint16Array, options: SharpOptions): Sharp;
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

async function decode(
  sharp: SharpFunction,
  file: Uint8Array,
  imageSize: ImageSize | undefined,
): Promise<Pixels> {
  const limitInputPixels = Math.min(PIXELS.most, Math.max(PIXELS.any, PIXELS.perByte * file.length));
  const options = { failOn: 'warning', limitInputPixels } as const;
  const deep = !isBmp(file) && (await hasManyLevels(sharp, file, options));
  let picture = isBmp(file)
    ? ofPixels(sharp, decodeBmp(file, limitInputPixels))
    : sharp(file, options).autoOrient();
  if (imageSize) picture = picture.resize(imageSize[1], imageSize[0], { fit: 'cover', kernel: 'lanczos3' });
  const { data, info } = await picture
    .toColourspace(deep ? 'rgb16' : 'srgb')
    .raw({ depth: deep ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels !== 3 && channels !== 4)
    throw new Error(`it decodes to ${channels} channels, expected 3, or 4 with transparency`);
  const values = deep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  return { width, height, channels, values };
}

const ofPixels = (sharp: SharpFunction, { values, ...raw }: Pixels): Sharp => sharp(values, { raw });

/** Whether an image has 16 bits per channel; only some formats can. @throws an Error for pixels that are no whole numbers of 8 or 16 bits */
async function hasManyLevels(
  sharp: SharpFunction,
  file: Uint8Array,
  options: SharpOptions,
): Promise<boolean> {
  const magic = String.fromCharCode(...file.subarray(0, 4));
  if (magic === '\x89PNG') return file[24] === 16;
  if (magic !== 'II*\0' && magic !== 'MM\0*') return false;
  const { depth } = await sharp(file, options).metadata();
  // Floats and larger numbers would be cut off at 255.
  if (depth !== 'uchar' && depth !== 'ushort')
    throw new Error(`its pixels are of type ${depth}, expected 8 or 16 bits: give the images as .npz`);
  return depth === 'ushort';
}

function checkRoom(total: number, height: number, width: number, room: number): void {
  const bytes = total * 3 * height * width;
  if (bytes > Math.min(room, MAX_BYTES))
    throw new LimbeckError(
      'ERR_DATA',
      `${total} images of ${height}x${width} pixels are too large: they take ${bytesText(bytes)}, expected at most ${bytesText(Math.min(room, MAX_BYTES))}; ` +
        'give a smaller size: imageSize: [H, W], or --image-size HxW.',
    );
}

function broken(complaints: readonly string[], mayBeMore: boolean): LimbeckError {
  return new LimbeckError(
    'ERR_DATA',
    `Images that cannot be decoded: ${complaints.join('; ')}${mayBeMore ? '; there may be more' : ''}. Repair or remove ` +
      'them, or leave them out by --bad-images skip.',
  );
}

/** Why an image cannot be decoded. Formats that the prebuilt sharp does not read (PPM, HEIC as phones have it) are told what to do. */
const reasonOf = (error: unknown): string =>
  firstLine(error).replace(
    /^Input buffer contains unsupported image format|^.*Unsupported codec.*/,
    'not JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP: convert it',
  );

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0];
}
