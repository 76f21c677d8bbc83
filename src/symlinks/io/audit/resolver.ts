/**
 * Finds where a symbolic link ends, a name at a time, so that no step is made into a file system that could make us
 * wait. Everything is opened by O_PATH, which asks no file system and triggers no mount.
 */
import { readlinkSync } from 'node:fs';
import { readText } from '../../../../packages/base/io/read.ts';
import {
  closeEntry,
  kinds,
  Memory,
  openEntry,
  openEntryWithin,
  openFlags,
  readTarget,
  resolve as rules,
  statBytes,
  statEntry,
  statOf,
} from '../../../sys/files/entries.ts';
import type { Destination } from '../../core/audit/judge.ts';
import { blockerOf, type MountKinds } from './mount-kinds.ts';

/** The kernel's maximum. Source: path_resolution(7). */
const linksMax = 40;
/** Forty links of two thousand names each would take a fraction of a second, and a tenant may have many such. */
const stepsMax = 1000;
export const pathBytesMax = 4096;
const remembered = 20_000;
const enter = 0o001;

interface Place {
  readonly fd: number;
  readonly kind: number;
  readonly uid: number;
  readonly permissions: number;
  readonly identity: string;
  readonly mount: string;
}

interface Way {
  at: Place;
  /** The names still to resolve, the next one last. */
  readonly names: string[];
  links: number;
  /** Whether everyone may enter all directories so far. */
  open: boolean;
  readonly followed: (uid: number) => boolean;
  arrived: boolean;
}

function go(way: Way, next: Place): undefined {
  closeEntry(way.at.fd);
  way.at = next;
}

const tooFar = ({ at }: Way): Destination => ({
  kind: 'unread',
  path: pathOf(at.fd),
  why: `a place behind more than ${stepsMax} names`,
});

const nameBytesMax = 255;
const ENAMETOOLONG = 36;

/** A directory that was reached, open by O_PATH, or the destination at which the path ended. */
export type Reached = { readonly fd: number; readonly to: There } | { readonly to: Destination };
export type There = Destination & { readonly kind: 'there' };

export class Resolver {
  readonly #mounts: MountKinds;
  readonly #root: number;
  readonly #stat = new Memory(statBytes);
  readonly #name = new Memory(pathBytesMax);
  readonly #target = new Memory(pathBytesMax);
  readonly #empty = new Memory(1);
  /** The destinations of absolute targets, which mean the same in every directory. */
  readonly #absolute = new Map<string, Destination>();

  constructor(mounts: MountKinds) {
    this.#mounts = mounts;
    this.#root = openEntry(-100, this.#name.write('/'), openFlags.path | openFlags.directory);
    if (this.#root < 0) throw new Error('/ cannot be opened');
    this.#empty.bytes[0] = 0;
  }

  [Symbol.dispose](): void {
    closeEntry(this.#root);
  }

  /**
   * Returns the owner of the target's file (`target` is an address), if the kernel can find it without leaving the
   * mount. Most links lead to a file next to them, and nothing more has to be known of those.
   */
  ownerNearby(directory: number, target: number): number | undefined {
    const flags = openFlags.path;
    const fd = openEntryWithin(directory, target, flags, rules.sameMount | rules.noMagicLinks);
    if (fd < 0) return undefined;
    const failed = statEntry(fd, this.#empty.address, this.#stat) < 0;
    closeEntry(fd);
    return failed ? undefined : statOf.uid(this.#stat);
  }

  resolve(directory: number, target: string): Destination {
    const known = this.#absolute.get(target);
    if (known !== undefined) return known;
    const { to: found } = this.#walk(directory, target, anybody, false);
    if (target.startsWith('/') && this.#absolute.size < remembered)
      this.#absolute.set(target, found);
    return found;
  }

  /** Follows links that root made, and no others. The descriptor is the caller's to close. */
  openTrusted(path: string): Reached {
    return this.#walk(this.#root, path, (uid) => uid === 0, true);
  }

  #walk(
    directory: number,
    target: string,
    followed: (uid: number) => boolean,
    keep: boolean,
  ): Reached {
    const at = this.#open(target.startsWith('/') ? this.#root : directory, '.');
    if (typeof at === 'number') return { to: { kind: 'loop' } };
    const way: Way = { at, names: namesOf(target), links: 0, open: true, followed, arrived: false };
    for (let steps = 0; ; steps++) {
      const to = steps < stepsMax ? this.#step(way) : tooFar(way);
      if (to === undefined) continue;
      if (keep && way.arrived && to.kind === 'there') return { fd: way.at.fd, to };
      closeEntry(way.at.fd);
      return { to };
    }
  }

  /** Makes a step; returns the destination once it is reached. */
  #step(way: Way): Destination | undefined {
    const { at, names } = way;
    const blocker = blockerOf(this.#mounts.of(at.mount));
    if (blocker !== undefined) return { kind: 'unread', path: pathOf(at.fd), why: blocker.reason };
    const name = names.pop();
    if (name === undefined) {
      way.arrived = true;
      return this.#there(at, way.open);
    }
    const next = this.#open(at.fd, name);
    if (typeof next === 'number') return nowhere(at, name, names);
    if (next.kind === kinds.link) return this.#turn(way, next);
    if (names.length > 0) way.open &&= (next.permissions & enter) !== 0;
    return go(way, next);
  }

  /** Continues at a link with its target. */
  #turn(way: Way, link: Place): Destination | undefined {
    const text = way.followed(link.uid) ? this.#follow(link) : undefined;
    closeEntry(link.fd);
    if (text === undefined || ++way.links > linksMax) return { kind: 'loop' };
    if (typeof text !== 'string') return text;
    way.names.push(...namesOf(text));
    if (!text.startsWith('/')) return undefined;
    const root = this.#open(this.#root, '.');
    return typeof root === 'number' ? { kind: 'loop' } : go(way, root);
  }

  /** Returns the target of a link. Links in /proc are not followed: they lead to what they stand for. */
  #follow(link: Place): string | Destination | undefined {
    if (this.#mounts.of(link.mount) === 'kernel') return this.#there(link, true);
    const size = readTarget(link.fd, this.#empty.address, this.#target);
    return size > 0 ? this.#target.bytes.toString('latin1', 0, size) : undefined;
  }

  #there(place: Place, open: boolean): There {
    const { fd, kind, uid: owner, permissions, mount, identity } = place;
    const type = kind === kinds.directory ? 'directory' : kind === kinds.file ? 'file' : 'other';
    const ofKernel = this.#mounts.of(mount) === 'kernel';
    const path = pathOf(fd);
    return { kind: 'there', path, identity, owner, permissions, type, open, ofKernel };
  }

  /** Opens an entry; returns it, or the negative errno. */
  #open(directory: number, name: string): Place | number {
    if (name.length > nameBytesMax) return -ENAMETOOLONG;
    const fd = openEntry(directory, this.#name.write(name), openFlags.path | openFlags.noFollow);
    if (fd < 0) return fd;
    const error = statEntry(fd, this.#empty.address, this.#stat);
    if (error < 0) {
      closeEntry(fd);
      return error;
    }
    const stat = this.#stat;
    return {
      fd,
      kind: statOf.kind(stat),
      uid: statOf.uid(stat),
      permissions: statOf.permissions(stat),
      identity: statOf.identity(stat),
      mount: statOf.mount(stat) ?? mountOf(fd),
    };
  }
}

const anybody = () => true;

/**
 * Returns the names of a path, the last one first. A path that ends with a slash has to lead to a directory, which
 * makes no difference here.
 */
const namesOf = (path: string): string[] =>
  path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .reverse();

const nowhere = (at: Place, name: string, names: readonly string[]): Destination => ({
  kind: 'nowhere',
  path: [pathOf(at.fd).replace(/\/$/, ''), name, ...names.toReversed()].join('/'),
  owner: at.uid,
});

/** Returns the path of a descriptor as a byte string. */
export function pathOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`, 'buffer').toString('latin1');
  } catch {
    // Longer than the kernel prints.
    return '(too long)';
  }
}

/** Returns the number of the mount, if statx does not report it. */
export const mountOf = (fd: number): string =>
  /^mnt_id:\s*(\d+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`) ?? '')?.[1] ?? '';
