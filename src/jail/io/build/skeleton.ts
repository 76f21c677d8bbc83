/**
 * The common part of a profile's jails, one for tenants and one for sites: a tree of mounts in the vault that jails are
 * slaves of. Later mounts and unmounts in it arrive in all of them at once.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { databasesOf, jailDatabases, type Jail } from '../../../policy/jail.ts';
import {
  attach,
  mountAttributes,
  copyTree,
  detachMount,
  makeDeviceNode,
  makeFileSystem,
  openWithoutLinks,
  setPropagation,
} from '../../../sys/mount-calls.ts';
import {
  deviceLinks,
  devices,
  directories,
  filterPath,
  libraryNames,
  links,
  processOptions,
  sharedTrees,
} from '../../core/layout.ts';
import { filterFor } from '../../core/seccomp.ts';
import { bindOfHost, linkOnce } from './host-binds.ts';
import type { JailPaths } from '../jail-paths.ts';
import { mirrorEtc } from './etc-mirror.ts';

type Profile = Jail['profile'];

const plain = mountAttributes.readOnly | mountAttributes.nosuid | mountAttributes.nodev;

export interface Skeleton {
  /** The directory below its root, for mount points of paths that the policy names. */
  readonly root: string;
  /** The tree of mounts. */
  readonly tree: string;
  /** The directory of the host with the socket of the broker. */
  readonly broker: string;
  /** The directory of the host with the agent's socket. Sites have none: their uid is the tenant's. */
  readonly agent: string | undefined;
}

const isOfSite = ({ home }: Jail) => home !== undefined;

/** Returns the name: `web`, `web-site`, `web-mysql`, `web-none`. Jails that show the same share one. */
export function skeletonName(jail: Jail): string {
  const databases = databasesOf(jail);
  const shown = databases.length === 0 ? ['none'] : databases;
  const isAll = databases.length === jailDatabases.length;
  return [jail.profile, ...(isOfSite(jail) ? ['site'] : []), ...(isAll ? [] : shown)].join('-');
}

function skeletonOf(jail: Jail, { inside, broker, siteBroker, agent }: JailPaths): Skeleton {
  const name = skeletonName(jail);
  return {
    root: `${inside}/root/${name}`,
    tree: `${inside}/mnt/${name}`,
    broker: isOfSite(jail) ? siteBroker : broker,
    agent: isOfSite(jail) ? undefined : agent,
  };
}

/** Makes the skeleton if needed, in the vault. Throws Node's errors. */
export function ensureSkeleton(paths: JailPaths, jail: Jail): Skeleton {
  const { inside } = paths;
  const { profile } = jail;
  const skeleton = skeletonOf(jail, paths);
  if (!existsSync(`${skeleton.tree}/run/bulkhead/profile`)) make(skeleton, inside, profile);
  bindOfHost(skeleton, paths);
  return skeleton;
}

function make(skeleton: Skeleton, inside: string, profile: Profile): void {
  makeRoot(skeleton.root, profile);
  makeDevices(`${inside}/dev`);
  mkdirSync(skeleton.tree, { recursive: true, mode: 0o711 });
  try {
    mountAll(skeleton, inside, profile);
  } catch (error) {
    detachMount(skeleton.tree);
    throw error;
  }
}

/** Updates the copies of /etc, which all profiles share. Runs in the vault. */
export const refreshEtc = (inside: string): void => mirrorEtc('/etc', `${inside}/etc`);

function makeRoot(root: string, profile: Profile): void {
  mkdirSync(root, { recursive: true, mode: 0o755 });
  for (const each of directories) mkdirSync(`${root}/${each}`, { recursive: true, mode: 0o755 });
  for (const [name, target] of Object.entries(links)) linkOnce(target, `${root}/${name}`);
  for (const name of libraryNames) makeLibrary(root, name);
  writeFileSync(`${root}${filterPath}`, filterHere(profile));
  const record = `${root}/run/bulkhead/profile`;
  writeFileSync(`${record}.new`, `${profile}\n`);
  renameSync(`${record}.new`, record);
}

function filterHere(profile: Profile): Uint8Array {
  const { arch } = process;
  return arch === 'x64' || arch === 'arm64' ? filterFor(profile, arch) : new Uint8Array();
}

/** Makes the link `/lib -> usr/lib`, or a directory if this host has one. */
function makeLibrary(root: string, name: string): void {
  const stat = lstatSync(`/${name}`, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() === true) linkOnce(readlinkSync(`/${name}`), `${root}/${name}`);
  else if (stat?.isDirectory() === true) mkdirSync(`${root}/${name}`, { recursive: true });
}

function makeDevices(directory: string): void {
  mkdirSync(`${directory}/pts`, { recursive: true, mode: 0o755 });
  mkdirSync(`${directory}/shm`, { recursive: true, mode: 0o755 });
  for (const [name, major, minor] of devices) {
    const path = `${directory}/${name}`;
    if (!existsSync(path)) makeDeviceNode(path, 0o666, major, minor);
    chmodSync(path, 0o666); // whatever the umask is
  }
  for (const [name, target] of Object.entries(deviceLinks))
    linkOnce(target, `${directory}/${name}`);
}

function mountAll({ root, tree }: Skeleton, inside: string, profile: Profile): void {
  const at = openWithoutLinks(tree);
  attach(copyTree(root, { set: plain, propagation: 'private' }), at, '');
  closeSync(at);
  const top = openWithoutLinks(tree);
  try {
    const bind = (from: string, to: string, set: number, options = {}) =>
      attach(copyTree(from, { set, ...options }), top, to);
    for (const each of [...sharedTrees, ...unmergedTrees()]) {
      if (hasContent(each)) bind(each, each.slice(1), plain, { recursive: true });
    }
    bind(`${inside}/etc`, 'etc', plain | mountAttributes.noexec, { propagation: 'private' });
    const quiet = mountAttributes.nosuid | mountAttributes.noexec;
    const device = { clear: mountAttributes.nodev, propagation: 'private' } as const;
    bind(`${inside}/dev`, 'dev', mountAttributes.readOnly | quiet, device);
    const options = processOptions({ profile, paths: [] });
    attach(makeFileSystem('proc', options, quiet | mountAttributes.nodev), top, 'proc');
  } finally {
    closeSync(top);
  }
  // These mounts are slaves of the host's mounts, and masters of the tenants'.
  setPropagation(tree, 'shared');
}

/** Returns /lib and others that are not links into /usr on this host. */
const unmergedTrees = (): readonly string[] =>
  libraryNames
    .filter((name) => lstatSync(`/${name}`, { throwIfNoEntry: false })?.isDirectory() === true)
    .map((name) => `/${name}`);

const hasContent = (path: string) => existsSync(path) && readdirSync(path).length > 0;
