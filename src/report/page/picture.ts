import { Buffer } from 'node:buffer';
import { escapeHtml } from '../figure.js';

/** What stands beside the bytes of a picture. */
export interface PictureTag {
  /** Its class in the page's style. */
  readonly kind: string;
  readonly alt: string;
  readonly width: number;
  readonly height: number;
  readonly style?: string;
}

/** A PNG file, as bytes or in base64, inside the page. */
export function pngTag(png: Uint8Array | string, { kind, alt, width, height, style }: PictureTag): string {
  const base64 = typeof png === 'string' ? png : Buffer.from(png).toString('base64');
  return (
    `<img class="${kind}" alt="${escapeHtml(alt)}" width="${width}" height="${height}"` +
    `${style ? ` style="${style}"` : ''} src="data:image/png;base64,${base64}">`
  );
}

/** A picture that a click, or the space bar, brings to the size of the window and back. */
export const zoomable = (tag: string, name: string): string =>
  `<label class="zoom"><input type="checkbox" aria-label="enlarge ${escapeHtml(name)}">${tag}</label>`;
