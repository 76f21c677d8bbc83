/** Freezes and thaws cgroups of tenants, and keeps the record of them. */
import { existsSync } from 'node:fs';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { stopFile } from '../../../host/stops.ts';
import { freeze, recordedMax, thaw, thawRecorded, writeRecord, type FreezeFile } from './record.ts';

export class Freezer {
  readonly #paths: Pick<Paths, 'runtime' | 'state'>;
  readonly #recorded = new Map<string, FreezeFile>();

  constructor(paths: Pick<Paths, 'runtime' | 'state'>) {
    this.#paths = paths;
  }

  /** How many cgroups may be frozen. */
  get size(): number {
    return this.#recorded.size;
  }

  /** Thaws what an agent before this one has left frozen. */
  begin(): readonly Problem[] {
    return thawRecorded(this.#paths);
  }

  /** Returns whether the cgroup is frozen now: not if it has gone, nor if the tenant is stopped. */
  freeze(uid: number, file: FreezeFile): Result<boolean, Problem> {
    if (existsSync(stopFile(this.#paths, uid))) return ok(false);
    const recorded = this.#record(file);
    return recorded.ok ? freeze(file) : recorded;
  }

  #record(file: FreezeFile): Result<void, Problem> {
    if (this.#recorded.has(file.path)) return ok(undefined);
    if (this.#recorded.size >= recordedMax) {
      const reason = `${recordedMax} cgroups are frozen already`;
      return failed({ action: 'freeze', object: file.path, reason });
    }
    const written = writeRecord(this.#paths, [...this.#recorded.values(), file]);
    if (written.ok) this.#recorded.set(file.path, file);
    return written;
  }

  /** Thaws cgroups that are to be frozen again soon. */
  thaw(files: Iterable<FreezeFile>): readonly Problem[] {
    return [...files].flatMap((each) => {
      const thawed = thaw(each);
      return thawed.ok ? [] : [thawed.error];
    });
  }

  /** Thaws cgroups for good. What cannot be thawed stays in the record. */
  release(files: Iterable<FreezeFile>): readonly Problem[] {
    const known = [...files].filter(({ path }) => this.#recorded.has(path));
    const problems: Problem[] = [];
    const left = new Map(this.#recorded);
    for (const each of known) {
      const thawed = thaw(each);
      if (thawed.ok) left.delete(each.path);
      else problems.push(thawed.error);
    }
    if (left.size === this.#recorded.size) return problems;
    const written = writeRecord(this.#paths, [...left.values()]);
    // Those that are too many in the record are thawed once more at most.
    if (!written.ok) return [...problems, written.error];
    for (const path of this.#recorded.keys()) if (!left.has(path)) this.#recorded.delete(path);
    return problems;
  }

  releaseAll(): readonly Problem[] {
    return this.releaseOthers([]);
  }

  /** Thaws for good what is recorded and none of these: it could not be thawed before, or was not frozen after all. */
  releaseOthers(than: readonly FreezeFile[]): readonly Problem[] {
    const kept = new Set(than.map(({ path }) => path));
    return this.release([...this.#recorded.values()].filter(({ path }) => !kept.has(path)));
  }
}
