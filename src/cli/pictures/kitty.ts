import { Buffer } from 'node:buffer';
import { encodePng, type PngImage } from '../../util/png.js';

/** Letters of base64 in one piece, at most. */
const piece = 4096;

/**
 * A picture by kitty's graphics protocol: transmit and show (`a=T`) a PNG (`f=100`) in pieces, more to come (`m=1`) but in the last, and
 * answer nothing (`q=2`). https://sw.kovidgoyal.net/kitty/graphics-protocol/
 */
export function kitty(image: PngImage): string {
  const base64 = Buffer.from(encodePng(image)).toString('base64');
  const parts: string[] = [];
  for (let from = 0; from < base64.length; from += piece) {
    const more = from + piece < base64.length ? 1 : 0;
    const keys = from === 0 ? `a=T,f=100,q=2,m=${more}` : `m=${more}`;
    parts.push(`\x1b_G${keys};${base64.slice(from, from + piece)}\x1b\\`);
  }
  return `${parts.join('')}\n`;
}
