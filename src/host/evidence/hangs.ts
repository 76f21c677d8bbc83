/**
 * Files on which readers hung, and the tenants of their processes. Such a file is skipped for a while. If a tenant has
 * several, or a reader that cannot be killed, only data that cannot hang is read of it.
 */
import type { Member } from '../../usage/member.ts';
import type { HangingPath } from './gather.ts';

const restMilliseconds = 600_000;
const hangsMax = 4;
/** Readers that cannot be killed: with this many in total, no further one is put at risk. */
const stuckMax = 16;

interface Hung {
  /** The time of the hang, by file. */
  readonly paths: Map<HangingPath, number>;
  /** Readers that were killed and do not exit. */
  stuck: number;
}

export class Hangs {
  readonly #members = new Map<Member, Hung>();
  readonly #clock: () => number;
  #stuck = 0;

  /** Creates the record. `clock` is in milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  add(member: Member, path: HangingPath): void {
    this.#of(member).paths.set(path, this.#clock());
  }

  /** Notes that a reader that hung there was killed and does not exit. */
  hold(member: Member): void {
    this.#of(member).stuck++;
    this.#stuck++;
  }

  /** Notes that it has exited after all. */
  release(member: Member): void {
    this.#of(member).stuck--;
    this.#stuck--;
  }

  /** Returns whether files of this tenant's processes that may hang are read. */
  mayRead(member: Member): boolean {
    const { stuck } = this.#members.get(member) ?? { stuck: 0 };
    return stuck === 0 && this.#stuck < stuckMax && this.paths(member).length < hangsMax;
  }

  /** Returns the files to skip. */
  paths(member: Member): readonly HangingPath[] {
    const hung = this.#members.get(member);
    if (hung === undefined) return [];
    for (const [path, at] of hung.paths) {
      if (this.#clock() - at > restMilliseconds) hung.paths.delete(path);
    }
    if (hung.paths.size === 0 && hung.stuck === 0) this.#members.delete(member);
    return [...hung.paths.keys()];
  }

  #of(member: Member): Hung {
    const hung = this.#members.get(member) ?? { paths: new Map<HangingPath, number>(), stuck: 0 };
    this.#members.set(member, hung);
    return hung;
  }
}
