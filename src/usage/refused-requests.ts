/** The requests that a web server refused, in words: for which pages, and from whom. */
import { count, listSome } from '../base/list.ts';
import type { RefusedRequest, Snapshot } from './incident.ts';
import { cut } from './top-users.ts';

const shownMax = 3;

/** `showUrls`: for root and the tenant alone, as command lines are. Empty where no request is known. */
export function refusedRequests(evidence: readonly Snapshot[], showUrls: boolean): string {
  const all = evidence.flatMap(({ requests = [] }) => requests);
  if (all.length === 0) return '';
  const sites = counted(all, ({ site }) => site);
  if (!showUrls) return `${known(all)}, by site: ${listed(sites)}.`;
  const pages = counted(all, ({ method, site, url }) => `${method} ${site}${pathOf(url)}`);
  const clients = counted(all, ({ client }) => client);
  return `${known(all)}: ${listed(pages)}; from ${count(clients.length, 'address', 'addresses')}: ${listed(clients)}.`;
}

const known = (all: readonly RefusedRequest[]) =>
  `More is known of ${count(all.length, 'request')}`;

/** Without the query, in which the same page differs from request to request. */
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
