import { LimbeckError } from '../util/errors.js';

/** A network without the sizes that follow from the data: its name and its options. JSON-serialisable. */
export interface NetworkSpec {
  /** One of `networkNames`. */
  readonly name: string;
  /** The network's own options: `width`, `depth`, `norm`, `layers` and so on. */
  readonly [option: string]: unknown;
}

/** Either form in which a network may be asked for. */
export const networkSpec = (network: string | NetworkSpec): NetworkSpec =>
  typeof network === 'string' ? parseNetworkSpec(network) : network;

/** What a network is called in tables: its text form, without the sizes that the data gave it. */
export function networkTitle(network: string | NetworkSpec): string {
  const { inputShape: _, classes: __, ...spec } = networkSpec(network);
  return printNetworkSpec(spec);
}

/**
 * Reads `convnet:width=64:norm=batch` as `{ name: 'convnet', width: 64, norm: 'batch' }`: numbers become numbers, `true`
 * and `false` booleans, everything else stays text. Throws ERR_OPTION for a piece without `=`. Which options there are
 * is the network's own business.
 */
export function parseNetworkSpec(text: string): NetworkSpec {
  const [name, ...pieces] = text.split(':');
  const options = pieces.map((piece) => {
    const at = piece.indexOf('=');
    if (at < 1)
      throw new LimbeckError(
        'ERR_OPTION',
        `network ${JSON.stringify(text)}: ${JSON.stringify(piece)} is not an option, expected name=value as in convnet:width=64:norm=batch`,
      );
    const option = piece.slice(0, at);
    if (['name', 'inputShape', 'classes'].includes(option))
      throw new LimbeckError(
        'ERR_OPTION',
        `network ${JSON.stringify(text)}: ${option} follows from the data, expected options of the network only`,
      );
    return [option, optionValue(piece.slice(at + 1))] as const;
  });
  return { ...Object.fromEntries(options), name };
}

/** The inverse of `parseNetworkSpec`: how a network is written on a command line and in a table. */
export function printNetworkSpec({ name, ...options }: NetworkSpec): string {
  const text = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value));
  return [name, ...Object.entries(options).map(([option, value]) => `${option}=${text(value)}`)].join(':');
}

function optionValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}
