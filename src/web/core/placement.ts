/**
 * Whether what a site runs is in its tenant's cgroup from its first instruction, by what is seen of the processes
 * that listen for it: a process begins in the cgroup of the one that forks it.
 *
 *     master in the tenant's cgroup                    at source
 *     master outside, workers run as the tenant        caught: the agent moves a worker after it has started
 *     workers run as somebody else                     not covered
 */
import { isLoopback, formatAddress, type Address } from './address.ts';
import type { AccountFacts, Listener } from './facts.ts';
import type { OwnerAnswer } from './owner.ts';
import type { PoolIndex } from './fpm/pools.ts';
import type { Handler, ServerSite } from './site.ts';

/** Placements, the worst first. */
const placements = [
  'not covered',
  'unknown',
  'caught',
  'not running',
  'at source',
  'nothing to place',
] as const;

type PlacedKind = (typeof placements)[number];

/** The processes that serve a site now. */
export interface ServingProcesses {
  /** The number of processes whose parent is not among them. */
  readonly masters: number;
  /** The number of those in the tenant's cgroup. */
  readonly mastersInside: number;
  /** The number of all other processes. */
  readonly workers: number;
  /** The number of those in the tenant's cgroup. */
  readonly workersInside: number;
}

export interface Placed {
  /** How well it is placed. */
  readonly kind: PlacedKind;
  /** The reason, for people. */
  readonly reason: string;
  /** Advice: how to get it into its tenant's cgroup. */
  readonly remedy?: string;
  /** The processes that were seen; absent if none were. */
  readonly seen?: ServingProcesses;
}

/** Returns the worst placement of all that a site runs. */
export function placedOf(
  site: ServerSite,
  owner: OwnerAnswer | undefined,
  pools: PoolIndex,
  facts: AccountFacts,
): Placed {
  if (owner === undefined) return nothing("it is not a tenant's");
  const all = site.handlers.map((each) => placedHandler(each, site, owner.uid, pools, facts));
  const worst = placements.map((kind) => all.find((each) => each.kind === kind));
  return worst.find((each) => each !== undefined) ?? nothing('the web server itself serves files');
}

const nothing = (reason: string): Placed => ({ kind: 'nothing to place', reason });

function placedHandler(
  handler: Handler,
  site: ServerSite,
  uid: number,
  pools: PoolIndex,
  facts: AccountFacts,
): Placed {
  switch (handler.kind) {
    case 'other':
      return nothing('the web server itself answers');
    case 'cgi':
    case 'module':
    case 'wrapper':
      return placedByServer(handler, site, uid, facts);
    case 'external':
      return facts.uidOf(handler.user) === uid
        ? caught(uid, facts, undefined)
        : runsAs(handler, accountText(handler.user, facts));
    case 'fastcgi':
    case 'proxy':
      return handler.address === undefined
        ? { kind: 'unknown', reason: 'a variable names where requests go' }
        : placedAt(targetOf(handler.kind, handler.address, pools), uid, facts);
  }
}

const remedies = {
  cgi: 'SuexecUserGroup makes it run as its owner',
  module: 'use PHP-FPM with a pool whose user is its owner',
  wrapper: 'use PHP-FPM with a pool whose user is its owner',
  external: 'give the virtual host an extProcessor of its own, with its owner as extUser',
  fastcgi: 'give it a pool whose user is its owner',
  proxy: 'start it with "bulkhead exec"',
} as const;

type External = Extract<Handler, { readonly kind: 'external' }>;
type ByServer = Extract<Handler, { readonly kind: 'cgi' | 'module' | 'wrapper' }>;

/** Returns the placement of programs that the server starts, and of code in its own processes. */
function placedByServer(
  handler: ByServer,
  site: ServerSite,
  uid: number,
  facts: AccountFacts,
): Placed {
  const { kind } = handler;
  const user = userOf(handler, site);
  // Without a user in its configuration, suPHP takes the owner of the script.
  if (kind === 'wrapper' && user === undefined) return caught(uid, facts, undefined);
  if (user === undefined || facts.uidOf(user.name) !== uid) {
    const account = user === undefined ? "the web server's own user" : `"${user.name}"`;
    return runsAs(handler, account);
  }
  const placed = caught(uid, facts, undefined);
  if (user.by !== 'SuexecUserGroup' || kind !== 'cgi' || facts.isInside(uid, '') === undefined)
    return placed;
  return facts.placesSuexec === true
    ? { kind: 'at source', reason: "bulkhead-suexec starts it in the tenant's cgroup" }
    : { ...placed, remedy: 'run "bulkhead web suexec enable"' };
}

const runsAs = ({ kind, text }: ByServer | External, account: string): Placed => ({
  kind: 'not covered',
  reason: `${text} runs as ${account}`,
  remedy: remedies[kind],
});

/** An owner of a directory has a number in place of a name: `#1001`. */
const accountText = (user: string, { nameOf }: AccountFacts): string =>
  user.startsWith('#') ? nameOf(Number(user.slice(1))) : `"${user}"`;

/**
 * Returns the user that a directive gives to a handler: mpm-itk and mod_ruid2 change the user of the whole request, suEXEC that
 * of programs which the server starts.
 */
function userOf({ kind, text }: ByServer, { runsAs }: ServerSite) {
  if (runsAs === undefined) return undefined;
  const changes: Readonly<Record<typeof runsAs.by, boolean>> = {
    AssignUserID: true,
    RUidGid: true,
    SuexecUserGroup: kind === 'cgi' || text === 'mod_lsapi',
    suPHP_UserGroup: text === 'suPHP',
  };
  return changes[runsAs.by] ? { by: runsAs.by, name: runsAs.user } : undefined;
}

/** The target of requests, and the uid of the pool there, if it is one. */
interface Target {
  readonly kind: 'fastcgi' | 'proxy';
  readonly address: Address;
  readonly poolUid: number | undefined;
}

const targetOf = (kind: Target['kind'], address: Address, pools: PoolIndex): Target => ({
  kind,
  address,
  poolUid: pools.at(address)?.uid,
});

function placedAt(target: Target, uid: number, facts: AccountFacts): Placed {
  const { address, poolUid } = target;
  const holders = facts.listenersAt(address);
  // A socket that systemd holds for a service that has not been started yet.
  const listeners = holders.filter(({ pid }) => pid !== 1);
  if (listeners.length === 0) {
    const isHeld = holders.length > 0 && facts.heldFor?.(address) === uid;
    return isHeld ? idle : notSeen(target, uid, facts);
  }
  const pids = new Set(listeners.map(({ pid }) => pid));
  const isMaster = ({ ppid }: Listener) => !pids.has(ppid);
  const isInside = ({ cgroups }: Listener) => facts.isInside(uid, cgroups) === true;
  const masters = listeners.filter(isMaster);
  const workers = listeners.filter((each) => !isMaster(each));
  const seen: ServingProcesses = {
    masters: masters.length,
    mastersInside: masters.filter(isInside).length,
    workers: workers.length,
    workersInside: workers.filter(isInside).length,
  };
  if (seen.mastersInside === seen.masters && seen.workersInside === seen.workers) {
    return { kind: 'at source', reason: "what serves it is in the tenant's cgroup", seen };
  }
  const others = [...new Set(listeners.map((each) => each.uid))].filter((each) => each !== uid);
  const runsAsOwner = poolUid === undefined ? others.length === 0 : poolUid === uid;
  if (runsAsOwner) return caught(uid, facts, seen);
  return { ...runsElsewhere(target, poolUid ?? others[0] ?? 0, facts), seen };
}

const idle: Placed = {
  kind: 'at source',
  reason: "it is idle: with a request systemd starts its service in the tenant's cgroup",
};

function runsElsewhere({ kind }: Target, uid: number, facts: AccountFacts): Placed {
  const reason = `it runs as ${facts.nameOf(uid)}`;
  return { kind: 'not covered', reason, remedy: remedies[kind] };
}

function notSeen(target: Target, uid: number, facts: AccountFacts): Placed {
  const { address, poolUid } = target;
  if (poolUid !== undefined && poolUid !== uid) return runsElsewhere(target, poolUid, facts);
  if (!isLoopback(address))
    return { kind: 'unknown', reason: `nothing here listens at ${formatAddress(address)}` };
  return { kind: 'not running', reason: 'nothing runs that listens for it' };
}

function caught(uid: number, facts: AccountFacts, seen: ServingProcesses | undefined): Placed {
  const what = seen === undefined ? {} : { seen };
  if (facts.isInside(uid, '') === undefined) {
    const reason = 'its tenant has no cgroup';
    return { kind: 'not covered', reason, remedy: 'run "bulkhead apply"', ...what };
  }
  if (facts.agentRuns)
    return { kind: 'caught', reason: 'the agent moves each process after it has started', ...what };
  const reason = 'no agent runs that would move its processes';
  return { kind: 'not covered', reason, remedy: 'start the agent', ...what };
}
