import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { command } from '../src/cli/download.js';
import { catalogue } from '../src/data/catalogue.js';
import { downloadFile } from '../src/data/download.js';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) & 255));
const md5 = createHash('md5').update(content).digest('hex');
const file = { name: 'set.bin', md5 };

/** What the server does with its first, second, … request; the last goes on for ever. */
type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let answers: Answer[];
let ranges: (string | undefined)[];
let server: Server;
let mirror: string;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'limbeck-download-'));
  ranges = [];
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    const answer = answers.length > 1 ? answers.shift()! : answers[0];
    answer(request, response);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  await rm(folder, { recursive: true });
});

const from = (request: IncomingMessage) => Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
/** Whole, or from where it is asked. */
const serve =
  (body: Buffer, { ranged = true, cut = body.length } = {}): Answer =>
  (request, response) => {
    const start = ranged ? from(request) : 0;
    if (start > 0 && start >= body.length) {
      response.writeHead(416).end();
      return;
    }
    const headers = { 'content-length': body.length - start };
    if (start > 0)
      response.writeHead(206, {
        ...headers,
        'content-range': `bytes ${start}-${body.length - 1}/${body.length}`,
      });
    else response.writeHead(200, headers);
    if (cut === body.length) response.end(body.subarray(start));
    else response.write(body.subarray(start, start + cut), () => setTimeout(() => response.destroy(), 30));
  };
const refuse =
  (status: number): Answer =>
  (_request, response) => {
    response.writeHead(status).end();
  };
const damaged = Buffer.from(content);
damaged[1234] ^= 1;

const run = (mirrors = [mirror], options = {}) =>
  downloadFile(file, mirrors, folder, { retryMilliseconds: 1, stallMilliseconds: 5000, ...options });
const here = () => readdirSync(folder);

describe('a download', () => {
  test('brings the file, tells how far it is, and is not repeated', async () => {
    answers = [serve(content)];
    const seen: number[] = [];
    const onProgress = ({ bytes, total }: { bytes: number; total?: number }) => {
      expect(total).toBe(content.length);
      seen.push(bytes);
    };
    expect(await run([mirror], { onProgress })).toEqual({ fetched: true, md5 });
    expect(readFileSync(join(folder, 'set.bin')).equals(content)).toBe(true);
    expect(seen.at(-1)).toBe(content.length);
    expect(here()).toEqual(['set.bin']);
    expect(await run()).toEqual({ fetched: false, md5 });
    expect(ranges).toHaveLength(1);
  });

  test('goes on where the connection broke, in the same call and in a later one', async () => {
    answers = [serve(content, { cut: 100_000 }), serve(content)];
    expect((await run()).fetched).toBe(true);
    const start = Number(/bytes=(\d+)-/.exec(ranges[1] ?? '')?.[1]);
    expect(start).toBeGreaterThan(0);

    await rm(join(folder, 'set.bin'));
    writeFileSync(join(folder, '.set.bin.part'), content.subarray(0, 77_777));
    ranges = [];
    answers = [serve(content)];
    expect((await run()).fetched).toBe(true);
    expect(ranges).toEqual(['bytes=77777-']);
    expect(readFileSync(join(folder, 'set.bin')).equals(content)).toBe(true);
  });

  test.each<[string, Answer[]]>([
    ['a server that knows no ranges', [serve(content, { ranged: false })]],
    ['a part that is longer than the file', [serve(Buffer.alloc(10), { ranged: true }), serve(content)]],
    ['a server that is busy at first', [refuse(503), refuse(429), serve(content)]],
    [
      'redirects',
      [(_, response) => response.writeHead(302, { location: '/elsewhere' }).end(), serve(content)],
    ],
  ])('survives %s', async (_what, list) => {
    writeFileSync(join(folder, '.set.bin.part'), content.subarray(0, 50_000));
    answers = list;
    expect((await run()).fetched).toBe(true);
    expect(readFileSync(join(folder, 'set.bin')).equals(content)).toBe(true);
  });

  test('damaged on the way: fetched again, and refused when it stays so, with nothing kept', async () => {
    answers = [serve(damaged), serve(content)];
    expect((await run()).fetched).toBe(true);
    await rm(join(folder, 'set.bin'));
    answers = [serve(damaged)];
    await expect(run()).rejects.toMatchObject({
      code: 'ERR_CHECKSUM',
      message: expect.stringContaining(md5),
    });
    expect(here()).toEqual([]);
  });

  test('a wrong file that lies there is replaced only by the right one', async () => {
    writeFileSync(join(folder, 'set.bin'), damaged);
    answers = [refuse(500)];
    await expect(run()).rejects.toMatchObject({ code: 'ERR_DOWNLOAD' });
    expect(readFileSync(join(folder, 'set.bin')).equals(damaged)).toBe(true);
    answers = [serve(content)];
    expect((await run()).fetched).toBe(true);
    expect(readFileSync(join(folder, 'set.bin')).equals(content)).toBe(true);
  });

  test('the next mirror helps; a file that is not there is not asked for again', async () => {
    answers = [refuse(404), serve(content)];
    expect((await run([`${mirror}one/`, `${mirror}two/`])).fetched).toBe(true);
    expect(ranges).toHaveLength(2);
  });

  test('nobody answers: what came is kept for the next time', async () => {
    answers = [serve(content, { cut: 50_000 })];
    await expect(run([mirror], { attempts: 2 })).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
      message: expect.stringMatching(/goes on where it stopped/),
    });
    expect(here()).toEqual(['.set.bin.part']);
    await expect(run(['http://127.0.0.1:9/'], { attempts: 1 })).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
    });
  });

  test('a server that falls silent is given up', async () => {
    answers = [
      (_request, response) => {
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, 10));
      },
      serve(content),
    ];
    expect((await run([mirror], { stallMilliseconds: 200 })).fetched).toBe(true);
  });

  test('stops when told to', async () => {
    const control = new AbortController();
    answers = [() => control.abort(new Error('enough'))];
    await expect(run([mirror], { signal: control.signal })).rejects.toThrow('enough');
  });

  test('without a published checksum: completeness counts, and the sum is told', async () => {
    answers = [serve(content, { cut: 1000 }), serve(content)];
    const open = { name: 'set.bin' };
    const result = await downloadFile(open, [mirror], folder, { retryMilliseconds: 1 });
    expect(result).toEqual({ fetched: true, md5 });
  });

  test('from the command line: an unknown set is named, a wrong file refused', async () => {
    await expect(command.run({ values: {}, positionals: ['cifar11'] })).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(/cifar10/),
    });
    answers = [refuse(404)];
    const to = join(folder, 'svhn');
    await expect(
      command.run({ values: { to, from: mirror, json: true }, positionals: ['svhn'] }),
    ).rejects.toMatchObject({ code: 'ERR_DOWNLOAD' });
    expect(existsSync(join(to, 'train_32x32.mat'))).toBe(false);
  });
});

test('the catalogue is well formed', () => {
  for (const { mirrors, files, open } of Object.values(catalogue)) {
    for (const url of mirrors) expect(url).toMatch(/^https?:\/\/.*\/$/);
    for (const { md5 } of files) if (md5 !== undefined) expect(md5).toMatch(/^[0-9a-f]{32}$/);
    if (open !== undefined) expect(files.map(({ name }) => name)).toContain(open);
  }
});
