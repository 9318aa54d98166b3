/** A queue: does one thing after another, in the order they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does it after everything that was asked for earlier, whether or not that succeeded. */
  take<T>(work: () => T | Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
