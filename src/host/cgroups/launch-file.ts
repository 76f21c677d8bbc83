/**
 * The file in which the launcher finds a tenant's cgroups: `/run/bulkhead/launch`.
 *
 *     launch 1                                    the version of this format
 *     join tasks
 *     root /sys/fs/cgroup/cpu/bulkhead
 *     root /sys/fs/cgroup/memory/bulkhead
 *     slices /sys/fs/cgroup/user.slice            with the systemd driver: the parent of tenants without a reseller
 *     end
 *
 * entry/parse.c reads it.
 */
import { rmSync } from 'node:fs';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { readText } from '../../../packages/base/io/read.ts';

export function publishLaunch(
  runtime: string,
  join: 'tasks' | 'cgroup.procs',
  roots: readonly string[],
  slices?: string,
): Result<void, Problem> {
  const path = `${runtime}/launch`;
  const lines = [
    'launch 1',
    `join ${join}`,
    ...(slices === undefined ? [] : [`slices ${slices}`]),
    ...roots.map((root) => `root ${root}`),
    'end',
  ];
  const text = `${lines.join('\n')}\n`;
  return readText(path) === text ? ok(undefined) : replaceFile(path, text);
}

export interface Launch {
  /** The tenants' directory in each hierarchy. */
  readonly roots: readonly string[];
  /** The parent of tenants that are slices of systemd. */
  readonly slices?: string;
}

/** Returns the contents of the file; undefined if no policy is in force. */
export function readLaunch(runtime: string): Launch | undefined {
  const text = readText(`${runtime}/launch`);
  if (text === undefined) return undefined;
  const values = (word: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1));
  const [slices] = values('slices');
  return { roots: values('root'), ...(slices === undefined ? {} : { slices }) };
}

/** Removes the file. The launcher then reports that no policy is in force. */
export function withdrawLaunch(runtime: string): void {
  rmSync(`${runtime}/launch`, { force: true });
}
