import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

/**
 * Runs a Node program to its end; it is asked to stop after `seconds` and killed half a minute later. What it says goes
 * to this terminal, unless `quiet`, and to the file `log`. Gives its status, `late` where the time was over, and its output.
 */
export function runChild(args, { env, seconds, quiet = false, log }) {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let late = false;
  let stdout = '';
  const stop = (signal) => {
    late = true;
    try {
      // With everything it has started.
      process.kill(-child.pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  };
  const timers = [
    setTimeout(stop, 1000 * seconds, 'SIGINT'),
    setTimeout(stop, 1000 * (seconds + 30), 'SIGKILL'),
  ];
  for (const stream of ['stdout', 'stderr'])
    child[stream].setEncoding('utf8').on('data', (text) => {
      if (stream === 'stdout') stdout += text;
      if (!quiet) process[stream].write(text);
      if (log) appendFileSync(log, text);
    });
  return new Promise((resolve) => {
    child.on('error', ({ message }) => resolve({ status: message, late, stdout }));
    child.on('close', (status, signal) => {
      timers.forEach(clearTimeout);
      resolve({ status: status ?? signal, late, stdout });
    });
  });
}
