/**
 * How many commands of a tenant `bulkhead exec --entry` lets run at once: `/run/bulkhead/entries/`.
 *
 *     1001/limit   20: what the launcher reads; only for tenants whose entries are limited
 *     1001/lock    held by launchers, one after another
 *     1001/1 …     slots, written by the launcher: process id and start time of who took it last
 *     .limits      all limits, to see what has changed
 *
 * No slot is ever given back: it is free when the process that took it has ended.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { unlimited } from '../base/quantity.ts';
import { failed, type Problem } from '../base/problem.ts';
import { ok, type Result } from '../base/result.ts';
import type { LimitKey } from '../limits/limit.ts';
import type { Tenant } from '../policy/policy.ts';
import { causeOf } from '../sys/errno.ts';
import { readText } from '../sys/files/read.ts';
import { replaceFile } from '../sys/files/replace-file.ts';

const attribute: LimitKey = 'entries.limit';

/** For the holder of the instance's lock. `runtime` is a directory of root's. */
export function publishEntries(runtime: string, tenants: readonly Tenant[]): Result<void, Problem> {
  const directory = `${runtime}/entries`;
  const limits = limitsOf(tenants);
  const text = [...limits].map(([uid, limit]) => `${uid} ${limit}\n`).join('');
  const before = readText(`${directory}/.limits`);
  if (before === text) return ok(undefined);
  try {
    const was = before === undefined ? leftovers(directory) : parseLimits(before);
    if (was.size === 0 && limits.size === 0) return ok(undefined);
    // It is written last, so that what was interrupted is done again.
    rmSync(`${directory}/.limits`, { force: true });
    for (const uid of was.keys()) if (!limits.has(uid)) forget(directory, uid);
    for (const [uid, limit] of limits) {
      if (was.get(uid) === limit) continue;
      mkdirSync(`${directory}/${uid}`, { recursive: true, mode: 0o700 });
      const written = replaceFile(`${directory}/${uid}/limit`, `${limit}\n`, 0o600);
      if (!written.ok) return written;
    }
  } catch (error) {
    return failed({ action: 'write', object: directory, ...causeOf(error) });
  }
  return replaceFile(`${directory}/.limits`, text, 0o600);
}

export function withdrawEntries(runtime: string): void {
  rmSync(`${runtime}/entries`, { recursive: true, force: true });
}

function limitsOf(tenants: readonly Tenant[]): ReadonlyMap<number, number> {
  return new Map(
    tenants.flatMap(({ uid, values }) => {
      const limit = values[attribute];
      return limit === undefined || limit === unlimited ? [] : [[uid, limit] as const];
    }),
  );
}

const parseLimits = (text: string): ReadonlyMap<number, number> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [uid, limit] = line.split(' ').map(Number);
        return [uid ?? 0, limit ?? 0] as const;
      }),
  );

/** Of an apply that was interrupted: limits that are to be written again. */
const leftovers = (directory: string): ReadonlyMap<number, number> =>
  new Map(existsSync(directory) ? readdirSync(directory).map((name) => [Number(name), 0]) : []);

const forget = (directory: string, uid: number) =>
  rmSync(`${directory}/${uid}`, { recursive: true, force: true });
