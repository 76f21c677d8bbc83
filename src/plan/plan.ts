/**
 * Wanted − Observed → the operations that lead from one to the other, in an order in which each
 * can succeed. Pure: planning twice on an unchanged host gives the same plan, and an empty one on a
 * host that is as wanted.
 *
 * The order: set up the tree, create cgroups (parents first), raise (parents first), lower sites, remove unwanted
 * sites, lower tenants, move tenants whose place changed, remove unwanted tenants, lower resellers. Raising parents
 * before children and lowering children before parents never shows the kernel a child above its parent, which v1
 * refuses. A cgroup still counts as a child until it is removed.
 *
 * A tenant that is to be divided into parts is emptied first: v2 gives controllers only to parts of a cgroup without
 * processes of its own. A tenant that is no longer divided first gives up controllers, for the same reason.
 *
 * For systemd: change the files of slices and let systemd set them. Processes move into a slice after that.
 */
import { writesOf } from './cgroup-writes.ts';
import type { Observed } from './observed.ts';
import type { Operation, SetQuota, WriteFile } from './operations.ts';
import { quotaKey, type QuotaLimits, type WantedQuota } from './quota.ts';
import { removals } from './removals.ts';
import { unitChanges } from './unit-changes.ts';
import { cgroupSetup, parentOf, type Wanted, type WantedCgroup } from './wanted.ts';

export interface Plan {
  readonly operations: readonly Operation[];
}

export function planChanges(wanted: Wanted, observed: Observed): Plan {
  const creations = new Creations(observed);
  const raises: WriteFile[] = [];
  const lowers = {
    site: [] as WriteFile[],
    tenant: [] as WriteFile[],
    reseller: [] as WriteFile[],
  };
  for (const cgroup of wanted.cgroups) {
    if (cgroup.unit !== undefined) continue;
    const writes = writesOf(cgroup, observed.cgroups.get(cgroup.path));
    creations.add(
      cgroup,
      writes.filter((each) => each.attribute === cgroupSetup),
    );
    const limits = writes.filter((each) => each.attribute !== cgroupSetup);
    raises.push(...limits.filter((each) => each.direction === 'raise').toReversed());
    lowers[levelOf[cgroup.kind]].push(...limits.filter((each) => each.direction === 'lower'));
  }
  const [parts, others] = removals(
    wanted,
    observed.orphans.filter(({ unit }) => unit === undefined),
  );
  return {
    operations: [
      ...observed.preparations.map((each): Operation => ({ kind: 'prepare', ...each })),
      ...creations.operations,
      ...raises,
      ...lowers.site,
      ...parts,
      ...lowers.tenant,
      ...quotaChanges(wanted.quotas, observed),
      ...unitChanges(wanted, observed),
      ...others,
      ...lowers.reseller,
    ],
  };
}

const levelOf = {
  root: 'reseller',
  slices: 'reseller',
  reseller: 'reseller',
  tenant: 'tenant',
  outside: 'tenant',
  main: 'site',
  site: 'site',
} as const;

/** Collects the operations that must come before any limit is written. */
class Creations {
  readonly #operations: Operation[] = [];
  readonly #observed: Observed;
  /** The set-up of the last tenant, which must have no processes of its own by then if it has parts. */
  #held: readonly WriteFile[] = [];

  constructor(observed: Observed) {
    this.#observed = observed;
  }

  get operations(): readonly Operation[] {
    this.#release();
    return this.#operations;
  }

  /** Adds a cgroup. `setup`: writes that its children need. */
  add({ path: cgroup, kind, label }: WantedCgroup, setup: readonly WriteFile[]): void {
    if (kind !== 'main') this.#release();
    const hierarchies = this.#observed.cgroups.get(cgroup)?.missing ?? [];
    if (hierarchies.length > 0) {
      this.#operations.push({ kind: 'create', cgroup, label, hierarchies });
    }
    if (kind === 'main') {
      const from = parentOf(cgroup);
      const astray = this.#observed.cgroups.get(from)?.astray ?? [];
      if (astray.length > 0) this.#operations.push({ kind: 'move', from, to: cgroup, label });
    }
    this.#held = [...this.#held, ...setup];
    if (kind !== 'tenant') this.#release();
  }

  #release(): void {
    this.#operations.push(...this.#held);
    this.#held = [];
  }
}

function quotaChanges(wanted: readonly WantedQuota[], observed: Observed): readonly SetQuota[] {
  const none: QuotaLimits = { spaceBytes: undefined, files: undefined };
  return wanted.flatMap(({ uid, mountPoint, label, ...to }) => {
    const from = observed.quotas.get(quotaKey({ uid, mountPoint })) ?? none;
    const spaceBytes = to.spaceBytes === 'kept' ? from.spaceBytes : to.spaceBytes;
    const files = to.files === 'kept' ? from.files : to.files;
    if (from.spaceBytes === spaceBytes && from.files === files) return [];
    return [{ kind: 'quota' as const, label, uid, mountPoint, from, to: { spaceBytes, files } }];
  });
}
