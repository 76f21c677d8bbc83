/**
 * Builds one jail: a copy of the skeleton in a namespace of its own, and in it the files that only this tenant sees.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { isAt, type JailPath } from '../../../policy/jail.ts';
import type { Account } from '../../../policy/policy.ts';
import { errnoOf } from '../../../../packages/base/io/errno.ts';
import type { Mount } from '../../../sys/files/mounts.ts';
import { pinWithoutLinks } from '../../../sys/files/pin-without-links.ts';
import { directoryProblem } from '../../../../packages/base/io/pinned-directory.ts';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import {
  attach,
  mountAttributes,
  coverRoot,
  copyTree,
  makeFileSystem,
  newNamespace,
  openWithoutLinks,
  runOn,
} from '../../../sys/mount-calls.ts';
import type { AccountFiles } from '../../core/account-files.ts';
import { keyOf, type JailKey } from '../../core/jail-key.ts';
import { homeBase, pathBlocker, sharedMemory, terminals } from '../../core/layout.ts';
import type { JailPaths } from '../jail-paths.ts';
import { openHome, openSiteHome } from './home.ts';
import type { Pins } from './pins.ts';
import type { JailTenant } from './protocol.ts';
import type { Skeleton } from './skeleton.ts';
import { placeFor, temporaryDirectories, type TemporaryPlaces } from './temporary.ts';
import { blankDirectory, processors, type Vault } from './vault.ts';

const own = mountAttributes.nosuid | mountAttributes.nodev;
const devices = mountAttributes.nosuid | mountAttributes.noexec;
const ownReadOnly = own | mountAttributes.readOnly;

/** A mount, and its place below the jail's root. */
interface Source {
  readonly fd: number;
  /** The path below `fd`; `fd` itself if empty. */
  readonly path: string;
  readonly to: string;
  readonly attributes: number;
}

/** The host's files and directories that a jail is made of. They stay open, so that nobody can replace them. */
export class JailSources implements Disposable {
  readonly all: Source[] = [];
  readonly #held: number[] = [];
  /** A text that changes when any of it is another directory, or is mounted anew. */
  print = '';

  add(fd: number, path: string, to: string, attributes: number): void {
    this.all.push({ fd, path, to, attributes });
    if (!this.#held.includes(fd)) this.#held.push(fd);
    const { dev, ino } = fstatSync(fd);
    const mount = /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    this.print += `${to} ${dev} ${ino} ${mount ?? ''} ${attributes}\n`;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#held) closeSync(fd);
  }
}

/** Opens all sources, in the host's namespace. Throws Node's errors. */
export function openSources(
  tenant: JailTenant,
  paths: JailPaths,
  mounts: readonly Mount[],
  temporary: TemporaryPlaces,
): Result<JailSources, Problem> {
  const sources = new JailSources();
  const problem = addAll(sources, tenant, paths, mounts, temporary);
  if (problem === undefined) return ok(sources);
  sources[Symbol.dispose]();
  return fail(problem);
}

function addAll(
  sources: JailSources,
  tenant: JailTenant,
  paths: JailPaths,
  mounts: readonly Mount[],
  places: TemporaryPlaces,
): Problem | undefined {
  const { account, jail } = tenant;
  const home = account === undefined ? ok(undefined) : addHome(sources, account, tenant.site);
  if (!home.ok) return home.error;
  const place = placeFor(home.value, paths, mounts);
  const temporary = places.ensure(place, tenant);
  if (!temporary.ok) return temporary.error;
  const noexec = jail.profile === 'strict' ? mountAttributes.noexec : 0;
  for (const [name, to] of Object.entries(temporaryDirectories)) {
    sources.add(temporary.value, name, to.slice(1), own | noexec);
  }
  for (const path of jail.paths) {
    const opened = openPath(path, account?.home);
    if (!opened.ok) return opened.error;
    sources.add(opened.value, '', path.at.slice(1), path.access === 'read' ? ownReadOnly : own);
  }
  return undefined;
}

/** Adds the home, and returns its descriptor; absent if there is no such directory. */
function addHome(
  sources: JailSources,
  account: Account,
  site: string | undefined,
): Result<number | undefined, Problem> {
  const base = homeBase(account.home);
  if (!base.ok) {
    return failed({ action: 'mount the home of', object: account.user, ...base.error });
  }
  const home = site === undefined ? openHome(account) : openSiteHome(account, site);
  if (home.ok && home.value !== undefined) {
    sources.add(home.value, '', account.home.slice(1), own);
  }
  return home;
}

/** Opens a directory named in the policy. Only root must be able to replace it. */
function openPath({ at }: JailPath, home: string | undefined): Result<number, Problem> {
  const cannot = { action: 'mount the path of the policy', object: at };
  const blocker = pathBlocker(at, home);
  if (blocker !== undefined) return failed({ ...cannot, ...blocker });
  const pinned = pinWithoutLinks(dirname(at));
  if (!pinned.ok) return failed({ ...cannot, ...pinned.error, ...cannot });
  using parent = pinned.value;
  const problem = directoryProblem(parent);
  if (problem !== undefined) return failed({ ...cannot, ...problem });
  try {
    return ok(openWithoutLinks(basename(at), parent.fd));
  } catch (error) {
    const reasons = { ENOENT: 'it does not exist', ELOOP: 'it is a symbolic link' } as const;
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ELOOP') {
      return failed({ ...cannot, reason: reasons[errno], errno });
    }
    if (errno === 'ENOTDIR') return failed({ ...cannot, reason: 'it is not a directory', errno });
    throw error;
  }
}

/**
 * Returns a fingerprint of all that a jail is built from. While it stays the same, the jail need not be built again.
 */
export function fingerprintOf(tenant: JailTenant, sources: JailSources): string {
  const { jail, account } = tenant;
  const { profile, paths, databases } = jail;
  const what = JSON.stringify([
    3,
    { profile, paths, databases },
    account,
    keyOf(tenant),
    sources.print,
  ]);
  return createHash('sha256').update(what).digest('hex').slice(0, 32);
}

/** Writes account files in the vault. They are replaced in place, so the jail sees them at once. */
export function writeAccountFiles(
  key: JailKey,
  { passwd, group }: AccountFiles,
  { inside }: JailPaths,
): Result<void, Problem> {
  const directory = `${inside}/tenant/${key}`;
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries({ passwd, group })) {
    if (isSame(`${directory}/${name}`, text)) continue;
    const written = replaceFile(`${directory}/${name}`, text, 0o644);
    if (!written.ok) return written;
  }
  return ok(undefined);
}

function isSame(path: string, text: string): boolean {
  try {
    return readFileSync(path, 'utf8') === text;
  } catch {
    return false;
  }
}

interface Stage {
  readonly vault: Vault;
  readonly paths: JailPaths;
  readonly skeleton: Skeleton;
  readonly pins: Pins;
}

/**
 * Builds and pins the jail, and returns the inode of its namespace. Begins and ends in the vault. Throws Node's
 * errors.
 */
export function buildTenant(tenant: JailTenant, sources: JailSources, stage: Stage): number {
  const { vault, paths, pins } = stage;
  pins.ensureIpc(keyOf(tenant));
  makeMountPoints(tenant, sources, stage);
  // Mounts are copied in the namespace that has them: the host's mounts there, the others in the vault.
  vault.leave();
  const copies: (readonly [fd: number, to: string])[] = [];
  try {
    for (const { fd, path, to, attributes: set } of sources.all) {
      copies.push([copyTree(fd, { set, recursive: path === '' }, path), to]);
    }
    vault.enter();
    copies.unshift(...ownCopies(tenant, paths));
    copies.unshift([copyTree(stage.skeleton.tree, { set: 0, recursive: true }), '']);
    return pinNew(keyOf(tenant), copies, stage);
  } finally {
    for (const [fd] of copies.splice(0)) closeSync(fd);
    vault.enter();
  }
}

/**
 * Copies the vault's mounts that only this tenant sees. The directory of homes comes first, since the home is in it.
 */
function ownCopies(
  tenant: JailTenant,
  { inside }: JailPaths,
): readonly (readonly [fd: number, to: string])[] {
  const { uid, account, jail } = tenant;
  const key = keyOf(tenant);
  const set = ownReadOnly | mountAttributes.noexec;
  const base = baseOf(account?.home);
  const noexec = jail.profile === 'strict' ? mountAttributes.noexec : 0;
  const owner = { uid: `${uid}`, gid: `${account?.gid ?? uid}`, mode: '1777' };
  return [
    [copyTree(`${inside}/tenant/${key}`, { set, propagation: 'private' }), '.bulkhead'],
    ...(base === undefined
      ? []
      : ([
          [copyTree(`${inside}/base/${key}`, { set, propagation: 'private' }), base.slice(1)],
        ] as const)),
    [makeFileSystem('tmpfs', { ...sharedMemory, ...owner }, own | noexec), 'dev/shm'],
    [makeFileSystem('devpts', { ...terminals, gid: terminalGroup() }, devices), 'dev/pts'],
  ];
}

/** Returns the gid of /dev/tty: the group `tty`, if the host has one. */
const terminalGroup = () => `${statSync('/dev/tty').gid}`;

const baseOf = (home: string | undefined): string | undefined => {
  const base = home === undefined ? undefined : homeBase(home);
  return base?.ok === true ? base.value : undefined;
};

/** Makes empty directories to mount on, which only root can change: in the skeleton, or next to the home. */
function makeMountPoints(
  tenant: JailTenant,
  sources: JailSources,
  { skeleton, paths: { inside } }: Stage,
): void {
  const base = baseOf(tenant.account?.home);
  const beside = `${inside}/base/${keyOf(tenant)}`;
  if (base !== undefined) {
    mkdirSync(`${skeleton.root}${base}`, { recursive: true, mode: 0o755 });
    mkdirSync(beside, { recursive: true, mode: 0o755 });
  }
  for (const { to } of sources.all) {
    const path = `/${to}`;
    const inBase = base !== undefined && isAt(path, base);
    const at = inBase ? `${beside}${path.slice(base.length)}` : `${skeleton.root}${path}`;
    mkdirSync(at, { recursive: true, mode: 0o755 });
  }
}

/**
 * Pins the new namespace. Linux 6.18 numbers namespaces by processor, and refuses to pin one below another with a
 * higher number. The caller then tries other processors until one gives a number that is high enough.
 */
function pinNew(
  key: JailKey,
  copies: (readonly [fd: number, to: string])[],
  { vault, pins }: Stage,
): number {
  vault.enterBlank();
  newNamespace('mount');
  // The first is the root, and is there from then on.
  attachNext(copies);
  const root = openWithoutLinks(blankDirectory);
  let made: number | undefined;
  try {
    while (copies.length > 0) attachNext(copies, root);
    made = openSync(`${blankDirectory}/proc/thread-self/ns/mnt`, 'r');
    coverRoot(root);
    vault.enter();
    return pins.replace(key, made);
  } finally {
    closeSync(root);
    if (made !== undefined) closeSync(made);
  }
}

/** Attaches the first of the copies, which is closed either way. */
function attachNext(copies: (readonly [fd: number, to: string])[], root?: number): void {
  const at = root ?? openWithoutLinks(blankDirectory);
  try {
    const [fd, to] = copies.shift() ?? [-1, ''];
    attach(fd, at, to);
  } finally {
    if (root === undefined) closeSync(at);
  }
}

/** Runs `buildTenant` on one processor after another until the kernel accepts the pin. */
export function buildOnSome(tenant: JailTenant, sources: JailSources, stage: Stage): number {
  for (const processor of [undefined, ...processors]) {
    try {
      if (processor !== undefined) runOn(processor);
      return buildTenant(tenant, sources, stage);
    } catch (error) {
      const { syscall } = error as NodeJS.ErrnoException;
      if (syscall !== 'mount' || processor === processors.at(-1)) throw error;
    }
  }
  throw new Error('There is no processor');
}

/** Drops a tenant's jail, in the vault. A launcher may be copying a configuration there: that ends soon. */
export function dropTenant(key: JailKey, pins: Pins, { inside }: JailPaths): void {
  pins.remove(key);
  for (const each of [`tenant/${key}`, `base/${key}`, `locks/${key}`]) {
    rmSync(`${inside}/${each}`, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 });
  }
}
