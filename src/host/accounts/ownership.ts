/**
 * Finds the tenant to which a process belongs.
 *
 * The real uid decides. A setuid program run by a tenant keeps it, and stays with the tenant. A root daemon that acts
 * as a tenant for a moment by its effective uid (sshd reading a key file) keeps root's. It is not moved, since
 * otherwise everything that it starts later would be moved, too. The effective uid counts if the real one is neither a
 * tenant's nor root's: a tenant's setuid program that a web server runs belongs to the tenant.
 *
 * A tenant has more uids than its own: its ranges in /etc/subuid, and all uids mapped in a user namespace that it
 * created. The kernel knows the creator of a namespace, which decides if no file does.
 */
import { ok, type Result } from '../../../packages/base/result.ts';
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

  /** Returns the tenant, if any. `askMaker` returns the creator of its user namespace. */
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

  /** Returns the tenant by uids only; undefined if its user namespace must be checked, or if it is root's. */
  byUids({ ruid, euid }: Uids): number | undefined {
    if (this.#tenants.has(ruid)) return ruid;
    if (ruid === 0) return undefined;
    if (this.#tenants.has(euid)) return euid;
    return this.#subordinate(ruid) ?? this.#subordinate(euid);
  }

  /** Returns the tenant that created a user namespace, by the uid from the kernel. */
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
