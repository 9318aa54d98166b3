/** Files of PyTorch, damaged and made up: pickles of tensors whose sizes, strides and storages may claim anything. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTorchSet } from '../../src/data/torch-set.js';
import { zip } from './data-files.js';
import { type Draws, extremes, type FuzzedReader } from './fuzz.js';
import { root } from './repository.js';

const fixture = (name: string) => readFileSync(join(root, 'test/fixtures/torch', name));
const text = (value: string) => Buffer.from(value, 'latin1');
const i32 = (value: number) => {
  const bytes = Buffer.alloc(5);
  bytes.write('J');
  bytes.writeInt32LE(value | 0, 1);
  return bytes;
};
const word = (value: string) => Buffer.concat([text('X'), Buffer.from([value.length, 0, 0, 0]), text(value)]);
const tuple = (...parts: Uint8Array[]) => Buffer.concat([text('('), ...parts, text('t')]);
const size = (d: Draws) => (d.once(5) ? d.pick(extremes) : d.below(5));
const sizes = (d: Draws, rank: number) => tuple(...Array.from({ length: rank }, () => i32(size(d))));
const global = (d: Draws, name: string) =>
  text(`c${d.once(30) ? 'os\nsystem' : name.replace(/\.(\w+)$/, '\n$1')}\n`);

function tensor(d: Draws): Uint8Array {
  const rank = d.pick([1, 2, 4, 4, 4, 70]);
  const type = d.pick(['Float', 'Byte', 'Half', 'BFloat16', 'Long', 'Bool', 'Complex']);
  const storage = tuple(
    ...[
      word('storage'),
      global(d, `torch.${type}Storage`),
      word(String(d.below(3))),
      word('cpu'),
      i32(size(d)),
    ],
  );
  const args = tuple(
    ...[Buffer.concat([storage, text('Q')]), i32(d.below(3)), sizes(d, rank)],
    ...[
      sizes(d, d.once(9) ? 1 : rank),
      text('\x89'),
      Buffer.concat([global(d, 'collections.OrderedDict'), text(')R')]),
    ],
  );
  return Buffer.concat([global(d, `torch._utils._rebuild_tensor${d.pick(['', '_v2'])}`), args, text('R')]);
}

/** A list, a dictionary, a tensor, or a list that holds itself. */
function content(d: Draws): Uint8Array {
  if (d.once(20)) return text(']q\x00h\x00ah\x00a');
  if (d.once(3)) return tensor(d);
  if (d.once(2)) return Buffer.concat([text(']('), tensor(d), tensor(d), text('e')]);
  return Buffer.concat([text('}('), word('images'), tensor(d), word('labels'), tensor(d), text('u')]);
}
const pickle = (value: Uint8Array) => Buffer.concat([text('\x80\x02'), value, text('.')]);

function archive(d: Draws): Uint8Array {
  const data = (key: number) => [`x/data/${key}`, d.bytes(d.pick([0, 1, 16, 64, 400]))] as const;
  const files = { 'x/data.pkl': pickle(content(d)), ...Object.fromEntries([0, 1, 2].map(data)) };
  return zip(d.once(9) ? { ...files, 'x/byteorder': text('big') } : files, d.once(2));
}

function stream(d: Draws): Uint8Array {
  const count = Buffer.alloc(8);
  count.writeBigInt64LE(BigInt(size(d)));
  const storages = [0, 1, 2].flatMap(() => [count, d.bytes(d.pick([0, 4, 16]))]);
  return Buffer.concat([
    ...[pickle(text('\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19')), pickle(text('M\xe9\x03')), pickle(text('}'))],
    ...[pickle(content(d)), pickle(Buffer.concat([text(']('), word('0'), word('1'), word('2'), text('e')]))],
    ...storages,
  ]);
}

export const torchFiles: Readonly<Record<string, FuzzedReader>> = {
  PyTorch: {
    seeds: async () =>
      ['dc.pt', 'dc-old.pt', 'strided.pt', 'bfloat16-old.pt'].map((name) => ({ 'x.pt': fixture(name) })),
    make: (d) => ({ 'x.pt': d.once(2) ? stream(d) : archive(d) }),
    read: (folder) => readTorchSet(join(folder, 'x.pt')),
  },
};
