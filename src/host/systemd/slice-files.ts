/**
 * The files of tenants' slices: `/etc/systemd/system/user-1001.slice.d/90-bulkhead.conf`. They are the record of the
 * tenants in force, and hold after a reboot without us.
 *
 * One a tenant and none for all: `user-.slice.d` would limit root, administrators and every account to come.
 * Files of other directories and names are read with ours, in the order of their names; most are before "90".
 */
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { failed, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { isSliceText, sliceOf } from '../../plan/slice.ts';
import { causeOf, describeErrno, errnoOf } from '../../sys/errno.ts';
import { pinDirectory } from '../../sys/files/pinned-directory.ts';
import { readText } from '../../sys/files/read.ts';
import { removeIfThere, replaceIn } from '../../sys/files/replace-file.ts';
import { syncFileSystem } from '../../sys/syscalls.ts';
import type { Paths } from '../paths.ts';

/** What `SystemdManager.realize` leaves; below ours, so that it decides nothing while ours is there. */
const pokeFile = '50-TasksMax.conf';

export class SliceFiles {
  readonly #etc: string;
  readonly #control = '/run/systemd/system.control';
  readonly #name: string;

  constructor({ etc, instance }: Paths) {
    this.#etc = `${etc}/systemd/system`;
    this.#name = `90-${instance}.conf`;
  }

  path(uid: number): string {
    return `${this.#etc}/${sliceOf(uid)}.d/${this.#name}`;
  }

  read(uid: number): string | undefined {
    return readText(this.path(uid));
  }

  /** Whose file is there, in ascending order; a file of that name that we did not write is not ours. */
  tenants(): readonly number[] {
    return listed(this.#etc)
      .flatMap((name) => {
        const uid = Number(/^user-(\d{1,10})\.slice\.d$/.exec(name)?.[1]);
        const text = Number.isNaN(uid) ? undefined : this.read(uid);
        return text !== undefined && isSliceText(text) ? [uid] : [];
      })
      .sort((a, b) => a - b);
  }

  write(uid: number, text: string): Result<void, Problem> {
    const path = this.path(uid);
    const directory = dirname(path);
    try {
      mkdirSync(directory, { mode: 0o755 });
    } catch (error) {
      const cause = causeOf(error);
      if (cause.errno !== 'EEXIST') {
        return failed({ ...cause, action: 'create the directory', object: directory });
      }
    }
    const pinned = pinDirectory(directory, 'refuse');
    if (!pinned.ok) return pinned;
    using held = pinned.value;
    return replaceIn(held, basename(path), text, { mode: 0o644, withoutSync: true });
  }

  /** After all of them were written: a thousand that each wait for the disk take several times as long. */
  sync(): Result<void, Problem> {
    const pinned = pinDirectory(this.#etc);
    if (!pinned.ok) return pinned;
    using directory = pinned.value;
    const errno = syncFileSystem(directory.fd);
    if (errno === undefined) return ok(undefined);
    return failed({
      action: 'write to disk',
      object: this.#etc,
      reason: describeErrno(errno),
      errno,
    });
  }

  remove(uid: number): Result<void, Problem> {
    return removeWithDirectory(this.path(uid));
  }

  /** Before a reload, so that systemd forgets them. */
  removePokes(uids: Iterable<number>): Result<void, Problem> {
    for (const uid of uids) {
      const removed = removeWithDirectory(`${this.#control}/${sliceOf(uid)}.d/${pokeFile}`);
      if (!removed.ok) return removed;
    }
    return ok(undefined);
  }
}

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The directory too, once nothing is left in it. */
function removeWithDirectory(path: string): Result<void, Problem> {
  try {
    removeIfThere(path);
    rmdirSync(dirname(path));
    return ok(undefined);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOTEMPTY' || errno === 'ENOENT') return ok(undefined);
    return failed({ ...causeOf(error), action: 'remove', object: path });
  }
}
