/**
 * Puts one process where it belongs.
 *
 * The real uid decides. A program that a tenant runs setuid keeps it, and stays with the tenant; a
 * daemon of root that acts as a tenant for a moment by its effective uid (sshd reading a key file)
 * keeps root's, and is left alone, since it would take all that it starts later with it. The
 * effective uid counts where the real one is neither a tenant's nor root's: a tenant's setuid
 * program that a web server runs is the tenant's work.
 *
 * Root's processes and those of uids that are no tenants' are never moved, not even out.
 */
import { describeErrno, type ErrnoName } from '../errno.ts';
import { foreignGroup } from './foreign.ts';
import { GroupDoor } from './group-door.ts';
import { ProcessReader, type Owner } from './process-reader.ts';
import type { PlacerHierarchy, TargetsCommand } from './protocol.ts';

export type Outcome =
  | 'gone'
  | 'other'
  | 'inside'
  | 'moved'
  /** Outside, and why. */
  | { readonly uid: number; readonly reason: string };

const nobodyMoves = 'nothing places it, since no agent runs';

/** Each some hundred bytes. */
const mostInsideTexts = 4_096;

export class Placer {
  placed = 0;
  readonly #door = new GroupDoor();
  readonly #reader = new ProcessReader();
  #groups = new Map<number, string>();
  #hierarchies: readonly PlacerHierarchy[] = [];
  #unified = false;
  #containers: 'leave' | 'move' = 'leave';
  /** By group, what /proc/PID/cgroup last said of a process inside: most say the same. */
  readonly #insideTexts = new Map<string, string>();
  readonly #missing: (group: string) => void;

  readonly #moves: boolean;

  /** `missing` is told of each group that is not there, again and again. */
  constructor(missing: (group: string) => void, { moves }: { readonly moves: boolean }) {
    this.#missing = missing;
    this.#moves = moves;
  }

  use({ tree, targets, containers }: TargetsCommand): void {
    this.#door.use(tree);
    this.#insideTexts.clear();
    this.#hierarchies = tree.hierarchies;
    this.#unified = tree.version === 2;
    this.#containers = containers;
    this.#groups = new Map(targets.filter(([uid]) => uid > 0));
  }

  /** Whether it can be a tenant's, by what an event says. */
  concerns(ruid: number, euid: number): boolean {
    return this.#groupOf(ruid, euid) !== undefined;
  }

  #groupOf(ruid: number, euid: number): string | undefined {
    return this.#groups.get(ruid) ?? (ruid === 0 ? undefined : this.#groups.get(euid));
  }

  /** Looks at a process, and moves it where that is called for. */
  place(pid: number): Outcome {
    const owner = this.#reader.owner(pid);
    if (owner === undefined || owner.dead) return 'gone';
    const group = this.#groupOf(owner.ruid, owner.euid);
    // A thread goes with its process, whose number comes by too.
    if (group === undefined || owner.tgid !== pid) return 'other';
    const text = this.#reader.groups(pid, owner.thread);
    if (text === undefined) return 'gone';
    if (this.#insideTexts.get(group) === text) return 'inside';
    const paths = this.#pathsOf(text);
    const outside = [...paths.keys()].filter((index) => !this.#isIn(group, paths, index));
    if (outside.length === 0) {
      if (this.#insideTexts.size >= mostInsideTexts) this.#insideTexts.clear();
      this.#insideTexts.set(group, text);
      return 'inside';
    }
    const foreign = this.#foreignOf(paths);
    if (foreign !== undefined) return { uid: uidOf(owner, this.#groups), reason: foreign };
    if (!this.#moves) return { uid: uidOf(owner, this.#groups), reason: nobodyMoves };
    return this.#move(pid, owner, group, outside);
  }

  /** Where it is in each hierarchy of the tree. */
  #pathsOf(text: string): readonly string[] {
    const lines = text.split('\n').map((line) => {
      const [, controllers = '', ...path] = line.split(':');
      return { controllers: controllers.split(','), path: path.join(':') };
    });
    return this.#hierarchies.map(({ controller }) => {
      const name = this.#unified ? '' : controller;
      return lines.find((each) => each.controllers.includes(name))?.path ?? '';
    });
  }

  #isIn(group: string, paths: readonly string[], index: number): boolean {
    const wanted = `${this.#hierarchies[index]?.path}/${group}`;
    const path = paths[index] ?? '';
    return path === wanted || path.startsWith(`${wanted}/`);
  }

  /** Why it is to stay in another manager's group, if it is in one. */
  #foreignOf(paths: readonly string[]): string | undefined {
    for (const [index, path] of paths.entries()) {
      if (path.startsWith(`${this.#hierarchies[index]?.path}/`)) continue;
      const foreign = foreignGroup(path);
      if (foreign === undefined) continue;
      if (foreign.kind === 'user manager' || this.#containers === 'leave') return foreign.reason;
    }
    return undefined;
  }

  #move(pid: number, owner: Owner, group: string, outside: readonly number[]): Outcome {
    let refused: ErrnoName | undefined;
    for (const index of outside) {
      const error = this.#door.move(pid, group, index);
      if (error === 'ESRCH') return 'gone';
      if (error === 'ENOENT') this.#missing(group);
      refused ??= error;
    }
    if (refused === undefined) {
      this.placed++;
      return 'moved';
    }
    const why =
      refused === 'ENOENT' ? 'it does not exist' : `the kernel says ${describeErrno(refused)}`;
    const uid = uidOf(owner, this.#groups);
    return { uid, reason: `Cannot move it into the group "${group}": ${why}` };
  }
}

const uidOf = ({ ruid, euid }: Owner, groups: ReadonlyMap<number, string>) =>
  groups.has(ruid) ? ruid : euid;
