/**
 * Collects several looks at where a tenant's clients are. One that connects for each statement is often not there at the
 * moment of a look, and is somewhere else at the next one.
 */
import type { ClientCgroups } from './clients.ts';
import type { FreezeFile } from './record.ts';

/** Looks without any client, one after another, before there are none. */
const looksMin = 10;
const soonMicroseconds = 200_000;
const laterMicroseconds = 2_000_000;
/** A cgroup without a client for so long has none. */
const keptMicroseconds = 10_000_000;

interface Kept {
  readonly file: FreezeFile;
  readonly at: number;
}

export class ClientSearch {
  #kept = new Map<string, Kept>();
  #last: ClientCgroups | undefined;
  #misses = 0;
  #at = -Infinity;

  /** Whether it is time for the next look. */
  isDue(now: number): boolean {
    const isKnown = this.canFreeze !== undefined;
    return now - this.#at >= (isKnown ? laterMicroseconds : soonMicroseconds);
  }

  /** Adds a look; undefined: it failed. */
  add(found: ClientCgroups | undefined, now: number): void {
    this.#at = found === undefined ? now + laterMicroseconds - soonMicroseconds : now;
    this.#last = found;
    if (found === undefined) return;
    for (const [path, { at }] of this.#kept)
      if (now - at >= keptMicroseconds) this.#kept.delete(path);
    this.#misses = found.freezable.length > 0 || this.#kept.size > 0 ? 0 : this.#misses + 1;
    const isLast = this.#misses >= looksMin;
    const likely = found.likely.filter(({ path }) => isLast || this.#kept.has(path));
    for (const file of [...found.freezable, ...likely])
      this.#kept.set(file.path, { file, at: now });
  }

  /** Forgets where they were, since they are there no more. */
  forget(): void {
    this.#kept.clear();
    this.#last = undefined;
  }

  get freezable(): readonly FreezeFile[] {
    return [...this.#kept.values()].map(({ file }) => file);
  }

  get refused(): readonly string[] {
    return this.#last?.refused ?? [];
  }

  /** Whether cgroups of clients can be frozen; undefined while that is not known. */
  get canFreeze(): boolean | undefined {
    if (this.#kept.size > 0) return true;
    return this.#misses >= looksMin || this.refused.length > 0 ? false : undefined;
  }
}
