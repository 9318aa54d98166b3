import { basename } from 'node:path';
import { catalogue } from '../data/catalogue.js';
import { downloadDataset, downloadNames as names } from '../data/published.js';
import { suggestion } from '../util/closest.js';
import { LimbeckError } from '../util/errors.js';
import type { Command } from './command.js';
import { listenForStop } from './interrupt.js';
import { debug, help, json } from './options.js';
import { Terminal } from './progress.js';

export const command: Command = {
  name: 'download',
  summary: `fetches a published data set and checks it: ${names.join(', ')}`,
  positionals: ['SET'],
  options: [
    { name: 'to', kind: 'text', value: 'DIR', help: 'folder for the files', fallback: 'data/<set>' },
    {
      name: 'from',
      kind: 'text',
      value: 'URL',
      help: 'address to fetch from instead, ending with a slash; the checksums stay',
    },
    json,
    debug,
    help,
  ],
  example: 'limbeck download cifar10 --to data/cifar10',

  async run({ values, positionals }) {
    const [name] = positionals;
    const list = `there are: ${names.join(', ')}`;
    if (name === undefined)
      throw new LimbeckError('ERR_OPTION', `download needs the name of a data set; ${list}`);
    if (!Object.hasOwn(catalogue, name))
      throw new LimbeckError(
        'ERR_OPTION',
        `${JSON.stringify(name)} cannot be downloaded; ${suggestion(name, names, list)}`,
      );
    const { to, from } = values as { to?: string; from?: string };
    const terminal = new Terminal(Boolean(values.json));
    using stop = listenForStop(() => terminal.say('Stopping; the next time it goes on from here.'));
    terminal.say(catalogue[name].title);
    try {
      const result = await downloadDataset(name, {
        to,
        from,
        signal: stop.signal,
        onProgress: ({ name, bytes, total }) => terminal.passing(`${name}  ${amount(bytes, total)}`),
        onFile: ({ file, md5, checked, fetched }) => {
          const what = checked ? 'checksum right' : `no checksum was published; its MD5 sum is ${md5}`;
          terminal.say(`${basename(file)}: ${fetched ? 'fetched' : 'already there'}, ${what}`);
        },
      });
      if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
      else terminal.say(`Use it: limbeck distill --dataset ${result.dataset}`);
      return 0;
    } catch (error) {
      if (stop.signal.aborted) return stop.status;
      throw error;
    } finally {
      terminal.clear();
    }
  },
};

const cells = 20;

/** `████░░░░ 41.2 / 162.2 MB` */
function amount(bytes: number, total?: number): string {
  const megabytes = (value: number) => (value / 1e6).toFixed(1);
  if (!total) return `${megabytes(bytes)} MB`;
  const filled = Math.round((cells * bytes) / total);
  return `${'█'.repeat(filled)}${'░'.repeat(cells - filled)} ${megabytes(bytes)} / ${megabytes(total)} MB`;
}
