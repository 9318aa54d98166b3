import type { Progress } from '../runs/distillation.js';
import { count, duration, printable, wrapped } from '../util/words.js';

const barCells = 20;
const redrawMilliseconds = 100;
const lineMilliseconds = 10_000;

/** ` 412/10,000  212 steps/s  loss 0.6131  validation 61.2 %  46.1 s left` */
function progressText({
  iteration,
  iterations,
  loss,
  validationAccuracy,
  stepsPerSecond,
  secondsLeft,
}: Progress): string {
  return [
    `${count(iteration)}/${count(iterations)}`,
    `${stepsPerSecond.toFixed(stepsPerSecond < 10 ? 1 : 0)} steps/s`,
    `loss ${loss.toPrecision(4)}`,
    ...(validationAccuracy === undefined ? [] : [`validation ${validationAccuracy.toFixed(1)} %`]),
    `${duration(secondsLeft)} left`,
  ].join('  ');
}

function bar(done: number, all: number): string {
  const filled = Math.round((barCells * done) / all);
  return '█'.repeat(filled) + '░'.repeat(barCells - filled);
}

/** What a person sees on stderr while a command works: a line that redraws itself, or a plain line now and then. */
export class Terminal {
  readonly #redraws = process.stderr.isTTY === true;
  #shown = 0;
  #live = false;

  constructor(readonly quiet: boolean) {}

  /** Lines that stay; a terminal gets them broken between words. */
  say(text = ''): void {
    if (this.quiet) return;
    this.clear();
    const lines = printable(text).split('\n');
    const shown = this.#redraws ? lines.flatMap((line) => this.#broken(line)) : lines;
    process.stderr.write(`${shown.join('\n')}\n`);
  }

  /** A picture as the terminal takes it. */
  picture(text: string): void {
    if (this.quiet || !text) return;
    this.clear();
    process.stderr.write(text);
  }

  progress(event: Progress): void {
    this.working(event.iteration, event.iterations, () => progressText(event));
  }

  /** How far work is, `done` of `all` of it, and a text on it. */
  working(done: number, all: number, textOf: () => string): void {
    if (!this.#due(done === all)) return;
    const text = textOf();
    const withBar = `${bar(done, all)}  ${text}`;
    this.#show(this.#redraws && withBar.length <= this.#width ? withBar : text);
  }

  /** A passing line; where lines stay, as in a log, one now and then. */
  passing(text: string): void {
    if (this.#redraws || this.#due(false)) this.#show(text);
  }

  clear(): void {
    if (this.#live) process.stderr.write('\r\x1b[K');
    this.#live = false;
  }

  /** A table, whose columns stand by blanks, stays as it is. */
  #broken(line: string): string[] {
    return line.length <= this.#width || / {2}/.test(line) ? [line] : wrapped(line, this.#width, 0, 2);
  }

  get #width(): number {
    return (process.stderr.columns || 80) - 1;
  }

  #due(always: boolean): boolean {
    const now = performance.now();
    // The first plain line comes after a while too: a short run needs none.
    if (!this.#redraws && this.#shown === 0) this.#shown = now;
    if (!always && now - this.#shown < (this.#redraws ? redrawMilliseconds : lineMilliseconds)) return false;
    this.#shown = now;
    return true;
  }

  #show(text: string): void {
    if (this.quiet) return;
    if (!this.#redraws) {
      process.stderr.write(`${printable(text)}\n`);
      return;
    }
    process.stderr.write(`\r${[...printable(text)].slice(0, this.#width).join('')}\x1b[K`);
    this.#live = true;
  }
}
