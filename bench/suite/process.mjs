import { spawn } from 'node:child_process';

/** A program was ended because it took too long. */
export class TookTooLong extends Error {}

/** Runs a program to its end, which comes after `seconds` at the latest, and returns what it printed; throws with its last words where it fails. */
export function output(command, args, { env, input = '', seconds } = {}) {
  const limit = seconds && { timeout: Math.ceil(1000 * seconds), killSignal: 'SIGKILL' };
  const child = spawn(command, args, { env: { ...process.env, ...env }, ...limit });
  const [out, err] = [child.stdout, child.stderr].map((stream) => {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    return () => Buffer.concat(chunks).toString();
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (status === 0) return resolve(out());
      if (signal && child.killed) return reject(new TookTooLong(`${command} took longer than ${seconds} s`));
      // Of an exception the line that says what it is, not the frames below.
      const said = err().trim().split('\n');
      const last = said.find((line) => /^\w*(Error|Exception)\b/.test(line)) ?? said.slice(-3).join(' ');
      reject(new Error(`${command} ended with ${signal ?? status}: ${last || out().slice(-300)}`));
    });
  });
}

/** The last line of what a trial printed, as JSON. */
export const report = async (...args) => JSON.parse((await output(...args)).trim().split('\n').at(-1));

/** `{ workload: 'a', seconds: 3 }` as `--workload a --seconds 3`; what is undefined is left out. */
export const flagsOf = (options) =>
  Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
