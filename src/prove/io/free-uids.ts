/** Finds uids that nobody has on this host. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { PolicyDocument } from '../../policy/document.ts';
import type { Policy } from '../../policy/policy.ts';
import { openProcess } from '../../sys/processes/pidfd.ts';
import { statusValue } from '../../sys/processes/process-status.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { freeUids, idsIn, subordinateRanges, type Taken } from '../core/uids.ts';

/** The maximum number of rounds; each asks the directory service about further uids. */
const roundsMax = 50;

export interface PolicyInForce {
  readonly policy: Policy;
  readonly document: PolicyDocument;
}

export function findFreeUids(
  paths: Paths,
  inForce: PolicyInForce | undefined,
  count: number,
  from: number | undefined,
): Result<number, Problem> {
  const taken = [...takenByAccounts(paths), ...takenByPolicy(inForce), ...takenByProcesses(paths)];
  for (let round = 1; round <= roundsMax; round++) {
    const first = freeUids(taken, count, from);
    if (first === undefined) break;
    const inDirectory = takenByDirectory(first, count);
    if (inDirectory.length === 0) return ok(first);
    taken.push(...inDirectory);
  }
  return failed({
    action: 'find uids that nobody has',
    reason: 'accounts, /etc/subuid and the policy take all that were looked at',
  });
}

/** Returns the uids and gids in this range that a directory service has, which no file shows. */
function takenByDirectory(first: number, count: number): Taken {
  const uids = Array.from({ length: count }, (_, at) => String(first + at));
  return ['passwd', 'group'].flatMap((database) => idsIn(getent(database, uids)));
}

/** Runs getent. Exit status 2 means that one of them is unknown; the others are printed anyway. */
function getent(database: string, ids: readonly string[]): string {
  const { stdout } = spawnSync('getent', [database, '--', ...ids], {
    encoding: 'utf8',
    timeout: 30_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return stdout ?? '';
}

function takenByAccounts({ etc }: Paths): Taken {
  const text = (name: string) => readText(`${etc}/${name}`) ?? '';
  return [
    ...['passwd', 'group'].flatMap((name) => idsIn(text(name))),
    ...['subuid', 'subgid'].flatMap((name) => subordinateRanges(text(name))),
  ];
}

function takenByPolicy(inForce: PolicyInForce | undefined): Taken {
  if (inForce === undefined) return [];
  const { policy, document } = inForce;
  const named = [...policy.tenants, ...policy.resellers].map(({ uid }) => ({
    first: uid,
    last: uid,
  }));
  const ranges = document.tenantRanges.flatMap(({ uids }) => uids.map(({ value }) => value));
  return [...named, ...ranges];
}

function takenByProcesses({ proc }: Paths): Taken {
  const uids = new Set<number>();
  for (const name of readdirSync(proc)) if (/^\d+$/.test(name)) addUids(Number(name), uids);
  return [...uids].map((uid) => ({ first: uid, last: uid }));
}

function addUids(pid: number, uids: Set<number>): void {
  const opened = openProcess(pid);
  if (!opened.ok) return;
  using process = opened.value;
  const status = process.read('status');
  // A process that has ended and is not reaped yet needs no uid.
  if (!status.ok || statusValue(status.value, 'State')?.startsWith('Z') === true) return;
  for (const uid of (statusValue(status.value, 'Uid') ?? '').split('\t')) uids.add(Number(uid));
}
