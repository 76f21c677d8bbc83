/**
 * Incidents of the entries limit: requests that a web server refused, with pages and clients, and commands of
 * `bulkhead exec --entry` that were not started.
 */
import { count, listSome } from '../../../../packages/base/list.ts';
import type { EvidenceKind } from '../../../usage/evidence.ts';
import type { IncidentKind } from '../../../usage/incident-kind.ts';
import type { Remedy } from '../../../usage/causes/remedies.ts';
import { cut } from '../../../usage/causes/top-users.ts';
import { refusalLengths } from './refusal.ts';

/** A request that a web server refused. Only root and the tenant see its URL and client. */
export interface RequestEvidence {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The first name of the vhost. */
  readonly site: string;
  /** An address; empty if it is not shown, like method and URL. */
  readonly client: string;
  readonly method: string;
  readonly url: string;
}

const shownMax = 3;
/** Fewer requests do not show whether one address sends most of them. */
const clientsMin = 5;
/** The length to which `printable` may extend a character. */
const printedMax = 8;

export const requestEvidence: EvidenceKind<RequestEvidence> = {
  kind: 'requests',
  fields: {
    at: 'number',
    site: refusalLengths.site * printedMax,
    client: refusalLengths.client * printedMax,
    method: refusalLengths.method * printedMax,
    url: refusalLengths.url * printedMax,
  },
  describe(all, showAll) {
    const commands = all.filter(isCommand);
    const requests = all.filter((each) => !isCommand(each));
    return [requestsText(requests, showAll), commandsText(commands, showAll)]
      .filter((each) => each !== '')
      .join(' ');
  },
  line({ client, method, site, url }) {
    if (method === 'exec') return `the command ${url === '' ? '(an odd name)' : url}, not started`;
    return client === '' ? site : `${method} ${site}${url} from ${client}`;
  },
  redact: (each) => ({ ...each, client: '', method: isCommand(each) ? each.method : '', url: '' }),
};

/** Whether it is a command, as the launcher reports it. */
const isCommand = ({ method }: RequestEvidence) => method === 'exec';

function requestsText(all: readonly RequestEvidence[], showUrls: boolean): string {
  if (all.length === 0) return '';
  const known = `More is known of ${count(all.length, 'request')}`;
  const sites = counted(all, ({ site }) => site);
  if (!showUrls) return `${known}, by site: ${listed(sites)}.`;
  const pages = counted(all, ({ method, site, url }) => `${method} ${site}${pathOf(url)}`);
  const clients = counted(all, ({ client }) => client);
  return `${known}: ${listed(pages)}; from ${count(clients.length, 'address', 'addresses')}: ${listed(clients)}.`;
}

function commandsText(all: readonly RequestEvidence[], showNames: boolean): string {
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
  requests: readonly RequestEvidence[],
  textOf: (request: RequestEvidence) => string,
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

type RefusedKind = 'request' | 'command' | 'request or command';

/** Returns the kind of the refusals, as far as known. */
function refusedKind(all: readonly RequestEvidence[]): RefusedKind {
  if (!all.some(isCommand)) return 'request';
  return all.every(isCommand) ? 'command' : 'request or command';
}

const notStarted =
  'commands of "bulkhead exec --entry" were not started: whoever started them saw the exit status 75, which means to try again later.';

const effects: Readonly<Record<RefusedKind, string | undefined>> = {
  request: undefined,
  command: `The ${notStarted} What was running went on.`,
  'request or command': `The web server answered requests with the status 508 and a page that says that the site is busy, and ${notStarted} What was running went on.`,
};

/** Returns whether one address sent most of the requests; nothing if addresses are not shown. */
function remediesOf(all: readonly RequestEvidence[]): readonly Remedy[] {
  const known = all.filter(({ client }) => client !== '');
  const [most] = counted(known, ({ client }) => client);
  if (most === undefined || known.length < clientsMin) return [];
  return [most[1] > known.length / 2 ? 'one-visitor' : 'many-visitors'];
}

export const entriesIncidents: IncidentKind<RequestEvidence> = {
  limit: 'entries.limit',
  topic: {
    noun: 'entries',
    resource: 'other',
    effect: {
      refused:
        'The web server answered these requests with the status 508 and a page that says that the site is busy. Requests that were being served went on.',
    },
    advice:
      'Look for pages that take long, since each keeps its entry until it is done; for crawlers that send many requests at once; and for a cache in front of pages that are the same for everybody.',
  },
  evidence: requestEvidence,
  happened({ severity, faults }, items) {
    if (severity !== 'refused') return undefined;
    const refused = refusedKind(items);
    return `had ${count(faults, refused, refused.replaceAll(/request|command/g, '$&s'))} refused`;
  },
  effect: (items) => effects[refusedKind(items)],
  remedies: remediesOf,
};
