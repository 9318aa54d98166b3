/** Trains a network from a few distilled images in the browser, on its GPU where there is one, and reads drawings. */
import { decodeArtefact, openDevice, predict, trainOn } from '/limbeck/browser.js';

/** A network, trained from the bytes of distilled.safetensors. */
export async function openReader(bytes) {
  const device = await openDevice().catch(() => openDevice('reference'));
  const started = performance.now();
  const { model } = await trainOn(device, decodeArtefact(bytes));
  return {
    engine: device.engine,
    milliseconds: performance.now() - started,
    classNames: model.classNames,
    inputShape: model.network.inputShape,
    /** `[K]`: the probability of every class, for pixels `[H, W]` from 0, the ground, to 255. */
    read: async (pixels) => (await predict(device, model, Uint8Array.from(pixels))).scores,
    close: () => device.dispose(),
  };
}

/**
 * A drawing `[side, side]` as digits stand in their pictures: its box fills 20 of 28 pixels, and its centre of mass is in the middle. Every
 * pixel of the picture is the mean of the square of the drawing that it covers.
 */
export function fitted(drawing, side, [, H, W]) {
  const picture = new Uint8Array(H * W);
  let [top, left, bottom, right, mass, down, across] = [side, side, -1, -1, 0, 0, 0];
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const ink = drawing[y * side + x];
      if (ink === 0) continue;
      [top, left, bottom, right] = [
        Math.min(top, y),
        Math.min(left, x),
        Math.max(bottom, y),
        Math.max(right, x),
      ];
      mass += ink;
      down += ink * (y + 0.5);
      across += ink * (x + 0.5);
    }
  if (mass === 0) return picture;
  /** Pixels of the drawing in one of the picture. */
  const scale = Math.max(bottom - top + 1, right - left + 1) / ((20 / 28) * Math.min(H, W));
  const place = (pixel, size, centre) => centre + (pixel - size / 2) * scale;
  for (let h = 0; h < H; h++)
    for (let w = 0; w < W; w++) {
      const [y0, y1] = [h, h + 1].map((pixel) => Math.round(place(pixel, H, down / mass)));
      const [x0, x1] = [w, w + 1].map((pixel) => Math.round(place(pixel, W, across / mass)));
      let sum = 0;
      for (let y = Math.max(0, y0); y < Math.min(side, y1); y++)
        for (let x = Math.max(0, x0); x < Math.min(side, x1); x++) sum += drawing[y * side + x];
      picture[h * W + w] = sum / Math.max(1, (y1 - y0) * (x1 - x0));
    }
  return picture;
}
