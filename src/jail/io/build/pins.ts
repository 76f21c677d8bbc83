/**
 * Pins in the vault. A namespace is never pinned over another (the kernel refuses it): each generation has a file of its
 * own, and a link with the name of the jail leads to it as soon as it is complete. All throw Node's errors.
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
import { idOf, isKey, type JailKey } from '../../core/jail-key.ts';
import { sleepSync } from '../../../sys/sleep.ts';
import { bindMount, detachMount, enterNamespace, newNamespace } from '../../../sys/mount-calls.ts';

/** The time that the launcher may need between reading the link and opening its target. */
const launcherMilliseconds = 50;

export class Pins {
  readonly #ns: string;
  readonly #ipc: string;
  readonly #retired: string[] = [];
  #made = 0;

  constructor(inside: string) {
    this.#ns = `${inside}/ns`;
    this.#ipc = `${inside}/ipc`;
  }

  /** Returns the inode of the namespace that is entered now; absent if the mount or IPC namespace is missing. */
  current(key: JailKey): number | undefined {
    try {
      if (!isPinned(`${this.#ipc}/${key}`)) return undefined;
      return statSync(`${this.#ns}/${key}`).ino;
    } catch {
      return undefined;
    }
  }

  get keys(): readonly JailKey[] {
    return readdirSync(this.#ns)
      .filter(isKey)
      .filter((name) => this.#generation(name) !== undefined);
  }

  /** Replaces the jail's namespace with `fd`, in the vault. Returns its inode. */
  replace(key: JailKey, fd: number): number {
    const generation = generationOf(key, this.#made++);
    const file = `${this.#ns}/${generation}`;
    writeFileSync(file, '', { mode: 0o600 });
    try {
      bindMount(`/proc/self/fd/${fd}`, file);
    } catch (error) {
      rmSync(file);
      throw error;
    }
    const before = this.#generation(key);
    const link = `${this.#ns}/${key}`;
    const fresh = `${this.#ns}/new`;
    rmSync(fresh, { force: true });
    symlinkSync(generation, fresh);
    renameSync(fresh, link);
    if (before !== undefined) this.#retired.push(before);
    return statSync(file).ino;
  }

  #generation(key: JailKey): string | undefined {
    try {
      return readlinkSync(`${this.#ns}/${key}`);
    } catch {
      return undefined;
    }
  }

  /** Makes the jail's IPC namespace, in the vault. There is one for each jail, whatever happens to its mounts. */
  ensureIpc(key: JailKey): void {
    const file = `${this.#ipc}/${key}`;
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

  remove(key: JailKey): void {
    const generation = this.#generation(key);
    rmSync(`${this.#ns}/${key}`, { force: true });
    if (generation !== undefined) this.#unpin(`${this.#ns}/${generation}`);
    if (isPinned(`${this.#ipc}/${key}`)) this.#unpin(`${this.#ipc}/${key}`);
  }

  /** Unpins replaced namespaces: processes in them go on, and no others enter. */
  retire(): void {
    if (this.#retired.length > 0) sleepSync(launcherMilliseconds);
    for (const generation of this.#retired.splice(0)) this.#unpin(`${this.#ns}/${generation}`);
    this.#removeLeftovers();
  }

  /** Removes pins of a builder that was killed. */
  #removeLeftovers(): void {
    const { keys } = this;
    const used = new Set<string | undefined>([
      ...keys,
      ...keys.map((key) => this.#generation(key)),
    ]);
    for (const name of readdirSync(this.#ns)) {
      if (!used.has(name)) this.#unpin(`${this.#ns}/${name}`);
    }
  }

  #unpin(file: string): void {
    if (isPinned(file)) detachMount(file);
    rmSync(file, { force: true });
  }
}

/** Returns a unique name. The PAM module expects the uid first; the capital keeps it from being the name of a site. */
const generationOf = (key: JailKey, number: number): string =>
  `${idOf(key).uid}-G${Date.now().toString(36)}-${process.pid}-${number}`;

/** The lowest inode of a namespace made later than the kernel's own. Source: linux/proc_ns.h, PROC_DYNAMIC_FIRST. */
const firstNamespace = 0xf0000000;

const isPinned = (file: string): boolean =>
  (statSync(file, { throwIfNoEntry: false })?.ino ?? 0) >= firstNamespace;
