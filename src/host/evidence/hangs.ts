/**
 * At which processes of whom readers hung. Such a process is passed over for a while; a tenant with
 * several, or with a reader that the kernel has not let go of, is left without arguments.
 */
import type { Member } from '../../usage/member.ts';

const restMilliseconds = 600_000;
const mostHangs = 3;

interface Hung {
  /** When, by process. */
  readonly pids: Map<number, number>;
  /** Readers that were killed and have not exited. */
  held: number;
}

export class Hangs {
  readonly #members = new Map<Member, Hung>();

  add(member: Member, pid: number, now = performance.now()): void {
    const hung = this.#members.get(member) ?? { pids: new Map<number, number>(), held: 0 };
    hung.pids.set(pid, now);
    hung.held++;
    this.#members.set(member, hung);
  }

  /** A reader that hung there has exited. */
  release(member: Member): void {
    const hung = this.#members.get(member);
    if (hung !== undefined) hung.held--;
  }

  mayRead(member: Member, pid: number, now = performance.now()): boolean {
    const hung = this.#members.get(member);
    if (hung === undefined) return true;
    for (const [each, at] of hung.pids) {
      if (now - at > restMilliseconds) hung.pids.delete(each);
    }
    if (hung.held > 0 || hung.pids.size >= mostHangs) return false;
    if (hung.pids.size === 0) this.#members.delete(member);
    return !hung.pids.has(pid);
  }
}
