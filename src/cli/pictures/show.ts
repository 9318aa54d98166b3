import { type GalleryLayout, gallery, type Named } from '../../report/gallery.js';
import { LimbeckError } from '../../util/errors.js';
import type { PngImage } from '../../util/png.js';
import { halfBlocks } from './half-blocks.js';
import { iterm2 } from './iterm2.js';
import { kitty } from './kitty.js';
import { type Protocol, pictures, protocolFor, protocols, type Screen } from './protocol.js';
import { sixel } from './sixel.js';

/** What `--pictures` may say. */
export type PictureChoice = 'auto' | 'none' | Protocol;

/** ERR_OPTION for what it may not. */
export function checkPictures(asked: unknown): asserts asked is PictureChoice | undefined {
  const choices = ['auto', 'none', ...protocols];
  if (asked === undefined || choices.includes(asked as string)) return;
  throw new LimbeckError('ERR_OPTION', `--pictures is ${asked}, expected ${pictures.value}`);
}

/** Pixels that a picture has where a pixel is a pixel, and where it is half a letter. */
const large = { side: 64, gap: 8, letters: 2 };
const small = { side: 14, gap: 1, letters: 0 };
/** A terminal of 80 columns has about as many pixels. */
const largestWidth = 640;

/** Pictures as a screen takes them, line by line; nothing, and none is made, where it takes none. */
export function picturesText(
  make: () => readonly Named[],
  screen: Screen,
  asked?: PictureChoice,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const protocol = protocolFor(screen, env, asked);
  if (!protocol) return '';
  const items = make();
  if (!items.length) return '';
  if (protocol === 'blocks')
    return halfBlocks(inRows(items, small, (screen.columns || 80) - 1), screen.getColorDepth?.(env) ?? 24);
  return { kitty, iterm2, sixel }[protocol](inRows(items, large, largestWidth));
}

/** As few rows as go into a width, all of them about as long. */
function inRows(items: readonly Named[], layout: Omit<GalleryLayout, 'columns'>, width: number): PngImage {
  const { side, gap } = layout;
  const most = Math.max(1, Math.floor((width - gap) / (side + gap)));
  const rows = Math.ceil(items.length / most);
  return gallery(items, { ...layout, columns: Math.ceil(items.length / rows) });
}
