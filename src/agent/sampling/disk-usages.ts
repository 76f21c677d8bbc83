/**
 * The disk usage of tenants that have a disk limit, for the metrics page. It is read again when somebody asks, once a
 * minute at most, and never while the caller waits: a disk that hangs makes it unknown.
 */
import { nodeFinder } from '../../host/disks/file-systems.ts';
import { readUsage, type DiskUsage } from '../../host/disks/quotas.ts';
import type { Paths } from '../../host/paths.ts';
import type { Member } from '../../usage/member.ts';
import type { MemberEntry, MemberIndex } from './member-index.ts';

const freshMilliseconds = 60_000;
const oldMilliseconds = 5 * freshMilliseconds;

export class DiskUsages {
  readonly #paths: Paths;
  #known: ReadonlyMap<Member, DiskUsage> = new Map();
  #readAt = -Infinity;
  #isReading = false;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** Returns the usage as last read, and has it read again if it is old. */
  latest(memberIndex: MemberIndex): ReadonlyMap<Member, DiskUsage> {
    const age = performance.now() - this.#readAt;
    if (age > freshMilliseconds && !this.#isReading) void this.#read(memberIndex);
    return age > oldMilliseconds ? new Map() : this.#known;
  }

  async #read({ entries }: MemberIndex): Promise<void> {
    this.#isReading = true;
    const nodeOf = nodeFinder(this.#paths);
    const known = new Map<Member, DiskUsage>();
    for (const { who, home = '' } of [...entries.values()].filter(hasDiskLimit)) {
      const node = nodeOf(home);
      const usage = node === undefined ? undefined : await readUsage(node, who.uid);
      if (usage !== undefined) known.set(who.member, usage);
    }
    this.#known = known;
    this.#readAt = performance.now();
    this.#isReading = false;
  }
}

const hasDiskLimit = ({ who, home, limits }: MemberEntry): boolean =>
  who.kind === 'tenant' &&
  home !== undefined &&
  (limits['disk.space'] ?? limits['disk.files']) !== undefined;
