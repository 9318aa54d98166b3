/** Files of expert trajectories, and what is said of those that are none. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { recordBytes } from '../src/data/experts/format.js';
import { openExperts } from '../src/index.js';
import { crc32 } from '../src/util/crc32.js';
import { decodeSafetensors, encodeSafetensors } from '../src/util/safetensors.js';
import { expertBytes, madeParameter, smallExperts, writeExperts } from './harness/experts.js';
import { parameterCount } from './harness/made-data.js';

const root = mkdtempSync(join(tmpdir(), 'limbeck-experts-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let made = 0;
/** A folder of three experts. */
function three(): string {
  const folder = join(root, String(made++));
  writeExperts(folder, 3);
  return folder;
}

const first = 'expert-0000.safetensors';
const second = 'expert-0001.safetensors';
const made41 = (expert: number, epoch: number) =>
  Array.from({ length: parameterCount }, (_, i) => madeParameter(expert, epoch, i));

describe('experts in a folder', () => {
  it('are read snapshot by snapshot, in any order and at once', async () => {
    await using experts = await openExperts(three());
    const { count, epochs, network, networkOptions, dataset, training, protocol } = experts;
    expect({ networkOptions, dataset, training, protocol }).toEqual(smallExperts);
    expect({ count, epochs, parameters: network.count }).toEqual({ count: 3, epochs: 3, parameters: 41 });
    const asked = [2, 0, 1].flatMap((expert) => [3, 0, 2, 1].map((epoch) => [expert, epoch] as const));
    const answers = await Promise.all(asked.map(([expert, epoch]) => experts.parametersOf(expert, epoch)));
    expect(answers.map((theta) => [...theta])).toEqual(asked.map((one) => made41(...one)));
    // Each array is the caller's.
    answers[0].fill(0);
    expect([...(await experts.parametersOf(2, 3))]).toEqual(made41(2, 3));
  });

  it('are safetensors files with a checksum behind each snapshot', () => {
    const { tensors, metadata } = decodeSafetensors(expertBytes(5));
    expect(Object.keys(tensors)).toEqual(
      [0, 1, 2, 3].flatMap((epoch) => [`epoch.${epoch}`, `epoch.${epoch}.crc32`]),
    );
    const { data } = tensors['epoch.2'] as { data: Float32Array };
    expect([...data]).toEqual(made41(5, 2));
    expect((tensors['epoch.2.crc32'].data[0] as number) >>> 0).toBe(crc32(new Uint8Array(data.buffer)));
    expect(metadata.format).toBe('limbeck-expert-1');
    expect(JSON.parse(metadata.experts).parameters[0]).toEqual({
      name: expect.any(String),
      shape: [3, 6],
    });
  });

  it('may have numbers that are missing; files with other names are nobody’s business', async () => {
    const folder = three();
    rmSync(join(folder, second));
    for (const other of ['expert-0002.safetensors.part', 'expert-12.safetensors', 'notes.txt'])
      writeFileSync(join(folder, other), 'anything');
    await using experts = await openExperts(folder);
    expect(experts.count).toBe(2);
    expect([...(await experts.parametersOf(1, 1))]).toEqual(made41(2, 1));
  });
});

describe('what is refused', () => {
  const table: [string, (folder: string) => void, string, RegExp][] = [
    [
      'no folder',
      (folder) => rmSync(folder, { recursive: true }),
      'ERR_FILE_MISSING',
      /cannot be read.*--out/,
    ],
    [
      'a folder without experts',
      (folder) => {
        for (const i of [0, 1, 2]) rmSync(join(folder, `expert-000${i}.safetensors`));
      },
      'ERR_FILE_MISSING',
      /holds no finished expert, expected expert-0000.safetensors .*limbeck experts --out .* trains them/,
    ],
    [
      'a folder in the place of a file',
      (folder) => {
        rmSync(join(folder, second));
        mkdirSync(join(folder, second));
      },
      'ERR_FILE_MISSING',
      /expert-0001.safetensors cannot be read: it is a folder \(EISDIR\)/,
    ],
    [
      'a file that is cut off',
      (folder) => truncateSync(join(folder, second), expertBytes(1).length - 1),
      'ERR_FILE_FORMAT',
      /expert-0001.safetensors: it has \d+ bytes, expected \d+; the file is damaged/,
    ],
    [
      'a file that is cut off in its header',
      (folder) => truncateSync(join(folder, second), 100),
      'ERR_FILE_FORMAT',
      /expert-0001.safetensors: .*its header should have \d+ bytes, but only 92 follow/,
    ],
    [
      'an empty file',
      (folder) => truncateSync(join(folder, second), 0),
      'ERR_FILE_FORMAT',
      /expert-0001.safetensors: it has 0 bytes/,
    ],
    [
      'a file that is longer',
      (folder) => writeFileSync(join(folder, second), Buffer.concat([expertBytes(1), Buffer.alloc(4)])),
      'ERR_FILE_FORMAT',
      /expert-0001.safetensors: it has \d+ bytes, expected/,
    ],
    [
      'something else',
      (folder) => writeFileSync(join(folder, second), 'a text that is no header at all'),
      'ERR_FILE_FORMAT',
      /expert-0001.safetensors: its first 8 bytes announce/,
    ],
    [
      'another safetensors file',
      (folder) =>
        writeFileSync(
          join(folder, second),
          encodeSafetensors({ a: { shape: [1], data: new Float32Array(1) } }, { format: 'limbeck-set-1' }),
        ),
      'ERR_FILE_FORMAT',
      /expert-0001.safetensors: format is "limbeck-set-1", expected limbeck-expert-1/,
    ],
    [
      'a safetensors file without metadata',
      (folder) => {
        const header = Buffer.from('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}  ');
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(header.length));
        writeFileSync(join(folder, second), Buffer.concat([length, header]));
      },
      'ERR_FILE_FORMAT',
      /expert-0001.safetensors: format is undefined, expected limbeck-expert-1/,
    ],
    [
      'another network',
      (folder) => {
        const networkOptions = { ...smallExperts.networkOptions, width: 4 };
        writeFileSync(join(folder, second), expertBytes(1, { ...smallExperts, networkOptions }));
      },
      'ERR_DATA',
      /expert-0001.safetensors has another network: .*"width":4.*, expected .*"width":3.* as .*expert-0000.safetensors has it/,
    ],
    [
      'another data set',
      (folder) => {
        const dataset = { ...smallExperts.dataset, sha256: '1'.repeat(64) };
        writeFileSync(join(folder, second), expertBytes(1, { ...smallExperts, dataset }));
      },
      'ERR_DATA',
      /has another data set: .*, expected /,
    ],
    [
      'another training',
      (folder) => {
        const training = { ...smallExperts.training, epochs: 4 };
        writeFileSync(join(folder, second), expertBytes(1, { ...smallExperts, training }));
      },
      'ERR_DATA',
      /another training: .*"epochs":4.*keep experts that were trained differently in folders of their own/,
    ],
  ];
  it.each(table)('%s', async (_, spoil, code, message) => {
    const folder = three();
    spoil(folder);
    const error = await openExperts(folder).catch((reason) => reason);
    expect(error.message).toMatch(message);
    expect(error).toMatchObject({ name: 'LimbeckError', code });
  });

  it('a path that is none', async () => {
    for (const wrong of [undefined, '', 3])
      await expect(openExperts(wrong as string)).rejects.toThrow(/folder is .*, expected the path/);
  });

  it('every single byte of a header that is another', async () => {
    const folder = three();
    const bytes = readFileSync(join(folder, first));
    const header = Number(bytes.readBigUInt64LE(0)) + 8;
    for (let at = 0; at < header; at += 7) {
      const changed = Buffer.from(bytes);
      changed[at] ^= 1;
      writeFileSync(join(folder, first), changed);
      await expect(openExperts(folder), `byte ${at}`).rejects.toMatchObject({
        code: 'ERR_FILE_FORMAT',
        message: expect.stringContaining(first),
      });
    }
  });

  it('a snapshot that was damaged, and no other', async () => {
    const folder = three();
    const bytes = readFileSync(join(folder, second));
    bytes[bytes.length - 2 * recordBytes(parameterCount) + 17] ^= 64;
    writeFileSync(join(folder, second), bytes);
    await using experts = await openExperts(folder);
    await expect(experts.parametersOf(1, 2)).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(
        /expert-0001.safetensors: the snapshot of epoch 2 is not what its checksum/,
      ),
    });
    for (const epoch of [0, 1, 3])
      expect([...(await experts.parametersOf(1, epoch))]).toEqual(made41(1, epoch));
  });

  it('a file that shrinks while it is open', async () => {
    const folder = three();
    await using experts = await openExperts(folder);
    truncateSync(join(folder, first), 200);
    await expect(experts.parametersOf(0, 0)).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' });
  });

  it('an expert or epoch that there is not, and reading after the end', async () => {
    const experts = await openExperts(three());
    for (const [expert, epoch] of [
      [3, 0],
      [-1, 0],
      [0.5, 0],
      [0, 4],
      [0, Number.NaN],
      ['0', 0],
    ])
      await expect(experts.parametersOf(expert as number, epoch as number)).rejects.toMatchObject({
        code: 'ERR_OPTION',
        message: expect.stringMatching(/(expert|epoch) is .*, expected a whole number from 0 to [23]$/),
      });
    await experts.close();
    await experts.close();
    await expect(experts.parametersOf(0, 0)).rejects.toThrow(/closed, expected to be open/);
  });
});
