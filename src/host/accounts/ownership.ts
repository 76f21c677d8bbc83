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
import { ok, type Result } from '../../base/result.ts';
import type { SubordinateUids } from './subordinate-uids.ts';

export interface Uids {
  readonly ruid: number;
  readonly euid: number;
}

export class Ownership {
  readonly #tenants: Pick<ReadonlySet<number>, 'has'>;
  readonly #ranges: readonly SubordinateUids[];

  constructor(tenants: Pick<ReadonlySet<number>, 'has'>, ranges: readonly SubordinateUids[]) {
    this.#tenants = tenants;
    this.#ranges = ranges;
  }

  /** The tenant, or nothing where it is nobody's. `askMaker` says who made its user namespace. */
  tenantOf<E>(
    uids: Uids,
    askMaker: () => Result<number | undefined, E>,
  ): Result<number | undefined, E> {
    const tenant = this.byUids(uids);
    if (tenant !== undefined || uids.ruid === 0) return ok(tenant);
    const maker = askMaker();
    if (!maker.ok || maker.value === undefined) return maker;
    return ok(this.byMaker(maker.value));
  }

  /** The tenant by uids alone; nothing where its user namespace has to be asked, or root's it is. */
  byUids({ ruid, euid }: Uids): number | undefined {
    if (this.#tenants.has(ruid)) return ruid;
    if (ruid === 0) return undefined;
    if (this.#tenants.has(euid)) return euid;
    return this.#subordinate(ruid) ?? this.#subordinate(euid);
  }

  /** The tenant that made a user namespace, by the uid that the kernel names. */
  byMaker(uid: number): number | undefined {
    return this.#tenants.has(uid) ? uid : this.#subordinate(uid);
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
