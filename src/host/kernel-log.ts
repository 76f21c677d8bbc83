/**
 * OOM kills, from the kernel log.
 *
 *     3,1204,4951206311,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=web,mems_allowed=0,
 *         oom_memcg=/bulkhead/u1001,task_memcg=/bulkhead/u1001,task=php,pid=4711,uid=1001
 *     3,1205,4951206390,-;Memory cgroup out of memory: Killed process 4711 (php) total-vm:157464kB, anon-rss:120340kB,
 *         file-rss:9216kB, shmem-rss:0kB, UID:1001 pgtables:344kB oom_score_adj:0
 *
 * A tenant may choose three parts, which may contain commas and equals signs: the name of a cpuset delegated to it, the
 * path below its own cgroup, and the task name. A cgroup name cannot contain a slash, and every path begins with one,
 * so the first `,oom_memcg=/` is the kernel's. The path after it can be trusted if only root can create that cgroup, so
 * it must be compared as a whole. The fields after the task are parsed from the end. So are the fields of the second
 * record, whose task name is shorter than they are. A line that a program wrote to the log starts with its facility
 * number.
 *
 * Source: mm/oom_kill.c, dump_oom_summary() and __oom_kill_process(); Documentation/ABI/testing/dev-kmsg.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { KilledProcess } from '../usage/incident.ts';
import { errnoOf } from '../../packages/base/io/errno.ts';
import { seekEnd } from '../sys/syscalls.ts';
import { printable } from '../../packages/base/printable.ts';

export interface OomKill extends KilledProcess {
  /** Path of the cgroup whose limit was hit, from the root of the hierarchy: `/bulkhead/u1001`. */
  readonly cgroup: string;
}

/** A record is at most this long. */
const recordBytes = 8192;
/** More than a log of 16 MiB has: the last records matter. */
const recordsMax = 500_000;

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

  /** Returns the OOM kills logged since the last call. */
  oomKills(): readonly OomKill[] {
    const records: string[] = [];
    for (let record = 0; record < recordsMax; record++) {
      const text = this.#next();
      if (text === undefined) break;
      if (mayBeOfKill(text)) records.push(text);
    }
    return oomKillsIn(records);
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

const mayBeOfKill = (record: string) =>
  record.includes(';oom-kill:') || record.includes('Killed process ');

/** Returns the kills, each with its resident memory if the record of the process's end follows. */
export function oomKillsIn(records: readonly string[]): readonly OomKill[] {
  const kills: OomKill[] = [];
  for (const record of records) {
    const kill = parseOomKill(record);
    if (kill !== undefined) kills.push(kill);
    const end = kill === undefined ? parseKilled(record) : undefined;
    const last = kills.at(-1);
    if (end === undefined || last === undefined || last.pid !== end.pid) continue;
    kills[kills.length - 1] = { ...last, memoryBytes: end.memoryBytes };
  }
  return kills;
}

/** Returns the text of a record of the kernel itself: facility 0. */
function kernelLine(record: string): string | undefined {
  const start = record.indexOf(';');
  if (!(Number.parseInt(record, 10) < 8) || start < 0) return undefined;
  return record.slice(start + 1).split('\n')[0];
}

const killedStart = /^(?:Memory cgroup out of memory: )?Killed process (\d{1,10}) \(/;
const killedEnd =
  /\) total-vm:\d+kB, anon-rss:(\d{1,15})kB, file-rss:(\d{1,15})kB, shmem-rss:(\d{1,15})kB(?:, UID:\d+ pgtables:\d+kB oom_score_adj:-?\d+)?$/;

function parseKilled(record: string): Required<Pick<OomKill, 'pid' | 'memoryBytes'>> | undefined {
  const line = kernelLine(record) ?? '';
  const start = killedStart.exec(line);
  const end = killedEnd.exec(line);
  if (start === null || end === null) return undefined;
  const kilobytes = end.slice(1, 4).reduce((sum, each) => sum + Number(each), 0);
  return { pid: Number(start[1]), memoryBytes: kilobytes * 1024 };
}

export function parseOomKill(record: string): OomKill | undefined {
  const line = kernelLine(record);
  if (line?.startsWith('oom-kill:') !== true) return undefined;
  const end = /,pid=(\d+),uid=\d+$/.exec(line);
  const start = /^oom-kill:constraint=[A-Z_]+,.*?,oom_memcg=(\/.*?),task_memcg=\/.*?,task=/.exec(
    line,
  );
  if (end === null || start === null) return undefined;
  const name = printable(line.slice(start[0].length, end.index));
  return { pid: Number(end[1]), name, cgroup: unescaped(start[1] ?? '') };
}

/** Decodes backslashes, which the log writes as `\x5c`, as in the name of a site's slice. */
const unescaped = (text: string) =>
  text.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
