/**
 * Finds the PHP-FPM pool from which a tenant's process came. A worker holds the socket at which its pool listens, and
 * its children have it among their ancestors. Process titles such as `php-fpm: pool NAME` prove nothing: scripts can
 * change them.
 */
import type { Origins } from '../../host/entry-paths/entry-paths.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { statusValue } from '../../sys/processes/process-status.ts';
import type { Pool } from '../core/fpm/pools.ts';
import { readListeners } from './listeners.ts';
import { findWebPrograms } from './find-programs.ts';
import { readFpm, type WebPrograms } from './servers.ts';

/** Deeper than a program of a program of a script. */
const ancestorsMax = 64;

export const poolOrigins: Origins = async (processes) => {
  // Others may see neither its configuration nor who holds a socket.
  if (process.geteuid?.() !== 0) return new Map();
  const workers = workersOf(await readPools(findWebPrograms()), '/proc');
  return new Map(
    processes.flatMap(({ pid, uid }) => {
      const pool = poolOfProcess(pid, uid, workers, '/proc');
      return pool === undefined ? [] : [[pid, `pool ${pool}`] as const];
    }),
  );
};

type NamedPool = Pick<Pool, 'name' | 'address'>;

async function readPools({ fpm }: Pick<WebPrograms, 'fpm'>): Promise<readonly NamedPool[]> {
  const read = await Promise.all(fpm.map(readFpm));
  return read.flatMap(({ pools }) => pools);
}

interface Worker {
  readonly uid: number;
  readonly pool: string;
}

/** Returns workers by pid. A process that holds sockets of several pools is a master, and is left out. */
export function workersOf(pools: readonly NamedPool[], proc: string): ReadonlyMap<number, Worker> {
  const listening = pools.flatMap(({ name, address }) =>
    address === undefined ? [] : [{ name, address }],
  );
  const at = readListeners(
    proc,
    listening.map(({ address }) => address),
  );
  const holders = listening.flatMap(({ name, address }) =>
    at(address).map(({ pid, uid }) => ({ pid, uid, pool: name })),
  );
  const byPid = Map.groupBy(holders, ({ pid }) => pid);
  return new Map(
    [...byPid].flatMap(([pid, [first, ...others]]) =>
      first === undefined || others.length > 0 ? [] : [[pid, first] as const],
    ),
  );
}

/** Returns the pool of the process itself, or of its nearest ancestor that is a worker with the same uid. */
export function poolOfProcess(
  pid: number,
  uid: number,
  workers: ReadonlyMap<number, Worker>,
  proc: string,
): string | undefined {
  let next = pid;
  for (let depth = 0; depth < ancestorsMax && next > 1; depth++) {
    const worker = workers.get(next);
    if (worker?.uid === uid) return worker.pool;
    const status = readText(`${proc}/${next}/status`);
    if (status === undefined) return undefined;
    next = Number(statusValue(status, 'PPid') ?? 0);
  }
  return undefined;
}
