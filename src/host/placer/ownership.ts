/**
 * Whose a process is.
 *
 * The real uid decides. A program that a tenant runs setuid keeps it, and stays with the tenant; a
 * daemon of root that acts as a tenant for a moment by its effective uid (sshd reading a key file)
 * keeps root's, and is left alone, since it would take all that it starts later with it. The
 * effective uid counts where the real one is neither a tenant's nor root's: a tenant's setuid
 * program that a web server runs is the tenant's work.
 *
 * A tenant has more uids than its own: those of /etc/subuid, and whatever a user namespace that it
 * made maps. The kernel knows who made a namespace; that is the truth where no file says more.
 */
import type { SubordinateUids } from '../subordinate-uids.ts';

export interface Uids {
  readonly ruid: number;
  readonly euid: number;
}

export class Ownership {
  readonly #groups: ReadonlyMap<number, string>;
  readonly #ranges: readonly SubordinateUids[];

  constructor(groups: ReadonlyMap<number, string>, ranges: readonly SubordinateUids[]) {
    this.#groups = groups;
    this.#ranges = ranges;
  }

  /** The tenant by uids alone; nothing where its user namespace has to be asked, or root's it is. */
  byUids({ ruid, euid }: Uids): number | undefined {
    if (this.#groups.has(ruid)) return ruid;
    if (ruid === 0) return undefined;
    if (this.#groups.has(euid)) return euid;
    return this.#subordinate(ruid) ?? this.#subordinate(euid);
  }

  /** The tenant that made a user namespace, by the uid that the kernel names. */
  byMaker(uid: number): number | undefined {
    return this.#groups.has(uid) ? uid : this.#subordinate(uid);
  }

  #subordinate(uid: number): number | undefined {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.[1] ?? 0) < uid) low = middle + 1;
      else high = middle;
    }
    const [first = Infinity, , tenant] = this.#ranges[low] ?? [];
    return first <= uid ? tenant : undefined;
  }
}
