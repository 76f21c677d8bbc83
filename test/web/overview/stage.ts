/** The common part of tests of the overview: sites, pools and facts of a host that are made up. */
import { parseAddress, formatAddress } from '../../../src/web/core/address.ts';
import type { AccountFacts, Listener, PathOwners } from '../../../src/web/core/facts.ts';
import type { Pool } from '../../../src/web/core/fpm/pools.ts';
import { overviewOf, type SiteView } from '../../../src/web/core/overview.ts';
import type { Handler, ServerSite } from '../../../src/web/core/site.ts';

const uids: Readonly<Record<string, number>> = { alice: 1001, bob: 1002, 'www-data': 33, root: 0 };
export const inside = '0::/bulkhead/';

export interface Host {
  readonly owners?: Readonly<Record<string, readonly number[]>>;
  readonly writable?: readonly string[];
  readonly listeners?: Readonly<Record<string, readonly Listener[]>>;
  readonly agentRuns?: boolean;
  readonly applied?: boolean;
  readonly placesSuexec?: boolean;
}

export function factsOf({
  owners = {},
  writable = [],
  listeners = {},
  agentRuns = true,
  applied = true,
  placesSuexec = false,
}: Host): AccountFacts {
  return {
    uidOf: (user) => uids[user],
    nameOf: (uid) => Object.keys(uids).find((each) => uids[each] === uid) ?? `uid ${uid}`,
    isTenant: (uid) => uid === 1001 || uid === 1002,
    ownersOf: (path): PathOwners | undefined => {
      const of = owners[path];
      if (of === undefined) return undefined;
      return { uids: of, writableByOthers: writable.includes(path) };
    },
    listenersAt: (address) => listeners[formatAddress(address)] ?? [],
    isInside: (uid, text) => (applied ? text === `${inside}u${uid}` : undefined),
    agentRuns,
    placesSuexec,
  };
}

export const fastcgi = (text: string): Handler => {
  const address = parseAddress(text);
  return { kind: 'fastcgi', text, ...(address === undefined ? {} : { address }) };
};
export const proxy = (text: string): Handler => ({ ...fastcgi(text), kind: 'proxy' });

export function site(more: Partial<ServerSite> = {}): ServerSite {
  const place = { file: '/etc/nginx/s.conf', line: 1 };
  return {
    server: 'nginx',
    names: ['shop.example'],
    listen: ['80'],
    handlers: [],
    overrides: [],
    ...place,
    ...more,
  };
}

export function pool(more: Partial<Pool> = {}): Pool {
  const user = more.user ?? 'alice';
  const listen = more.listen ?? '/run/php/shop.sock';
  const address = parseAddress(listen);
  const uid = uids[user];
  return {
    name: 'shop',
    php: '8.4',
    pm: 'dynamic',
    childrenMax: 5,
    places: [{ file: '/etc/php/shop.conf', line: 1 }],
    ...(address === undefined ? {} : { address }),
    ...(uid === undefined ? {} : { uid }),
    ...more,
    user,
    listen,
  };
}

export const views = (
  sites: readonly ServerSite[],
  pools: readonly Pool[],
  host: Host = {},
): readonly SiteView[] => overviewOf([], sites, pools, factsOf(host)).sites;

export const master = (uid: number, cgroups: string): Listener => ({
  pid: 100,
  ppid: 1,
  uid,
  cgroups,
});
export const worker = (pid: number, uid: number, cgroups: string): Listener => ({
  pid,
  ppid: 100,
  uid,
  cgroups,
});
export const shop = site({
  handlers: [fastcgi('unix:/run/php/shop.sock')],
  root: '/home/alice/www',
});
