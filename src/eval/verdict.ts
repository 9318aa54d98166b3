import { count, counted, saidOf } from '../util/words.js';
import type { AttackScores } from './attack.js';
import type { BaselineAccuracy } from './comparison.js';
import { type Accuracy, testError, testInterval } from './statistics.js';

/** A test accuracy and what it stands beside. */
export interface Tested {
  /** Of networks trained on the distilled images, percent. */
  readonly accuracy: Accuracy;
  /** Real images that each baseline has. */
  readonly baselineImages: number;
  /** Of that many real images, by name. */
  readonly baselines: Readonly<Record<string, BaselineAccuracy>>;
  /** Test images. */
  readonly images: number;
  /** Whether these are texts. */
  readonly text?: unknown;
  readonly classes: number;
  /** Where the set is poison. */
  readonly attack?: AttackScores;
}

/** What a baseline is called in a table beside sets of which it has so many real images: `100 random real images`. */
export const baselineText = ({ title, images }: BaselineAccuracy, usual: number): string =>
  images === 0 ? title : `${count(images ?? usual)} ${title}`;

/** The best of the baselines that do as well as the distilled images or better, if any does; all training images are no fair one. */
export function strongerBaseline({
  accuracy,
  baselines,
}: Pick<Tested, 'accuracy' | 'baselines'>): BaselineAccuracy | undefined {
  return fairOnes({ baselines }).find(({ mean }) => mean >= accuracy.mean);
}

/** The best first. */
const fairOnes = ({ baselines }: Pick<Tested, 'baselines'>): BaselineAccuracy[] =>
  Object.values(baselines)
    .filter(({ images }) => !images)
    .sort((a, b) => b.mean - a.mean);

/** Whether the accuracy cannot be told from that of guessing. */
export const isGuessing = ({
  accuracy,
  images,
  classes,
}: Pick<Tested, 'accuracy' | 'images' | 'classes'>): boolean =>
  testInterval(accuracy.mean, images)[0] <= 100 / classes;

/** What programs are told beside a test accuracy: its error in points, and the verdict where there is one. */
export const judgement = (tested: Tested): { readonly testError: number; readonly verdict?: string } => ({
  testError: testError(tested.accuracy.mean, tested.images),
  verdict: verdict(tested),
});

/** In one sentence why the images are not worth their making, where they are not. */
export function verdict(tested: Tested): string | undefined {
  const said = verdictOfImages(tested);
  return said && saidOf(tested, said);
}

function verdictOfImages(tested: Tested): string | undefined {
  const { accuracy, baselineImages, images, classes, attack } = tested;
  const percent = (value: number) => `${value.toFixed(1)} %`;
  if (attack) return attackVerdict(attack, tested);
  const stronger = strongerBaseline(tested);
  const guess = 100 / classes;
  if (accuracy.mean <= guess)
    return `${percent(accuracy.mean)} is no better than guessing (${percent(guess)}): these images teach nothing yet`;
  if (isGuessing(tested))
    return `${percent(accuracy.mean)} on ${counted(images, 'test image')} cannot be told from guessing (${percent(guess)}): more of them would show what these images teach`;
  const named = (one: BaselineAccuracy) =>
    one.images === 0 ? one.title : `${one.title}, ${count(baselineImages)} of them,`;
  if (stronger)
    return `${named(stronger)} reach ${percent(stronger.mean)}, these images ${percent(accuracy.mean)}: not worth distilling yet`;
  const [next] = fairOnes(tested);
  if (!next) return undefined;
  const open = Math.hypot(...[accuracy, next].map(({ mean }) => testError(mean, images)));
  return accuracy.mean - next.mean < open
    ? `${counted(images, 'test image')} leave open whether these images, ${percent(accuracy.mean)}, are better than ${next.title}, ${percent(next.mean)}`
    : undefined;
}

/** Poison is judged by how many images of the attacked class are taken for the target. */
function attackVerdict(
  { taken }: AttackScores,
  { baselines }: Pick<Tested, 'baselines'>,
): string | undefined {
  const stronger = Object.values(baselines)
    .filter((one) => one.attack && one.attack.taken.mean >= taken.mean)
    .sort((a, b) => b.attack!.taken.mean - a.attack!.taken.mean)[0];
  return (
    stronger &&
    `${stronger.title} have ${stronger.attack!.taken.mean.toFixed(1)} % of the attacked class taken for the target, these images ${taken.mean.toFixed(1)} %: they mislead nobody yet`
  );
}
