/**
 * Follows the policy and the accounts of the host: applies once, then again after each change.
 *
 * Directories are watched, not files, since editors replace a file by renaming another over it.
 * A change that the watch misses is found by the look it takes every few seconds.
 */
import { statSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { Paths } from '../host/paths.ts';

/** Editors and useradd write several files in a row. */
const settleMilliseconds = 200;
const lookMilliseconds = 5_000;

/** Ends with status 0 at SIGINT or SIGTERM; what is in force stays in force. */
export async function watchPolicy<Code extends number>(
  policy: string,
  paths: Paths,
  apply: () => Code,
  say: (text: string) => void,
): Promise<Code | 0> {
  const files = [policy, `${paths.etc}/passwd`, `${paths.etc}/login.defs`];
  const state = () => files.map(fingerprint).join(' ');
  let known = state();
  apply();
  say(`Following ${policy}; Ctrl-C ends it, and the limits stay`);
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    const now = state();
    if (now === known) return;
    known = now;
    apply();
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(look, settleMilliseconds);
  };
  const watchers = [...new Set(files.map(dirname))].flatMap((each) => watchDirectory(each, soon));
  const interval = setInterval(look, lookMilliseconds);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  clearInterval(interval);
  clearTimeout(timer);
  for (const each of watchers) each.close();
  return 0;
}

/** The look every few seconds serves where the directory cannot be watched. */
function watchDirectory(directory: string, changed: () => void): readonly FSWatcher[] {
  try {
    const watcher = watch(directory, changed);
    watcher.on('error', () => watcher.close());
    return [watcher];
  } catch {
    return [];
  }
}

function fingerprint(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? 'absent' : `${stat.dev}.${stat.ino}.${stat.mtimeNs}.${stat.size}`;
}
