/**
 * Whom the kernel ended for want of memory, from its log.
 *
 *     3,1204,4951206311,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=web,mems_allowed=0,
 *         oom_memcg=/bulkhead/u1001,task_memcg=/bulkhead/u1001,task=php,pid=4711,uid=1001
 *
 * Three parts may be of a tenant's choosing and hold commas and equals signs: the name of a cpuset (of one
 * that was delegated to it), what is below its own cgroup in a path, and the name of the task. No
 * name of a cgroup holds a slash, and every path begins with one, so the first `,oom_memcg=/` is the kernel's.
 * What is read behind it is true where it is a cgroup that only root could make, which is why it must be
 * compared as a whole. What follows the task is read from the end.
 *
 * Source: mm/oom_kill.c, dump_oom_summary(); Documentation/ABI/testing/dev-kmsg.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { KilledProcess } from '../usage/incident.ts';
import { errnoOf } from '../sys/errno.ts';
import { seekEnd } from '../sys/syscalls.ts';
import { printable } from '../base/printable.ts';

export interface OomKill extends KilledProcess {
  /** Path of the cgroup whose limit was hit, from the top of the hierarchy: `/bulkhead/u1001`. */
  readonly cgroup: string;
}

/** A record is at most this long. */
const recordBytes = 8192;
/** The log of a busy host is longer than what one look should read. */
const recordsMax = 5000;

export class KernelLog implements Disposable {
  readonly #fd: number | undefined;
  readonly #buffer = Buffer.alloc(recordBytes);

  /** Begins at the end of the log: what happened before is not ours to tell. */
  constructor(path = '/dev/kmsg') {
    this.#fd = openLog(path);
  }

  get readable(): boolean {
    return this.#fd !== undefined;
  }

  /** What was logged since the last time. */
  oomKills(): readonly OomKill[] {
    const kills: OomKill[] = [];
    for (let record = 0; record < recordsMax; record++) {
      const text = this.#next();
      if (text === undefined) break;
      const kill = parseOomKill(text);
      if (kill !== undefined) kills.push(kill);
    }
    return kills;
  }

  #next(): string | undefined {
    if (this.#fd === undefined) return undefined;
    try {
      return this.#buffer.toString('utf8', 0, readSync(this.#fd, this.#buffer));
    } catch (error) {
      // EPIPE: records were overwritten before they were read; the next one is there.
      return errnoOf(error) === 'EPIPE' ? '' : undefined;
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

function openLog(path: string): number | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    seekEnd(fd);
    return fd;
  } catch {
    return undefined;
  }
}

export function parseOomKill(record: string): OomKill | undefined {
  const line = record.slice(record.indexOf(';') + 1).split('\n')[0] ?? '';
  if (!line.startsWith('oom-kill:')) return undefined;
  const end = /,pid=(\d+),uid=\d+$/.exec(line);
  const start = /^oom-kill:constraint=[A-Z_]+,.*?,oom_memcg=(\/.*?),task_memcg=\/.*?,task=/.exec(
    line,
  );
  if (end === null || start === null) return undefined;
  const name = printable(line.slice(start[0].length, end.index));
  return { pid: Number(end[1]), name, cgroup: start[1] ?? '' };
}
