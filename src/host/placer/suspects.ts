/**
 * Records which tenants had processes outside since all were last known to be inside, and which of them keep having
 * some.
 *
 * A login is outside for a moment, and so are its forks until then. But once they are moved, their children are born
 * inside. A tenant whose children are born outside in one pass after another forks and exits faster than it is moved.
 * The code counts this and does not time it: if a move takes a second, even a few children take very long.
 */
import type { Look } from './sweep.ts';

const tenantsMax = 256;
const bornMax = 1_024;
/** A tenant with this many children outside, or some in this many passes, is not just logging in. */
const resisting = { children: 16, looks: 4 };

interface Born {
  readonly tenant: number;
  readonly look: Look;
}

export class Suspects {
  readonly #outside = new Set<number>();
  /** Processes seen outside without having changed their uid. */
  readonly #born = new Map<number, Born>();
  readonly #gone = new Set<number>();

  /** Notes a process outside. `look`: the pass that found it, if it searches for forked processes. */
  outside(tenant: number, pid: number, look: Look | undefined): void {
    if (this.#outside.size < tenantsMax) this.#outside.add(tenant);
    if (look !== undefined && this.#born.size < bornMax) this.#born.set(pid, { tenant, look });
  }

  /** Notes that it was outside because it has only just changed its uid. */
  changed(pid: number): void {
    this.#born.delete(pid);
  }

  /** Notes that all of their children have been moved; some other process may still be outside. */
  followed(): void {
    this.#born.clear();
  }

  /** Notes that a process changed its uid and was gone before it could be inspected: it is unknown where it was. */
  gone(tenant: number): void {
    if (this.#gone.size < tenantsMax) this.#gone.add(tenant);
  }

  /** Tenants with a process that was seen outside. */
  get seen(): ReadonlySet<number> {
    return this.#outside;
  }

  get unseen(): ReadonlySet<number> {
    return this.#gone;
  }

  get isResisted(): boolean {
    const tenants = Map.groupBy(this.#born.values(), ({ tenant }) => tenant);
    return tenants
      .values()
      .some(
        (born) =>
          born.length >= resisting.children ||
          new Set(born.map(({ look }) => look)).size >= resisting.looks,
      );
  }

  /** Notes that nobody is outside any more. */
  clear(): void {
    this.#outside.clear();
    this.#born.clear();
    this.#gone.clear();
  }
}
