import type { Option } from '../options.js';

/** How a terminal takes pictures. */
export const protocols = ['kitty', 'iterm2', 'sixel', 'blocks'] as const;
export type Protocol = (typeof protocols)[number];

export const pictures: Option = {
  group: 'Output',
  name: 'pictures',
  kind: 'text',
  value: `auto|${protocols.join('|')}|none`,
  help: 'pictures in the terminal: as it takes them, by its environment variables; blocks are half blocks in colour',
  fallback: 'auto',
};

/** Where text goes: a terminal, or not. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  getColorDepth?(env?: object): number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables by which terminals say which they are, and what those take. */
const terminals: readonly (readonly [variable: string, value: RegExp, protocol: Protocol])[] = [
  ['TERM', /^xterm-(kitty|ghostty)$/, 'kitty'],
  ['TERM', /^(foot|mlterm|contour|yaft)\b/, 'sixel'],
  ['TERM_PROGRAM', /^ghostty$/, 'kitty'],
  ['TERM_PROGRAM', /^(iTerm\.app|WezTerm)$/, 'iterm2'],
  ['TERM_PROGRAM', /^mintty$/, 'sixel'],
  ['LC_TERMINAL', /^iTerm2$/, 'iterm2'],
];

/** From this version on Konsole takes sixel. */
const konsole = 220400;

/** What is between a program and its terminal, and passes on text only. */
const isMultiplexed = ({ TMUX, STY, TERM = '' }: Environment): boolean =>
  Boolean(TMUX || STY) || /^(tmux|screen)/.test(TERM);

/**
 * How pictures are written to a screen; undefined where they are not: into files and pipes, for terminals without colours and for
 * those who want none (NO_COLOR). The terminal is not asked, for some never answer.
 */
export function protocolFor(
  screen: Screen,
  env: Environment,
  asked: 'auto' | 'none' | Protocol = 'auto',
): Protocol | undefined {
  if (asked !== 'auto') return asked === 'none' ? undefined : asked;
  if (!screen.isTTY || env.NO_COLOR || env.TERM === 'dumb') return undefined;
  if (!isMultiplexed(env)) {
    for (const [variable, value, protocol] of terminals) if (value.test(env[variable] ?? '')) return protocol;
    // Programs that are started from Konsole hand its version on.
    if (Number(env.KONSOLE_VERSION) >= konsole && !env.TERM_PROGRAM) return 'sixel';
  }
  return (screen.getColorDepth?.(env) ?? 1) >= 8 ? 'blocks' : undefined;
}
