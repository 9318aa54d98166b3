import { pixelsText } from '../data/pixel-scale.js';
import { exportOnnx } from '../eval/onnx.js';
import { readModel } from '../runs/network-folder.js';
import { checkWritable, writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import type { Command } from './command.js';
import * as shared from './options.js';
import { Terminal } from './progress.js';

export const command: Command = {
  name: 'export',
  summary: 'a trained network for other programs, as ONNX',
  positionals: ['NET'],
  options: [
    {
      group: 'Output',
      name: 'onnx',
      kind: 'text',
      value: 'FILE',
      help: 'file to write; it takes pixels in 0..1 (bytes divided by 255), or floats as the data set has them',
    },
    {
      name: 'member',
      kind: 'whole',
      least: 0,
      value: 'N',
      help: 'which of several networks, from 0 on',
      fallback: '0',
    },
    shared.json,
    shared.debug,
    shared.help,
  ],
  example: 'limbeck export net --onnx digits.onnx',

  async run({ values, positionals }) {
    const [path] = positionals;
    const { onnx, member } = values as { onnx?: string; member?: number };
    if (path === undefined || onnx === undefined)
      throw new LimbeckError(
        'ERR_OPTION',
        'export needs a network and a file to write: limbeck export net --onnx net.onnx',
      );
    await checkWritable(onnx);
    const model = await readModel(path);
    const bytes = exportOnnx(model, { member });
    await writeFileAtomic(onnx, bytes);
    if (values.json) process.stdout.write(`${JSON.stringify({ file: onnx, bytes: bytes.length })}\n`);
    else
      new Terminal(false).say(
        `Wrote ${onnx}: images ${JSON.stringify(['N', ...model.network.inputShape])} of ${model.normalisation.text ? 'embedded texts' : pixelsText(model.normalisation)}`,
      );
    return 0;
  },
};
