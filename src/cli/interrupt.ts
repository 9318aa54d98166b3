/** Some launchers pass on a signal that the terminal has already sent; two so close together are one. */
const sameSignalMilliseconds = 300;

/** Status of a process that a signal ended, as shells have it. */
const statuses = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export interface Stop extends Disposable {
  readonly signal: AbortSignal;
  /** Status of what was stopped. */
  readonly status: number;
}

/**
 * Listens for Ctrl-C, SIGTERM and the end of the terminal (SIGHUP). The first stops cleanly, through the signal; the second ends the process at once,
 * which loses nothing that was written.
 */
export function listenForStop(onFirst: () => void): Stop {
  const controller = new AbortController();
  let first = 0;
  let status: number = statuses.SIGINT;
  const listener = (name: keyof typeof statuses) => {
    if (!controller.signal.aborted) {
      first = performance.now();
      status = statuses[name];
      controller.abort();
      onFirst();
    } else if (performance.now() - first > sameSignalMilliseconds) process.exit(statuses[name]);
  };
  const names = Object.keys(statuses) as (keyof typeof statuses)[];
  for (const name of names) process.on(name, listener);
  return {
    signal: controller.signal,
    get status() {
      return status;
    },
    [Symbol.dispose]() {
      for (const name of names) process.off(name, listener);
    },
  };
}
