/**
 * Describes refusals at the entries limit: requests to a web server, with pages and clients, and commands of `bulkhead
 * exec --entry`.
 */
import { count, listSome } from '../../packages/base/list.ts';
import type { LimitKey } from '../limits/limit.ts';
import type { RefusedRequest, Snapshot } from './incident.ts';
import { cut } from './top-users.ts';

const shownMax = 3;

/** Whether it is a command, as the launcher reports it. */
export const isCommand = ({ method }: RefusedRequest) => method === 'exec';

export type RefusedKind = 'request' | 'command' | 'request or command';

const allOf = (evidence: readonly Snapshot[]) => evidence.flatMap(({ requests = [] }) => requests);

/** Returns the kind of the refusals, as far as known. */
export function refusedKind(evidence: readonly Snapshot[]): RefusedKind {
  const all = allOf(evidence);
  if (!all.some(isCommand)) return 'request';
  return all.every(isCommand) ? 'command' : 'request or command';
}

const notStarted =
  'commands of "bulkhead exec --entry" were not started: whoever started them saw the exit status 75, which means to try again later.';

/** Describes the effects, if commands are known to be among the refusals. */
export function refusedNotice(
  { limit }: { readonly limit: LimitKey },
  evidence: readonly Snapshot[],
): string | undefined {
  const kind = refusedKind(evidence);
  if (limit !== 'entries.limit' || kind === 'request') return undefined;
  if (kind === 'command') return `The ${notStarted} What was running went on.`;
  return `The web server answered requests with the status 508 and a page that says that the site is busy, and ${notStarted} What was running went on.`;
}

/** Describes the refusals. `showUrls`: only for root and the tenant, like command lines. Empty if none is known. */
export function refusedRequests(evidence: readonly Snapshot[], showUrls: boolean): string {
  const all = allOf(evidence);
  const commands = all.filter(isCommand);
  const requests = all.filter((each) => !isCommand(each));
  return [requestsText(requests, showUrls), commandsText(commands, showUrls)]
    .filter((each) => each !== '')
    .join(' ');
}

function requestsText(all: readonly RefusedRequest[], showUrls: boolean): string {
  if (all.length === 0) return '';
  const known = `More is known of ${count(all.length, 'request')}`;
  const sites = counted(all, ({ site }) => site);
  if (!showUrls) return `${known}, by site: ${listed(sites)}.`;
  const pages = counted(all, ({ method, site, url }) => `${method} ${site}${pathOf(url)}`);
  const clients = counted(all, ({ client }) => client);
  return `${known}: ${listed(pages)}; from ${count(clients.length, 'address', 'addresses')}: ${listed(clients)}.`;
}

function commandsText(all: readonly RefusedRequest[], showNames: boolean): string {
  if (all.length === 0) return '';
  if (!showNames)
    return `${count(all.length, 'command')} of them ${all.length === 1 ? 'was' : 'were'} not started.`;
  const names = counted(all, ({ url }) => (url === '' ? 'a command with an odd name' : url));
  return `Not started: ${listed(names)}.`;
}

/** Returns a URL without its query, in which the same page differs from request to request. */
const pathOf = (url: string) => url.replace(/\?.*$/s, '');

type Counted = readonly (readonly [text: string, count: number])[];

function counted(
  requests: readonly RefusedRequest[],
  textOf: (request: RefusedRequest) => string,
): Counted {
  const groups = Map.groupBy(requests, textOf);
  return [...groups]
    .map(([text, { length }]) => [text, length] as const)
    .sort(([, a], [, b]) => b - a);
}

const listed = (groups: Counted) =>
  listSome(
    groups.map(([text, number]) => `${cut(text, 120)} (${number})`),
    shownMax,
  );
