/**
 * The files of tenants' slices, and of their sites': `/etc/systemd/system/user-1001.slice.d/90-bulkhead.conf`. They
 * record the slices in force, and work after a reboot without Bulkhead.
 *
 * Each slice has its own file, and none is shared: `user-.slice.d` would limit root, administrators and every account
 * to come. systemd reads files of other directories and names with ours, ordered by name; most come before "90".
 */
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  isSliceText,
  ownerOfSlice,
  sliceName,
  sliceOf,
  type SliceOwner,
} from '../../plan/slice.ts';
import { causeOf, describeErrno, errnoOf } from '../../../packages/base/io/errno.ts';
import { pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { readText } from '../../../packages/base/io/read.ts';
import {
  createUnsynced,
  removeIfThere,
  replaceIn,
} from '../../../packages/base/io/replace-file.ts';
import { syncFileSystem } from '../../sys/syscalls.ts';
import type { Paths } from '../paths.ts';

/** The file that `SystemdManager.realize` leaves. It sorts below ours, so that it has no effect while ours is there. */
const pokeFile = '50-TasksMax.conf';
const fileMode = 0o644;

export class SliceFiles {
  readonly #etc: string;
  readonly #control = '/run/systemd/system.control';
  readonly #name: string;

  constructor({ etc, instance }: Paths) {
    this.#etc = `${etc}/systemd/system`;
    this.#name = `90-${instance}.conf`;
  }

  path(owner: SliceOwner): string {
    return `${this.#etc}/${sliceOf(owner)}.d/${this.#name}`;
  }

  read(owner: SliceOwner): string | undefined {
    return readText(this.path(owner));
  }

  /** Returns the owners that may have a file, from one listing. All others have none. */
  candidates(): ReadonlyMap<string, SliceOwner> {
    const owners = listed(this.#etc).flatMap((name) => ownerOfDirectory(name) ?? []);
    return new Map(owners.map((owner) => [sliceName(owner), owner]));
  }

  /**
   * Returns the owners whose file is there, tenants before their sites. A file of that name that we did not write does
   * not count.
   */
  owners(without: ReadonlySet<string> = nobody): readonly SliceOwner[] {
    return [...this.candidates()]
      .filter(([name, owner]) => !without.has(name) && this.#isOurs(owner))
      .map(([, owner]) => owner)
      .sort((a, b) => a.uid - b.uid || sliceName(a).localeCompare(sliceName(b)));
  }

  #isOurs(owner: SliceOwner): boolean {
    const text = this.read(owner);
    return text !== undefined && isSliceText(text);
  }

  /** Writes a file. `isNew`: there was no file before, and hardly a directory. */
  write(owner: SliceOwner, text: string, isNew: boolean): Result<void, Problem> {
    const path = this.path(owner);
    const directory = dirname(path);
    const made = isNew ? makeDirectory(directory) : ok('there' as const);
    if (!made.ok) return made;
    // In a directory that nobody had before, nobody has planted anything.
    if (made.value === 'made') return createUnsynced(path, text, fileMode);
    const pinned = pinDirectory(directory, 'refuse');
    if (!pinned.ok) return pinned;
    using held = pinned.value;
    return replaceIn(held, basename(path), text, { mode: fileMode, withoutSync: true });
  }

  /** Syncs after all files were written: a thousand that each wait for the disk take several times as long. */
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

  remove(owner: SliceOwner): Result<void, Problem> {
    return removeWithDirectory(this.path(owner));
  }

  /** Removes the poke files of our slices and of recent ones before a reload, so that systemd forgets them. */
  removePokes(left: readonly SliceOwner[]): Result<void, Problem> {
    const were = new Set(left.map(sliceOf));
    for (const name of listed(this.#control)) {
      const owner = ownerOfDirectory(name);
      if (owner === undefined || !(were.has(sliceOf(owner)) || this.#isOurs(owner))) continue;
      const removed = removeWithDirectory(`${this.#control}/${name}/${pokeFile}`);
      if (!removed.ok) return removed;
    }
    return ok(undefined);
  }
}

const nobody: ReadonlySet<string> = new Set();

function makeDirectory(directory: string): Result<'made' | 'there', Problem> {
  try {
    mkdirSync(directory, { mode: 0o755 });
    return ok('made');
  } catch (error) {
    const cause = causeOf(error);
    if (cause.errno === 'EEXIST') return ok('there');
    return failed({ ...cause, action: 'create the directory', object: directory });
  }
}

const ownerOfDirectory = (name: string) =>
  name.endsWith('.d') ? ownerOfSlice(name.slice(0, -'.d'.length)) : undefined;

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Removes a file, and its directory once that is empty. */
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
