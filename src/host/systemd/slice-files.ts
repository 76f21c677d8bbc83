/**
 * The files of tenants' slices, and of their sites': `/etc/systemd/system/user-1001.slice.d/90-bulkhead.conf`. They
 * record the slices in force, and work after a reboot without Bulkhead. If tenants have guarantees, `user.slice` has a
 * file with the sum.
 *
 * Each slice has its own file, and none is shared: `user-.slice.d` would limit root, administrators and every account
 * to come. systemd reads files of other directories and names with ours, ordered by name; most come before "90".
 *
 * The user slice of a reseller's tenant has `91-bulkhead.conf`: a `90-bulkhead.conf` means that the tenant is the slice.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, utimesSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  isOwner,
  isSliceText,
  sliceName,
  sliceNamed,
  sliceOf,
  slicesOfUnit,
  type Slice,
} from '../../plan/slice.ts';
import { slicesCgroup } from '../../plan/wanted.ts';
import { causeOf, formatErrno, errnoOf } from '../../../packages/base/io/errno.ts';
import { pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { readText } from '../../../packages/base/io/read.ts';
import {
  createUnsynced,
  removeIfThere,
  replaceFile,
  replaceIn,
} from '../../../packages/base/io/replace-file.ts';
import { syncFileSystem } from '../../sys/syscalls.ts';
import type { Paths } from '../paths.ts';
import type { PokedProperty } from './manager.ts';

export const pokedProperty = (slice: Slice): PokedProperty =>
  slice === slicesCgroup ? 'MemoryLow' : 'TasksMax';

/**
 * The file that `SystemdManager.realize` leaves. It sorts below ours, so that it has no effect while ours is there and has
 * that property.
 */
const pokeFile = (slice: Slice) => `50-${pokedProperty(slice)}.conf`;
/** The first line of a poke file that is ours. `systemctl set-property --runtime` writes a file of the same name. */
const pokeHead = '# Written for "bulkhead apply", which removes it.\n';
const fileMode = 0o644;

/** Returns the path of our file for a slice. */
export function sliceFilePath({ etc, instance }: Paths, slice: Slice): string {
  const order = isOwner(slice) || slice === slicesCgroup ? 90 : 91;
  return `${etc}/systemd/system/${sliceOf(slice)}.d/${order}-${instance}.conf`;
}

export class SliceFiles {
  readonly #etc: string;
  readonly #control: string;
  readonly #paths: Paths;
  /**
   * Records the slice that is being set, and on the lines after that the administrator's poke file, so that nothing is
   * lost if this process is killed before it has marked or restored the file.
   */
  readonly #journal: string;

  /** `control`: where systemd writes properties that last until a reboot. */
  constructor(paths: Paths, control = '/run/systemd/system.control') {
    this.#paths = paths;
    this.#control = control;
    this.#journal = `${paths.runtime}/slice-being-set`;
    this.#etc = `${paths.etc}/systemd/system`;
  }

  path(slice: Slice): string {
    return sliceFilePath(this.#paths, slice);
  }

  read(slice: Slice): string | undefined {
    return readText(this.path(slice));
  }

  /** Returns the slices that have a file of that name. */
  candidates(): ReadonlyMap<string, Slice> {
    const slices = listed(this.#etc)
      .flatMap(slicesOfDirectory)
      .filter((slice) => existsSync(this.path(slice)));
    return new Map(slices.map((slice) => [sliceName(slice), slice]));
  }

  /**
   * Returns the slices whose file is there, the one around all first, and tenants before their sites. A file of that
   * name that we did not write does not count.
   */
  slices(without: ReadonlySet<string> = nobody): readonly Slice[] {
    return [...this.candidates()]
      .filter(([name, slice]) => !without.has(name) && this.isOurs(slice))
      .map(([, slice]) => slice)
      .sort((a, b) => rankOf(a) - rankOf(b) || sliceName(a).localeCompare(sliceName(b)));
  }

  /** Whether the slice has a file, and we wrote it. */
  isOurs(slice: Slice): boolean {
    const text = this.read(slice);
    return text !== undefined && isSliceText(text);
  }

  /** Writes a file. `isNew`: there was no file before, and hardly a directory. */
  write(slice: Slice, text: string, isNew: boolean): Result<void, Problem> {
    const path = this.path(slice);
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
      reason: formatErrno(errno),
      errno,
    });
  }

  remove(slice: Slice): Result<void, Problem> {
    return removeWithDirectory(this.path(slice));
  }

  /** Makes systemd set a slice by `realize`, and marks the poke file that this leaves; keeps an administrator's. */
  poke(slice: Slice, realize: () => Result<void, Problem>): Result<void, Problem> {
    const finished = this.#finishPoke();
    if (!finished.ok) return finished;
    const before = readText(this.#pokePath(slice)) ?? '';
    const others = before.startsWith(pokeHead) ? '' : before;
    const begun = replaceFile(this.#journal, `${sliceName(slice)}\n${others}`);
    if (!begun.ok) return begun;
    const realized = realize();
    // After a failure, systemd may still write the file: the next call marks it.
    return realized.ok ? this.#finishPoke() : realized;
  }

  /** Marks the poke file of the slice that was set last, or restores the administrator's. */
  #finishPoke(): Result<void, Problem> {
    const recorded = readText(this.#journal);
    if (recorded === undefined) return ok(undefined);
    const [name = '', ...others] = recorded.split('\n');
    const slice = sliceNamed(name);
    const path = slice && this.#pokePath(slice);
    const written = path && readText(path);
    if (path !== undefined && written !== undefined && !written.startsWith(pokeHead)) {
      const before = others.join('\n');
      const rewritten = rewrite(path, before === '' ? `${pokeHead}${written}` : before);
      if (!rewritten.ok) return rewritten;
    }
    try {
      removeIfThere(this.#journal);
      return ok(undefined);
    } catch (error) {
      return failed({ ...causeOf(error), action: 'remove', object: this.#journal });
    }
  }

  #pokePath(slice: Slice): string {
    return `${this.#control}/${sliceOf(slice)}.d/${pokeFile(slice)}`;
  }

  /** Removes the poke files of our slices and of recent ones before a reload, so that systemd forgets them. */
  removePokes(left: readonly Slice[]): Result<void, Problem> {
    const finished = this.#finishPoke();
    if (!finished.ok) return finished;
    const were = new Set(left.map(sliceOf));
    for (const name of listed(this.#control)) {
      const slices = slicesOfDirectory(name);
      const [slice] = slices;
      if (slice === undefined) continue;
      if (!were.has(sliceOf(slice)) && !slices.some((each) => this.isOurs(each))) continue;
      const path = this.#pokePath(slice);
      if (readText(path)?.startsWith(pokeHead) !== true) continue;
      const removed = removeWithDirectory(path);
      if (!removed.ok) return removed;
    }
    return ok(undefined);
  }
}

const nobody: ReadonlySet<string> = new Set();
function rankOf(slice: Slice): number {
  if (slice === slicesCgroup) return -1;
  return isOwner(slice) ? slice.uid : slice.outside;
}

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

const slicesOfDirectory = (name: string) =>
  name.endsWith('.d') ? slicesOfUnit(name.slice(0, -'.d'.length)) : [];

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Replaces the text of a file whose changes systemd watches by their time, which stays. */
function rewrite(path: string, text: string): Result<void, Problem> {
  const pinned = pinDirectory(dirname(path), 'refuse');
  if (!pinned.ok) return pinned;
  using directory = pinned.value;
  const file = directory.at(basename(path));
  try {
    const changed = new Date(statSync(file).mtimeMs);
    const replaced = replaceIn(directory, basename(path), text, {
      mode: fileMode,
      withoutSync: true,
    });
    if (replaced.ok) utimesSync(file, changed, changed);
    return replaced;
  } catch (error) {
    return failed({ ...causeOf(error), action: 'write', object: path });
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
