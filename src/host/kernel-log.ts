/**
 * OOM kills, from the kernel log.
 *
 *     3,1204,4951206311,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=web,mems_allowed=0,
 *         oom_memcg=/bulkhead/u1001,task_memcg=/bulkhead/u1001,task=php,pid=4711,uid=1001
 *
 * A tenant may choose three parts, which may contain commas and equals signs: the name of a cpuset (of one
 * that was delegated to it), the path below its own cgroup, and the name of the task. A cgroup name
 * cannot contain a slash, and every path begins with one, so the first `,oom_memcg=/` is the kernel's. The
 * path after it can be trusted if it is that of a cgroup that only root can create, so it must be compared
 * as a whole. The fields after the task are parsed from the end.
 *
 * Source: mm/oom_kill.c, dump_oom_summary(); Documentation/ABI/testing/dev-kmsg.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { KilledProcess } from '../usage/incident.ts';
import { errnoOf } from '../sys/errno.ts';
import { seekEnd } from '../sys/syscalls.ts';
import { printable } from '../base/printable.ts';

export interface OomKill extends KilledProcess {
  /** Path of the cgroup whose limit was hit, from the root of the hierarchy: `/bulkhead/u1001`. */
  readonly cgroup: string;
}

/** A record is at most this long. */
const recordBytes = 8192;
/** The maximum number of records read at once; the log of a busy host is longer. */
const recordsMax = 5000;

export class KernelLog implements Disposable {
  readonly #fd: number | undefined;
  readonly #buffer = Buffer.alloc(recordBytes);

  /** Starts at the end of the log: earlier events are not reported. */
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
      // EPIPE: records were overwritten before they were read; the next one is available.
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
  return { pid: Number(end[1]), name, cgroup: unescaped(start[1] ?? '') };
}

/** A backslash, as in the name of the slice of a site, is `\x5c` there. */
const unescaped = (text: string) =>
  text.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
