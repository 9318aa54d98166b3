/** A page in a real browser, as its address has it, with a real mouse: Chromium's debugging protocol over two pipes. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { chromiumFlags, chromiumProgram } from './chromium-program.js';

/** What a test does with an open page. */
export interface OpenPage {
  /** The value of an expression in the page, as JSON carries it. */
  value(expression: string): Promise<unknown>;
  /** Waits until an expression is true; the error has what `instead` is then. */
  until(expression: string, instead: string): Promise<void>;
  /** Presses the left button at the first point, goes along the others, and lets go at the last. */
  drag(points: readonly (readonly [x: number, y: number])[]): Promise<void>;
}

/** Opens an address, in a window so many pixels wide where it says so, does the work, and closes the browser. */
export async function withPage<T>(
  address: string,
  work: (page: OpenPage) => Promise<T>,
  width?: number,
): Promise<T> {
  const profile = mkdtempSync(join(tmpdir(), 'limbeck-mouse-'));
  const child = spawn(
    await chromiumProgram(),
    [...chromiumFlags, '--remote-debugging-pipe', `--user-data-dir=${profile}`],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: process.platform !== 'win32' },
  );
  const closed = new Promise<void>((done) => child.on('close', () => done()));
  try {
    const send = connection(child.stdio[3] as Writable, child.stdio[4] as Readable);
    const { targetId } = await send('Target.createTarget', { url: address });
    const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
    const inPage = (method: string, params: object) => send(method, params, sessionId as string);
    if (width !== undefined)
      await inPage('Emulation.setDeviceMetricsOverride', {
        ...{ width, height: 800, deviceScaleFactor: 1, mobile: false },
      });
    const value = async (expression: string) => {
      const answer = await inPage('Runtime.evaluate', { expression, returnByValue: true });
      const { result, exceptionDetails } = answer as {
        result: { value?: unknown };
        exceptionDetails?: unknown;
      };
      if (exceptionDetails) throw new Error(`${expression} threw ${JSON.stringify(exceptionDetails)}`);
      return result.value;
    };
    const mouse = (type: string, [x, y]: readonly [number, number], buttons: number) =>
      inPage('Input.dispatchMouseEvent', {
        ...{ type: `mouse${type}`, x, y, buttons, clickCount: 1 },
        button: type === 'Moved' ? 'none' : 'left',
      });
    const page: OpenPage = {
      value,
      async until(expression, instead) {
        const end = performance.now() + 60_000;
        while ((await value(expression)) !== true) {
          if (performance.now() > end)
            throw new Error(`the page has ${JSON.stringify(await value(instead))}`);
          await new Promise((next) => setTimeout(next, 50));
        }
      },
      async drag(points) {
        await mouse('Pressed', points[0], 1);
        for (const point of points.slice(1)) await mouse('Moved', point, 1);
        await mouse('Released', points.at(-1)!, 0);
      },
    };
    // A new page is an empty one first, which is complete, too.
    const there = `location.href !== 'about:blank' && document.readyState === 'complete'`;
    await page.until(there, 'location.href');
    return await work(page);
  } finally {
    // A group of its own: a browser is many processes.
    if (process.platform === 'win32') child.kill();
    else process.kill(-child.pid!, 'SIGKILL');
    await closed;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

type Answer = Readonly<Record<string, unknown>>;

/** Messages end with a zero byte; each answer has the number of its question. */
function connection(to: Writable, from: Readable) {
  const waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  let [last, rest] = [0, ''];
  from.setEncoding('utf8').on('data', (text: string) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop()!;
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message);
      if (error) waiting.get(id)?.reject(new Error(error.message));
      else waiting.get(id)?.resolve(result);
    }
  });
  from.on('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('the browser has ended'));
  });
  return (method: string, params: object, sessionId?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      to.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });
}
