/**
 * The vault: a namespace in which the namespaces of all tenants are pinned. So the host's own mount table gets only two
 * lines, however many tenants there are.
 *
 * Copied namespaces, such as a service's with PrivateTmp, do not contain pins: they are reached only through process 1.
 */
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { errnoOf } from '../../../../packages/base/io/errno.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import {
  attach,
  mountAttributes,
  bindMount,
  changeRoot,
  closeDescriptor,
  detachMount,
  enterNamespace,
  makeDirectory,
  makeFileSystem,
  newNamespace,
  openWithoutLinks,
  runOn,
  setPropagation,
} from '../../../sys/mount-calls.ts';
import { jailSource } from '../../core/layout.ts';
import type { JailPaths } from '../jail-paths.ts';

/**
 * The root of each jail is a directory of this file system. BPF programs recognise jails by its source. Its size is a
 * ceiling: it uses about 7 KiB for each tenant.
 */
const fileSystem = { source: jailSource, mode: '0711', size: '1g', nr_inodes: '2000000' };

/** The place for the root of a jail. */
export const blankDirectory = '/jail';

/** Moves this thread between the host's namespace and the vault's. All methods throw Node's errors. */
export class Vault implements Disposable {
  readonly #host: number;
  #vault: number | undefined;
  #blank: number | undefined;
  readonly #paths: JailPaths;

  /** Enters the host's own namespace, whatever namespace the caller is in. */
  constructor(paths: JailPaths) {
    this.#paths = paths;
    this.#host = openSync(isHostsNamespace() ? '/proc/self/ns/mnt' : '/proc/1/ns/mnt', 'r');
    enterNamespace(this.#host, 'mount');
  }

  get exists(): boolean {
    const { vault, below } = this.#paths;
    const [pin, file] = [vault, below].map((path) => statSync(path, { throwIfNoEntry: false }));
    if (pin === undefined || file === undefined) return false;
    return pin.ino !== file.ino || pin.dev !== file.dev;
  }

  /** Opens the vault, and makes it if it does not exist. Begins and ends in the host's namespace. */
  open(): void {
    if (!this.exists) this.#make();
    runOn(Number(readFileSync(this.#paths.processor, 'utf8')));
    this.#vault = openSync(this.#paths.vault, 'r');
  }

  enter(): void {
    if (this.#vault === undefined) throw new Error('The vault is not open');
    enterNamespace(this.#vault, 'mount');
  }

  leave(): void {
    enterNamespace(this.#host, 'mount');
  }

  /**
   * Enters a namespace with nothing but the empty directory `blankDirectory`. A copy of it takes no longer with a
   * thousand jails, whose pins every copy of the vault contains. Begins in the vault.
   */
  enterBlank(): void {
    if (this.#blank === undefined) this.#blank = this.#makeBlank();
    else enterNamespace(this.#blank, 'mount');
  }

  #makeBlank(): number {
    newNamespace('mount');
    const made = openSync('/proc/thread-self/ns/mnt', 'r');
    // Else what is unmounted here would be unmounted in the vault, and in every jail.
    setPropagation('/', 'private');
    const place = openWithoutLinks(this.#paths.inside);
    attach(makeFileSystem('tmpfs', { mode: '0755', size: '4k' }, 0), place, '');
    closeDescriptor(place);
    const root = openWithoutLinks(this.#paths.inside);
    makeDirectory(root, blankDirectory.slice(1), 0o755);
    changeRoot(root);
    closeDescriptor(root);
    return made;
  }

  #make(): void {
    const { base, vault, below, inside, processor, tenants } = this.#paths;
    for (const each of [base, tenants, inside]) mkdirSync(each, { recursive: true, mode: 0o700 });
    // Left by a vault that was only half made.
    detachAll(vault);
    if (!isMountPoint(base)) bindMount(base, base);
    // A namespace cannot be pinned below a mount that is shared with its own copy of it.
    setPropagation(base, 'private', false);
    rmSync(vault, { force: true });
    rmSync(below, { force: true });
    writeFileSync(vault, '', { mode: 0o600 });
    linkSync(vault, below);
    const [first = 0] = processors;
    runOn(first);
    writeFileSync(processor, `${first}\n`, { mode: 0o600 });
    newNamespace('mount');
    try {
      setPropagation('/', 'slave');
      this.#fill(inside);
      const made = openSync('/proc/thread-self/ns/mnt', 'r');
      this.leave();
      bindMount(`/proc/self/fd/${made}`, vault);
      closeSync(made);
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  #fill(inside: string): void {
    const directory = openWithoutLinks(inside);
    try {
      attach(makeFileSystem('tmpfs', fileSystem, mountAttributes.nosuid), directory, '');
    } finally {
      closeSync(directory);
    }
    for (const name of ['root', 'mnt', 'etc', 'tenant', 'base', 'locks', 'ns', 'ipc']) {
      mkdirSync(`${inside}/${name}`, { mode: name === 'etc' ? 0o755 : 0o711 });
    }
  }

  /** Ends the vault, in the host's namespace. Its namespaces end with the last process in each. */
  remove(): void {
    const { base, vault } = this.#paths;
    if (existsSync(vault)) detachAll(vault);
    if (isMountPoint(base)) detachMount(base);
    rmSync(base, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.leave();
    for (const each of [this.#vault, this.#blank]) if (each !== undefined) closeSync(each);
    closeSync(this.#host);
  }
}

/**
 * Whether this process is in process 1's namespace, judged by the number of the root mount. In a container, process 1
 * may have more capabilities than we have, and its links in /proc are then closed to us.
 */
function isHostsNamespace(): boolean {
  const [host, here] = ['1', 'self'].map(
    (process) =>
      (readText(`/proc/${process}/mountinfo`) ?? '')
        .split('\n')
        .find((line) => line.split(' ')[4] === '/')
        ?.split(' ', 1)[0],
  );
  return host !== undefined && host === here;
}

function detachAll(path: string): void {
  for (let left = 16; left > 0 && existsSync(path); left--) {
    try {
      detachMount(path);
    } catch (error) {
      if (errnoOf(error) === 'EINVAL') return;
      throw error;
    }
  }
}

const isMountPoint = (path: string): boolean =>
  (readText('/proc/thread-self/mountinfo') ?? '')
    .split('\n')
    .some((line) => line.split(' ')[4] === path);

/** The processors on which this process could run before it bound itself to one. */
export const processors: readonly number[] = (
  /^Cpus_allowed_list:\s*(.*)$/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? '0'
)
  .split(',')
  .flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
