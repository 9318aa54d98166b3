/** Pages in a real browser, without a driver for it: the page is served from here and posts what it found. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { chromiumFlags, chromiumProgram } from './chromium-program.js';
import { root, text } from './repository.js';

const webgpuFlags = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** What a module script makes of `result` runs in a page; its text may name files as `/src/browser.js`. */
const pageOf = (script: string) => `<!doctype html><title>limbeck</title><script type="module">
const post = (answer) => fetch('/answer', { method: 'POST', body: JSON.stringify(answer) });
addEventListener('error', ({ message }) => post({ error: message }));
try {
  const run = async () => { ${script} };
  await post({ result: await run() });
} catch (error) {
  await post({ error: String(error.stack ?? error) });
}
</script>`;

/** `/src/*.js` is what was built of it, and so is `/limbeck/*.js`, as the page of the examples has it; modules of this folder are compiled on the way. */
function moduleAt(path: string): string {
  const built = /^\/(?:src|limbeck)\/(.*)$/.exec(path);
  if (built) return readFileSync(join(root, `dist/${built[1]}`), 'utf8');
  if (/^\/examples\/page\/[\w-]+\.js$/.test(path)) return text(path.slice(1));
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  if (!/^\/test\/harness\/[\w-]+\.js$/.test(path)) throw new Error(`no file ${path}`);
  return ts.transpileModule(text(path.slice(1).replace(/\.js$/, '.ts')), { compilerOptions: options })
    .outputText;
}

function answerRequest(request: IncomingMessage, response: ServerResponse, page: string): void {
  const path = request.url ?? '';
  try {
    const [type, body] = path === '/' ? ['text/html', page] : ['text/javascript', moduleAt(path)];
    response.writeHead(200, { 'content-type': type }).end(body);
  } catch (error) {
    response.writeHead(404).end((error as Error).message);
  }
}

/**
 * Opens a page whose module script has the given body and gives back what that returns, as JSON carries it. Without
 * `webgpu` the browser offers no adapter. Throws what the page threw, or what the browser said when nothing came.
 */
export async function inChromium(
  body: string,
  { webgpu = true, seconds = 100 }: { webgpu?: boolean; seconds?: number } = {},
): Promise<unknown> {
  const program = await chromiumProgram();
  const profile = mkdtempSync(join(tmpdir(), 'limbeck-chromium-'));
  const { promise, resolve, reject } = withResolvers<unknown>();
  const server = await listen((request, response) => {
    if (request.method !== 'POST') return answerRequest(request, response, pageOf(body));
    let posted = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (posted += chunk));
    request.on('end', () => {
      response.end();
      const { error, result } = JSON.parse(posted);
      if (error === undefined) resolve(result);
      else reject(new Error(`in the page: ${error}`));
    });
  });
  const { port } = server.address() as AddressInfo;
  const child = spawn(
    program,
    [
      ...chromiumFlags,
      ...(webgpu ? webgpuFlags : []),
      `--user-data-dir=${profile}`,
      `http://127.0.0.1:${port}/`,
    ],
    // A group of its own: a browser is many processes.
    { detached: process.platform !== 'win32', stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  child.on('error', reject);
  const closed = new Promise<void>((done) => child.on('close', () => done()));
  void closed.then(() => reject(new Error(`${program} ended without an answer:\n${said.slice(-2000)}`)));
  const late = setTimeout(
    () => reject(new Error(`${program}: no answer within ${seconds} s:\n${said.slice(-2000)}`)),
    1000 * seconds,
  );
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    if (child.pid !== undefined && child.exitCode === null) {
      if (process.platform === 'win32') child.kill();
      else process.kill(-child.pid, 'SIGKILL');
      await closed;
    }
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handler);
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
