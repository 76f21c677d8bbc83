/** Everything that serves the sites of this host, each server failing on its own. */
import { realPathOf } from '../../../packages/base/io/read.ts';
import type { Account } from '../../policy/policy.ts';
import type { Address } from '../core/address.ts';
import type { AccountFacts } from '../core/facts.ts';
import { overviewOf, type Overview } from '../core/overview.ts';
import type { NginxHttp } from '../core/nginx/http-level.ts';
import type { Pool } from '../core/fpm/pools.ts';
import { strangersAt } from '../core/fpm/strangers.ts';
import type { ServerSite } from '../core/site.ts';
import { readLiteSpeed } from './litespeed.ts';
import { readListeners } from './listeners.ts';
import { pathOwnersReader } from './path-owners.ts';
import { readPorts } from './ports.ts';
import {
  readApache,
  readFpm,
  readNginx,
  type ReadPools,
  type ReadWeb,
  type WebPrograms,
} from './servers.ts';

/** Facts about tenants that the engine supplies. */
export interface TenantFacts extends Pick<
  AccountFacts,
  'isTenant' | 'isInside' | 'agentRuns' | 'heldFor' | 'placesSuexec'
> {
  readonly proc: string;
  /** Returns the account of a uid, if there is one. */
  readonly userOf: (uid: number) => string | undefined;
  /**
   * Returns the accounts of this host, and the accounts with these names in a directory service.
   */
  readonly accounts: (named: readonly string[]) => readonly Account[];
}

export interface Survey extends Overview {
  /** The http level of nginx, if it is installed and accepts its configuration. */
  readonly nginxHttp?: NginxHttp;
  /** The paths at which Apache's master may have written its process id, if its configuration names one. */
  readonly apachePidFiles?: readonly string[];
}

export async function surveyWeb(programs: WebPrograms, tenancy: TenantFacts): Promise<Survey> {
  const { nginx, apache, liteSpeed, fpm } = programs;
  const [webServers, fpmServers] = await Promise.all([
    Promise.all<ReadWeb>([
      ...(nginx === undefined ? [] : [readNginx(nginx)]),
      ...(apache === undefined ? [] : [readApache(apache)]),
      ...(liteSpeed === undefined ? [] : [readLiteSpeed(liteSpeed)]),
    ]),
    Promise.all(fpm.map(readFpm)),
  ]);
  const sites = webServers.flatMap((each) => each.sites);
  const accounts = accountsNamed(sites, fpmServers, tenancy);
  const pools = fpmServers.flatMap((each) =>
    each.pools.map((pool): Pool => {
      const uid = accounts.uidOf(pool.user);
      return { ...pool, ...(uid === undefined ? {} : { uid }) };
    }),
  );
  const facts: AccountFacts = {
    ...accounts,
    isTenant: tenancy.isTenant,
    isInside: tenancy.isInside,
    agentRuns: tenancy.agentRuns,
    placesSuexec: tenancy.placesSuexec === true,
    ...(tenancy.heldFor === undefined ? {} : { heldFor: tenancy.heldFor }),
    ownersOf: pathOwnersReader(),
    listenersAt: readListeners(tenancy.proc, addressesOf(sites)),
    strangersOf: strangersReader(tenancy, fpm, pools),
  };
  const servers = [...webServers, ...fpmServers].map(({ name, program, problems }) => ({
    name,
    program,
    problems,
  }));
  const http = webServers.find((each) => each.http !== undefined)?.http;
  const pidFiles = webServers.find((each) => each.pidFiles !== undefined)?.pidFiles;
  return {
    ...overviewOf(servers, sites, pools, facts),
    ...(http === undefined ? {} : { nginxHttp: http }),
    ...(pidFiles === undefined ? {} : { apachePidFiles: pidFiles }),
  };
}

function strangersReader(
  { proc, userOf }: TenantFacts,
  programs: WebPrograms['fpm'],
  pools: readonly Pool[],
): NonNullable<AccountFacts['strangersOf']> {
  const ports = readPorts(
    proc,
    pools.flatMap(({ address }) => address ?? []),
  );
  return ({ php, address }) => {
    const program = programs.find((each) => each.php === php)?.program;
    if (program === undefined || address === undefined) return [];
    return strangersAt(address, realPathOf(program) ?? program, ports, userOf);
  };
}

const addressesOf = (sites: readonly ServerSite[]): readonly Address[] =>
  sites.flatMap(({ handlers }) =>
    handlers.flatMap((each) =>
      'address' in each && each.address !== undefined ? [each.address] : [],
    ),
  );

function accountsNamed(
  sites: readonly ServerSite[],
  fpm: readonly ReadPools[],
  tenancy: TenantFacts,
): Pick<AccountFacts, 'uidOf' | 'nameOf'> {
  const users = [
    ...fpm.flatMap((each) => each.pools.map(({ user }) => user)),
    ...sites.flatMap(({ runsAs, handlers }) => [
      ...(runsAs === undefined ? [] : [runsAs.user]),
      ...handlers.flatMap((each) => (each.kind === 'external' ? [each.user] : [])),
    ]),
  ];
  const isName = (user: string) => user !== '' && !/^#?\d+$/.test(user);
  const accounts = tenancy.accounts([...new Set(users.filter(isName))]);
  const uids = new Map(accounts.map(({ user, uid }) => [user, uid]));
  const names = new Map(accounts.toReversed().map(({ user, uid }) => [uid, user]));
  return {
    uidOf: (user) => uids.get(user) ?? (/^#?\d{1,10}$/.test(user) ? digits(user) : undefined),
    nameOf: (uid) => names.get(uid) ?? `uid ${uid}`,
  };
}

/** Parses a uid that Apache writes as `#1001`. */
const digits = (user: string) => Number(user.replace('#', ''));
