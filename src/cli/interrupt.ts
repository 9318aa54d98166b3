/** Some launchers pass on a signal that the terminal has already sent; two so close together are one. */
const sameSignalMilliseconds = 300;

/** Status of a run that was stopped from outside. */
export const stoppedStatus = 130;

/**
 * Listens for Ctrl-C and SIGTERM. The first stops cleanly, through the signal; the second ends the process at once,
 * which loses nothing that was written.
 */
export function listenForStop(onFirst: () => void): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  let first = 0;
  const listener = () => {
    if (!controller.signal.aborted) {
      first = performance.now();
      controller.abort();
      onFirst();
    } else if (performance.now() - first > sameSignalMilliseconds) process.exit(stoppedStatus);
  };
  process.on('SIGINT', listener).on('SIGTERM', listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off('SIGINT', listener).off('SIGTERM', listener);
    },
  };
}
