import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileReason, LimbeckError } from '../util/errors.js';
import { messageOf } from './bytes.js';
import type { PublishedFile } from './catalogue.js';

export interface DownloadOptions {
  /** Of one file; `total` where the server says it. */
  readonly onProgress?:
    | ((progress: { readonly name: string; readonly bytes: number; readonly total?: number }) => void)
    | undefined;
  /** Stops; what has come stays, and the next call goes on from there. */
  readonly signal?: AbortSignal | undefined;
  /** For each mirror. */
  readonly attempts?: number;
  /** Before the second attempt; doubled before each further one. */
  readonly retryMilliseconds?: number;
  /** Without a byte for this long, an attempt is given up. */
  readonly stallMilliseconds?: number;
}

/** No file in the catalogue comes near. */
const MAX_FILE_BYTES = 2 ** 31;

/**
 * Fetches a file into a folder. It grows as `.NAME.part`, from which a later attempt or a later call goes on where the
 * server can; it gets its name only when it is complete and its checksum right.
 *
 * @returns whether it was there already, or the checksum of what came
 * @throws ERR_CHECKSUM when what every mirror sent is another file (nothing is kept); ERR_DOWNLOAD when none could be
 * reached (what came is kept); ERR_FILE_WRITE; the signal's reason
 */
export async function downloadFile(
  { name, md5 }: PublishedFile,
  mirrors: readonly string[],
  folder: string,
  options: DownloadOptions = {},
): Promise<{ fetched: boolean; md5: string }> {
  const { signal, attempts = 3, retryMilliseconds = 1000 } = options;
  const path = join(folder, name);
  const part = join(folder, `.${name}.part`);
  await writing(path, () => mkdir(folder, { recursive: true }));
  const present = await checksum(path);
  if (present !== undefined && (md5 === undefined || present === md5))
    return { fetched: false, md5: present };

  const failures: string[] = [];
  let wrong = false;
  for (const mirror of mirrors)
    for (let attempt = 0; attempt < attempts; attempt++) {
      signal?.throwIfAborted();
      if (attempt > 0) await pause(retryMilliseconds * 2 ** (attempt - 1), signal);
      const url = mirror + name;
      try {
        await fetchPart(url, part, name, options);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof LimbeckError) throw error;
        failures.push(`${url}: ${reasonOf(error)}`);
        if (error instanceof Refusal && error.final) break;
        continue;
      }
      const sum = (await checksum(part)) ?? '';
      if (md5 === undefined || sum === md5) {
        await writing(path, () => rename(part, path));
        return { fetched: true, md5: sum };
      }
      wrong = true;
      failures.push(`${url}: its MD5 sum is ${sum}`);
      await writing(path, () => rm(part, { force: true }));
    }
  const list = failures.slice(-4).join('; ');
  if (wrong)
    throw new LimbeckError(
      'ERR_CHECKSUM',
      `${name} is not the published file (${list}; expected ${md5}); nothing was kept. Try later, or fetch it by hand.`,
    );
  throw new LimbeckError(
    'ERR_DOWNLOAD',
    `${name} could not be fetched (${list}). Check the connection and try again: it goes on where it stopped.`,
  );
}

/** What a server said no with; final when asking again makes no sense. */
class Refusal extends Error {
  constructor(
    message: string,
    readonly final: boolean,
  ) {
    super(message);
  }
}

/** Fetches what is missing of a file; returns when the server says that it is all. */
async function fetchPart(url: string, part: string, name: string, options: DownloadOptions): Promise<void> {
  const { onProgress, signal, stallMilliseconds = 30_000 } = options;
  let bytes = (await sizeOf(part)) ?? 0;
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(new Error('no answer for a while')), stallMilliseconds);
  try {
    const response = await fetch(url, {
      headers: { 'accept-encoding': 'identity', ...(bytes > 0 && { range: `bytes=${bytes}-` }) },
      signal: signal ? AbortSignal.any([signal, stall.signal]) : stall.signal,
    });
    const { status, headers, body } = response;
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '');
    if (status === 416 || (status === 206 && Number(range?.[1]) !== bytes)) {
      // What is here does not fit what is there: begin anew.
      await body?.cancel();
      await writing(part, () => rm(part, { force: true }));
      throw new Refusal(`it cannot go on at byte ${bytes}`, false);
    }
    if (status !== 200 && status !== 206) {
      await body?.cancel();
      const final = status >= 400 && status < 500 && status !== 408 && status !== 429;
      throw new Refusal(`status ${status}`, final);
    }
    if (status === 200) bytes = 0;
    const length = headers.get('content-length');
    const total = range ? Number(range[2]) : length === null ? undefined : Number(length);
    if (total !== undefined && total > MAX_FILE_BYTES) throw new Refusal(`it has ${total} bytes`, true);

    const file = await writing(part, () => open(part, status === 200 ? 'w' : 'a'));
    try {
      for await (const chunk of body ?? []) {
        timer.refresh();
        await writing(part, () => file.appendFile(chunk));
        bytes += chunk.length;
        if (bytes > (total ?? MAX_FILE_BYTES)) throw new Refusal('it sends more than it said', false);
        onProgress?.({ name, bytes, total });
      }
      await writing(part, () => file.sync());
    } finally {
      await file.close();
    }
    if (total !== undefined && bytes < total)
      throw new Refusal(`it ended after ${bytes} of ${total} bytes`, false);
  } finally {
    clearTimeout(timer);
  }
}

/** Of a file's content, in hexadecimal; undefined where there is none. */
async function checksum(path: string): Promise<string | undefined> {
  if ((await sizeOf(path)) === undefined) return undefined;
  const hash = createHash('md5');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    return undefined;
  }
}

async function writing<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_WRITE',
      `${path} could not be written: ${fileReason(cause)}. Check that its folder may be written to and has space left.`,
      { cause },
    );
  }
}

/** `fetch failed` alone tells nobody anything. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${messageOf(error)}${cause}`;
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(end, milliseconds);
    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      done();
    }
    signal?.addEventListener('abort', end, { once: true });
  });
}
