import { Buffer } from 'node:buffer';
import { encodePng, type PngImage } from '../../util/png.js';

/** A picture by iTerm2's protocol: a PNG file, shown inline. https://iterm2.com/documentation-images.html */
export function iterm2(image: PngImage): string {
  const png = encodePng(image);
  const size = `size=${png.length};width=${image.width}px;height=${image.height}px`;
  return `\x1b]1337;File=inline=1;${size}:${Buffer.from(png).toString('base64')}\x07\n`;
}
