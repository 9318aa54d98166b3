/**
 * What a test run says beside the usual: numbers that tests print go to a file, and why tests were skipped stands at the end, once for
 * each reason.
 */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './run.mjs';

const numbers = join(root, 'build/logs/numbers.log');

/** For `onConsoleLog`: what goes to stderr is left to be seen. */
export function keepNumbers(text, type, entity) {
  if (type !== 'stdout') return undefined;
  appendFileSync(numbers, `${entity?.fullName ?? ''}\n  ${text.trimEnd().replaceAll('\n', '\n  ')}\n`);
  return false;
}

export class Skips {
  #tests = new Map();

  onInit() {
    mkdirSync(join(root, 'build/logs'), { recursive: true });
    writeFileSync(numbers, '');
  }

  onTestCaseResult(test) {
    const { state, note } = test.result();
    // Those that -t leaves out have no reason.
    if (state === 'skipped' && note) this.#tests.set(note, [...(this.#tests.get(note) ?? []), test]);
  }

  onTestRunEnd() {
    for (const [reason, tests] of this.#tests)
      console.log(` Skipped: ${reason} (${tests.length} in ${filesOf(tests).join(', ')})`);
    console.log(` Numbers: ${numbers}\n`);
  }
}

const filesOf = (tests) => [...new Set(tests.map(({ module }) => module.relativeModuleId))];
