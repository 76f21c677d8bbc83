/**
 * Pins in the vault. A namespace is never pinned over another (the kernel refuses it): each generation has a file of its
 * own, and a link that takes its place when it is complete. All throw Node's errors.
 */
import {
  closeSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { sleepSync } from '../../../sys/sleep.ts';
import { bindMount, detachMount, enterNamespace, newNamespace } from '../../../sys/mount-calls.ts';

/** Of the launcher, between reading the link and opening what it leads to. */
const launcherMilliseconds = 50;

export class Pins {
  readonly #ns: string;
  readonly #ipc: string;
  readonly #retired: string[] = [];

  constructor(inside: string) {
    this.#ns = `${inside}/ns`;
    this.#ipc = `${inside}/ipc`;
  }

  /** The inode of the namespace that a tenant's processes enter now; absent if they cannot enter, for want of either. */
  current(uid: number): number | undefined {
    try {
      if (!isPinned(`${this.#ipc}/${uid}`)) return undefined;
      return statSync(`${this.#ns}/${uid}`).ino;
    } catch {
      return undefined;
    }
  }

  get uids(): readonly number[] {
    return readdirSync(this.#ns)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  }

  /** Puts the namespace of `fd` in the place of the one before. In the vault; answers its inode. */
  replace(uid: number, fd: number): number {
    const generation = `${uid}-${Date.now().toString(36)}-${process.pid}`;
    const file = `${this.#ns}/${generation}`;
    writeFileSync(file, '', { mode: 0o600 });
    try {
      bindMount(`/proc/self/fd/${fd}`, file);
    } catch (error) {
      rmSync(file);
      throw error;
    }
    const before = this.#generation(uid);
    const link = `${this.#ns}/${uid}`;
    rmSync(`${link}.new`, { force: true });
    symlinkSync(generation, `${link}.new`);
    renameSync(`${link}.new`, link);
    if (before !== undefined) this.#retired.push(before);
    return statSync(file).ino;
  }

  #generation(uid: number): string | undefined {
    try {
      return readlinkSync(`${this.#ns}/${uid}`);
    } catch {
      return undefined;
    }
  }

  /** One for each tenant, whatever becomes of its mounts. In the vault. */
  ensureIpc(uid: number): void {
    const file = `${this.#ipc}/${uid}`;
    if (isPinned(file)) return;
    const here = openSync('/proc/thread-self/ns/ipc', 'r');
    try {
      newNamespace('ipc');
      const made = openSync('/proc/thread-self/ns/ipc', 'r');
      enterNamespace(here, 'ipc');
      writeFileSync(file, '', { mode: 0o600 });
      bindMount(`/proc/self/fd/${made}`, file);
      closeSync(made);
    } finally {
      closeSync(here);
    }
  }

  remove(uid: number): void {
    const generation = this.#generation(uid);
    rmSync(`${this.#ns}/${uid}`, { force: true });
    if (generation !== undefined) this.#unpin(`${this.#ns}/${generation}`);
    if (isPinned(`${this.#ipc}/${uid}`)) this.#unpin(`${this.#ipc}/${uid}`);
  }

  /** Lets go of what has been replaced: processes in it go on, and no others come. */
  retire(): void {
    if (this.#retired.length > 0) sleepSync(launcherMilliseconds);
    for (const generation of this.#retired.splice(0)) this.#unpin(`${this.#ns}/${generation}`);
    this.#removeLeftovers();
  }

  /** Of a builder that was killed. */
  #removeLeftovers(): void {
    const current = new Set(this.uids.map((uid) => this.#generation(uid)));
    for (const name of readdirSync(this.#ns)) {
      if (!/^\d+-/.test(name) || current.has(name)) continue;
      this.#unpin(`${this.#ns}/${name}`);
    }
  }

  #unpin(file: string): void {
    if (isPinned(file)) detachMount(file);
    rmSync(file, { force: true });
  }
}

/** Inodes of namespaces are numbered from here on. Source: linux/proc_ns.h, PROC_DYNAMIC_FIRST. */
const firstNamespace = 0xf0000000;

const isPinned = (file: string): boolean =>
  (statSync(file, { throwIfNoEntry: false })?.ino ?? 0) >= firstNamespace;
