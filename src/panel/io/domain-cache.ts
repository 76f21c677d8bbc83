/**
 * The main domain of each account, as `panel sync` read it last, in /run/bulkhead/panel-domains.json. Commands that
 * are run every few seconds need not read thousands of files of the panel for that.
 */
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import { parseObject } from '../../../packages/base/json.ts';
import type { Paths } from '../../host/paths.ts';
import type { PanelData } from '../core/panel-data.ts';

/** The agent has it read every five minutes; without the agent it is soon too old. */
const freshMilliseconds = 11 * 60_000;
const bytesMax = 64 * 2 ** 20;

const pathOf = ({ runtime }: Pick<Paths, 'runtime'>): string => `${runtime}/panel-domains.json`;

type Domain = readonly [uid: number, name: string];

export const mainDomainsIn = ({ accounts }: Pick<PanelData, 'accounts'>): readonly Domain[] =>
  accounts.flatMap(({ uid, domains: [main] }) => (main ? [[uid, main.name] as const] : []));

/** Keeps the domains of a whole reading. If that fails, they are read from the panel the next time. */
export function keepDomains(paths: Pick<Paths, 'runtime'>, data: PanelData, now: number): void {
  if (data.isPartial) return;
  const domains = mainDomainsIn(data);
  replaceStateFile(pathOf(paths), `${JSON.stringify({ readAt: now, domains })}\n`);
}

/** Returns the domains that were kept; undefined if they are too old, or cannot be read. */
export function keptDomains(
  paths: Pick<Paths, 'runtime'>,
  now: number,
): readonly Domain[] | undefined {
  const read = readBounded(pathOf(paths), bytesMax, { links: 'refuse' });
  const found = read.ok ? parseObject(decodeText(read.value)) : undefined;
  const readAt = found?.['readAt'];
  const domains = found?.['domains'];
  if (typeof readAt !== 'number' || Math.abs(now - readAt) > freshMilliseconds) return undefined;
  return Array.isArray(domains) && domains.every(isDomain) ? domains : undefined;
}

const isDomain = (value: unknown): value is Domain =>
  Array.isArray(value) && typeof value[0] === 'number' && typeof value[1] === 'string';
