/**
 * How the agent sees the clients of servers, for commands to show. It counts only while the agent runs.
 *
 *     /run/bulkhead/database-peers
 *     {"reason":null,"pids":[812]}
 */
import { rmSync } from 'node:fs';
import { parseObject } from '../../../../packages/base/json.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { replaceStateFile } from '../../../../packages/base/io/replace-file.ts';
import { agentLock, type Paths } from '../../../host/paths.ts';
import { isLocked } from '../../../sys/files/flock.ts';
import type { SeenBy } from '../../core/peers/seen-by.ts';

export interface PeersRecord {
  /** Why the kernel does not show them; null if it does. */
  readonly reason: string | null;
  /** The servers' processes. */
  readonly pids: readonly number[];
}

const recordFile = ({ runtime }: Paths) => `${runtime}/database-peers`;

/** Nothing but what commands show depends on it, so a failure is none. */
export function writePeersRecord(paths: Paths, record: PeersRecord | undefined): void {
  if (record === undefined) rmSync(recordFile(paths), { force: true });
  else replaceStateFile(recordFile(paths), JSON.stringify(record));
}

/** Returns how the agent sees the clients of a server's process. */
export function seenBy(paths: Paths, pid: number | undefined): SeenBy {
  const record = isLocked(agentLock(paths)) ? readRecord(paths) : undefined;
  if (record === undefined)
    return { by: 'accounts', reason: 'the agent tries the kernel once a tenant has a limit' };
  if (record.reason !== null) return { by: 'accounts', reason: record.reason };
  if (pid === undefined || !record.pids.includes(pid))
    return {
      by: 'accounts',
      reason: 'only known processes of MariaDB and MySQL are seen by sockets',
    };
  return { by: 'socket' };
}

function readRecord(paths: Paths): PeersRecord | undefined {
  const value = parseObject(readText(recordFile(paths)) ?? '');
  const { reason, pids } = value ?? {};
  if (!Array.isArray(pids) || (reason !== null && typeof reason !== 'string')) return undefined;
  return { reason, pids: pids.filter((each) => typeof each === 'number') };
}
