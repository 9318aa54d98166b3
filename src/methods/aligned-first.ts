import type { Experts } from '../data/experts/experts.js';
import { normalisedImages } from '../data/on-device.js';
import { shuffledRows } from '../data/selection/by-class.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import { Recorder } from '../engine/program.js';
import { copyInto } from '../train/groups.js';
import { argmax } from '../util/argmax.js';
import { owning } from '../util/owned.js';
import { decodingProgram, itemClasses } from './items.js';
import type { Setting } from './method.js';

/** What an expert says of images: logits `[n, K]` of `[n, C, H, W]`. */
type Says = (images: Float32Array) => Promise<Float32Array>;

/** Images that the expert sees at once. */
const batch = 100;

/** The draw of the order in which real images are looked at: of none of the baselines, which are drawn from 0 on. */
const draw = 2 ** 32 - 2;

/**
 * First items with the labels that an expert gives them (Guo et al. 2024): expert 0 after its last epoch. Where they are to be
 * `real`, they are images of each class, in a random order, that it classifies correctly; where a class has too few of them, others
 * follow. Returns the setting that begins with them, and `logits` `[count, K]`.
 */
export async function alignedFirst(
  setting: Setting,
  experts: Experts,
): Promise<{ setting: Setting; logits: Float32Array }> {
  return owning(async (owned) => {
    const { device, items, network } = setting;
    const pixels = items.shape.reduce((a, b) => a * b, 1);
    const r = new Recorder('what an expert says');
    const theta = r.external('theta', 1, [network.count]);
    const { z } = network.forward(r, r.external('images', 1, [batch, ...items.shape]), theta);
    copyInto(r, z, r.external('logits', 1, z.shape));
    const expert = await loadWithTensors(device, r.program(), owned);
    await expert.tensors.theta.write(await experts.parametersOf(0, experts.epochs));
    const says: Says = async (images) => {
      const logits = new Float32Array((images.length / pixels) * items.classes);
      const piece = new Float32Array(batch * pixels);
      for (let at = 0; at * pixels < images.length; at += batch) {
        const some = images.subarray(at * pixels, (at + batch) * pixels);
        piece.set(some);
        await expert.tensors.images.write(piece);
        await expert.executable.run();
        const said = await readFloats(expert.tensors.logits);
        logits.set(said.subarray(0, (some.length / pixels) * items.classes), at * items.classes);
      }
      return logits;
    };

    const first =
      setting.options.first === 'real' && !setting.blank
        ? items.decoder.encode(await correctImages(setting, says), setting.options)
        : items.first;
    const decoding = await loadWithTensors(device, decodingProgram(items.decoder), owned);
    for (const [name, values] of Object.entries(first)) await decoding.tensors[name].write(values);
    await decoding.executable.run();
    const logits = await says(await readFloats(decoding.tensors.items));
    owned.dispose();
    return { setting: { ...setting, items: { ...items, first } }, logits };
  });
}

/** `[count, C, H, W]`: for every item a training image of its class, those first that the expert classifies correctly. */
async function correctImages({ dataset, items, options }: Setting, says: Says): Promise<Float32Array> {
  const classes = itemClasses(items);
  const perClass = classes.length / items.classes;
  const chosen: Uint32Array[] = [];
  for (const [label, rows] of shuffledRows(dataset, options.seed, draw).entries()) {
    const [right, wrong]: number[][] = [[], []];
    for (let at = 0; at < rows.length && right.length < perClass; at += batch) {
      const some = rows.subarray(at, at + batch);
      const logits = await says(normalisedImages(dataset, dataset.train, some));
      const { classes: K } = items;
      for (const [i, row] of some.entries())
        (argmax(logits.subarray(i * K, (i + 1) * K)) === label ? right : wrong).push(row);
    }
    chosen.push(Uint32Array.from([...right, ...wrong]));
  }
  const used = new Uint32Array(items.classes);
  const rows = Array.from(classes, (label) => chosen[label][used[label]++ % chosen[label].length]);
  return normalisedImages(dataset, dataset.train, rows);
}
