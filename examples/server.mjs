/**
 * A server that adapts to whoever uses it: it begins with a network of ten distilled digits, and ten labelled images of a user's own
 * train a network for that user within a second. It also serves the page in examples/page, which trains in the browser.
 *
 *     node examples/server.mjs
 *
 * Further `node examples/server.mjs FILE`, of distilled.safetensors or network.safetensors; PORT (8080) in the environment.
 *
 *     POST /adapt     { "images": [[0, 255, ...], ...], "labels": ["7", ...] }   ->  { "user", "milliseconds" }
 *     POST /predict   { "images": [[0, 255, ...], ...], "user" }                 ->  { "predictions": [{ "class", "probability" }] }
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  decodeArtefact,
  decodeModel,
  distill,
  encodeArtefact,
  fineTune,
  generateDigits,
  openDevice,
  predict,
  trainOn,
} from 'limbeck';

const mostBytes = 4e6;
const mostUsers = 1000;

const device = await openDevice('auto');
const { set, model } = await begin(process.argv[2]);
const { inputShape, classes } = model.network;
const pixels = inputShape.reduce((a, b) => a * b, 1);

/** The network of every user, the one who came first at the front. */
const users = new Map();

/** The bytes of a distilled set where there is one, and a network. */
async function begin(path) {
  const bytes = path ? await readFile(path) : await tenDigits();
  try {
    return { model: decodeModel(bytes) };
  } catch {
    const { model } = await trainOn(device, decodeArtefact(bytes));
    return { set: bytes, model };
  }
}

async function tenDigits() {
  const digits = generateDigits({ train: 4000, validation: 500, test: 500 });
  const { set, options, best } = await distill(device, digits, {
    network: 'mlp',
    iterations: 300,
    batch: 256,
  });
  const { classNames, mean, std } = digits;
  const { validationAccuracy } = best;
  console.log(`ten distilled images: ${validationAccuracy.toFixed(1)} % of the validation images`);
  const notes = {
    dataset: 'digits',
    classNames,
    mean,
    std,
    engine: device.description,
    options,
    validationAccuracy,
  };
  return encodeArtefact({ set, notes });
}

/** Thrown for what whoever asks can mend. */
class Refused extends Error {}

function imagesOf({ images }) {
  const fits =
    Array.isArray(images) && images.length > 0 && images.every((image) => image?.length === pixels);
  if (!fits) throw new Refused(`images: expected lists of ${pixels} bytes each, [${inputShape.join(', ')}]`);
  return Uint8Array.from(images.flat());
}

async function adapt(request) {
  const started = performance.now();
  const images = imagesOf(request);
  const labels = (request.labels ?? []).map((name) => model.classNames.indexOf(String(name)));
  if (labels.length !== request.images.length || labels.includes(-1))
    throw new Refused(`labels: expected one for each image, of ${model.classNames.join(', ')}`);
  const own = users.get(request.user) ?? model;
  const adapted = await fineTune(device, own, { images, labels }, { epochs: 50 });
  const user = users.has(request.user) ? request.user : randomUUID();
  users.set(user, adapted);
  if (users.size > mostUsers) users.delete(users.keys().next().value);
  return { user, milliseconds: Math.round(performance.now() - started) };
}

async function answer(request) {
  const { classes: numbers, scores } = await predict(
    device,
    users.get(request.user) ?? model,
    imagesOf(request),
  );
  const predictions = Array.from(numbers, (label, i) => ({
    class: model.classNames[label],
    probability: scores[i * classes + label],
  }));
  return { predictions };
}

async function bodyOf(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > mostBytes) throw new Refused(`the request is longer than ${mostBytes} bytes`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new Refused('expected JSON');
  }
}

const page = fileURLToPath(new URL('page', import.meta.url));
const library = dirname(fileURLToPath(import.meta.resolve('limbeck/browser')));
const types = { html: 'text/html', js: 'text/javascript' };

/** The page, the library that it runs, and the ten images. */
async function fileAt(path) {
  if (path === '/set' && set) return { type: 'application/octet-stream', body: set };
  const name = path === '/' ? '/index.html' : path;
  if (!/^(\/[\w-]+(\.gen)?)+\.(html|js)$/.test(name)) return undefined;
  const file = name.startsWith('/limbeck/') ? join(library, name.slice(9)) : join(page, name);
  const body = await readFile(file).catch(() => undefined);
  return body && { type: types[name.split('.').at(-1)], body };
}

const server = createServer(async (request, response) => {
  const path = request.url.split('?')[0];
  const send = (status, type, body) => response.writeHead(status, { 'content-type': type }).end(body);
  try {
    const work = { '/adapt': adapt, '/predict': answer }[path];
    if (request.method === 'POST' && work)
      return send(200, 'application/json', JSON.stringify(await work(await bodyOf(request))));
    const file = request.method === 'GET' && (await fileAt(path));
    if (!file) return send(404, 'application/json', JSON.stringify({ error: `there is no ${path}` }));
    return send(200, file.type, file.body);
  } catch (error) {
    const status = error instanceof Refused || error.code?.startsWith('ERR_') ? 400 : 500;
    return send(status, 'application/json', JSON.stringify({ error: error.message }));
  }
});
server.listen(process.env.PORT ?? 8080, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
