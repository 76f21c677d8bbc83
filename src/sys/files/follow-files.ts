/**
 * Watches host files and reports changes.
 *
 * Directories are watched, not files, since editors replace a file by renaming another over it.
 * A change that the watch misses is found by polling every few seconds.
 */
import { statSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** Editors and useradd write several files in succession. */
const settleMilliseconds = 100;
/** The maximum delay, however long they keep writing. */
const settleMillisecondsMax = 500;
const pollMilliseconds = 5_000;

export function followFiles(files: readonly string[], changed: () => void): Disposable {
  const state = () => files.map(fingerprint).join(' ');
  let known = state();
  let timer: NodeJS.Timeout | undefined;
  let firstEvent = 0;
  const poll = () => {
    timer = undefined;
    const now = state();
    if (now === known) return;
    known = now;
    changed();
  };
  const soon = () => {
    const now = performance.now();
    if (timer === undefined) firstEvent = now;
    else if (now - firstEvent > settleMillisecondsMax) return;
    clearTimeout(timer);
    timer = setTimeout(poll, settleMilliseconds);
  };
  const watchers = [...new Set(files.map(dirname))].flatMap((each) => watchDirectory(each, soon));
  const interval = setInterval(poll, pollMilliseconds);
  return {
    [Symbol.dispose]: () => {
      clearInterval(interval);
      clearTimeout(timer);
      for (const each of watchers) each.close();
    },
  };
}

/** Watches a directory. If that is not possible, polling every few seconds suffices. */
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
