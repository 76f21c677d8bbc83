/**
 * The slices of tenants and their sites: their files, and their cgroups while something runs in them.
 *
 * After a file has changed, systemd knows the change once it has read its files again. The kernel knows it once systemd
 * has set the cgroup. Only the contents of the kernel's own files count.
 */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { parseDeviceLines, valuesLike } from '../../limits/flat-file.ts';
import type { ObservedCgroup, OrphanCgroup, UnfinishedSlice } from '../../plan/observed.ts';
import type { RealizeUnit, WriteFile, WriteUnit } from '../../plan/operations.ts';
import { formatValue } from '../../plan/format.ts';
import {
  isOwner,
  outsideNamed,
  sliceFor,
  sliceName,
  sliceOf,
  slicesOfUnit,
  type Slice,
  type SliceOwner,
} from '../../plan/slice.ts';
import { slicesCgroup, type WantedCgroup } from '../../plan/wanted.ts';
import { sleepSync } from '../../sys/sleep.ts';
import type { Hierarchy } from '../cgroups/hierarchies.ts';
import type { SystemdManager } from './manager.ts';
import { pokedProperty, type SliceFiles } from './slice-files.ts';
import type { StaleMark } from './stale-mark.ts';

export interface SlicesParts {
  /** The hierarchy in which `u1001` and `u1001/s-shop.example` are slices. */
  readonly hierarchy: Hierarchy;
  readonly files: SliceFiles;
  readonly stale: StaleMark;
  readonly manager: SystemdManager;
}

/** systemd sets a cgroup at once, or after its current work. */
const rounds = 100;
const roundMilliseconds = 10;
const ioMax = 'io.max';
const noCaps = 'rbps=max wbps=max riops=max wiops=max';

export class Slices {
  readonly #parts: SlicesParts;
  /** The units that systemd has set without our limits since its last reload. */
  readonly #left = new Set<string>();

  constructor(parts: SlicesParts) {
    this.#parts = parts;
  }

  get isStale(): boolean {
    return this.#parts.stale.isSet;
  }

  /** The slices with a file of ours. */
  get all(): readonly Slice[] {
    return this.#parts.files.slices();
  }

  get owners(): readonly SliceOwner[] {
    return this.all.filter(isOwner);
  }

  has(owner: SliceOwner): boolean {
    return this.#parts.files.read(owner) !== undefined;
  }

  path(slice: Slice): string {
    return this.#parts.files.path(slice);
  }

  observe(wanted: readonly WantedCgroup[]): ReadonlyMap<string, ObservedCgroup> {
    const candidates = this.#parts.files.candidates();
    return new Map(
      wanted.map((each) => {
        const slice = candidates.get(each.path);
        return [each.path, this.#observeOne(each, slice && this.#parts.files.read(slice))];
      }),
    );
  }

  #observeOne({ path, settings }: WantedCgroup, text: string | undefined): ObservedCgroup {
    const active = this.#isActive(path);
    const files = new Map<string, string>();
    for (const setting of active ? settings : []) {
      if (files.has(setting.file)) continue;
      // A controller that nothing needs there has no files, and limits nothing.
      const initial = setting.device === undefined ? setting.initial : '';
      files.set(setting.file, this.#read(path, setting.file) ?? initial);
    }
    return { missing: [], files, unit: { text, active } };
  }

  /** Returns the slices that have a file of ours but are not wanted, sites before their tenants. */
  orphans(wanted: ReadonlySet<string>): readonly OrphanCgroup[] {
    const slices = this.#parts.files.slices(wanted).toReversed();
    return slices.map((slice): OrphanCgroup => {
      const path = sliceName(slice);
      const unit = { unit: sliceOf(slice), path: this.path(slice), active: this.#isActive(path) };
      return { path, hierarchies: [this.#parts.hierarchy.name], processes: [], unit };
    });
  }

  #read(cgroup: string, file: string): string | undefined {
    return this.#parts.hierarchy.files.read(cgroup, file);
  }

  /**
   * Whether the slice is active. A cgroup that systemd has not removed yet, or keeps for a slice without processes,
   * limits nobody.
   */
  #isActive(cgroup: string): boolean {
    return /^populated 1$/m.test(this.#read(cgroup, 'cgroup.events') ?? '');
  }

  /** Returns the slices that an interrupted apply or release has not left to systemd. */
  unfinished(): readonly UnfinishedSlice[] {
    return this.#parts.stale.slices().map((slice) => {
      const path = sliceName(slice);
      return { path, unit: sliceOf(slice), active: this.#isActive(path) };
    });
  }

  write({ cgroup, text, from }: WriteUnit): Result<void, Problem> {
    const slice = sliceFor(cgroup);
    // A file for the slice outside has only some limits: the kernel does not show that one was lifted.
    const mayLift = from !== undefined && outsideNamed(cgroup) !== undefined;
    const marked = this.#parts.stale.set(mayLift ? slice : undefined);
    return marked.ok ? this.#parts.files.write(slice, text, from === undefined) : marked;
  }

  remove(cgroup: string): Result<void, Problem> {
    const slice = sliceFor(cgroup);
    const marked = this.#parts.stale.set(slice);
    return marked.ok ? this.#parts.files.remove(slice) : marked;
  }

  /** Reloads systemd. It first removes the files that setting the slices has left, so that systemd forgets them. */
  reload(): Result<void, Problem> {
    const { files, manager, stale } = this.#parts;
    const removed = files.removePokes(stale.slices());
    if (!removed.ok) return removed;
    const synced = files.sync();
    if (!synced.ok) return synced;
    const reloaded = manager.reload();
    if (!reloaded.ok) return reloaded;
    const cleared = stale.clear((slice) => this.#isLeft(slice));
    this.#left.clear();
    return cleared;
  }

  /**
   * Whether systemd has nothing to undo in a slice: it sets one in which nothing runs by its files. A tenant's file has
   * every limit, so the kernel's own files show what is left to do.
   */
  #isLeft(slice: Slice): boolean {
    const unit = sliceOf(slice);
    if (this.#left.has(unit) || !this.#isActive(sliceName(slice))) return true;
    return slicesOfUnit(unit).some(
      (each) => (isOwner(each) || each === slicesCgroup) && this.#parts.files.isOurs(each),
    );
  }

  realize(operation: RealizeUnit): Result<void, Problem> {
    const { cgroup, unit, writes } = operation;
    if (writes.length === 0) return this.#leave(cgroup, unit);
    const slice = sliceFor(cgroup);
    // The file that this leaves has an effect there until the next reload.
    const marked = outsideNamed(cgroup) === undefined ? ok(undefined) : this.#parts.stale.set();
    if (!marked.ok) return marked;
    const set = this.#poke(slice, unit);
    return set.ok ? this.#check(operation) : set;
  }

  /** Gives a slice what systemd has for it, and nothing that we set before; needs a reload after that. */
  #leave(cgroup: string, unit: string): Result<void, Problem> {
    const { files } = this.#parts.hierarchy;
    const slice = sliceFor(cgroup);
    const marked = this.#parts.stale.set(slice);
    if (!marked.ok) return marked;
    // An entry that vanishes from a list of systemd's stays in the kernel. Around all slices we have set none.
    const text = slice === slicesCgroup ? undefined : files.read(cgroup, ioMax);
    for (const device of parseDeviceLines(text ?? '').keys()) {
      files.write(cgroup, ioMax, `${device} ${noCaps}`);
    }
    const set = this.#poke(slice, unit);
    if (set.ok) this.#left.add(unit);
    return set;
  }

  #poke(slice: Slice, unit: string): Result<void, Problem> {
    const { files, manager } = this.#parts;
    return files.poke(slice, () => manager.realize(unit, pokedProperty(slice)));
  }

  #check({ cgroup, label, unit, writes }: RealizeUnit): Result<void, Problem> {
    for (let round = 0; ; round++) {
      const different = writes.find((each) => this.#valueOf(cgroup, each) !== each.to);
      if (different === undefined || !this.#isActive(cgroup)) return ok(undefined);
      if (round === rounds) return notRealized(label, unit, different);
      // systemd does not set a disk that is no longer in the file.
      if (round === 0 && different.file === ioMax) {
        this.#parts.hierarchy.files.write(cgroup, ioMax, different.text);
      } else sleepSync(roundMilliseconds);
    }
  }

  #valueOf(cgroup: string, { file, device, to }: WriteFile): string | undefined {
    const text = this.#read(cgroup, file);
    if (device === undefined) return text?.trimEnd();
    const line = parseDeviceLines(text ?? '').get(device);
    return line === undefined ? (to === noCaps ? to : undefined) : valuesLike(line, to);
  }

  /** The names of the slices that we limit, or limited before an apply or release was interrupted. */
  get held(): ReadonlySet<string> {
    return new Set([...this.all, ...this.#parts.stale.slices()].map(sliceName));
  }

  /** Releases all slices of this instance; their processes keep running. */
  release(): Result<void, Problem> {
    const { held } = this;
    if (held.size === 0 && !this.isStale) return ok(undefined);
    for (const cgroup of held) {
      const removed = this.remove(cgroup);
      if (!removed.ok) return removed;
    }
    const reloaded = this.reload();
    if (!reloaded.ok) return reloaded;
    const unfinished = this.unfinished();
    for (const { path, unit } of unfinished) {
      const left = this.#leave(path, unit);
      if (!left.ok) return left;
    }
    return unfinished.length === 0 ? ok(undefined) : this.reload();
  }
}

const notRealized = (label: string, unit: string, { file, to }: WriteFile) =>
  failed({
    action: `set ${file} of ${label} to`,
    object: formatValue(file, to),
    reason: `systemd has left ${unit} as it was`,
    hint: `see "systemctl cat ${unit}" for settings that come after ours`,
  });
