/**
 * Single files and directories of the host that are seen inside. A mount goes stale when another file takes the name,
 * for instance after its daemon's restart. So each build compares and mounts again; all jails of the profile see it at
 * once.
 */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, relative } from 'node:path';
import { errnoOf } from '../../../../packages/base/io/errno.ts';
import {
  attach,
  mountAttributes,
  copyTree,
  detachMount,
  openWithoutLinks,
} from '../../../sys/mount-calls.ts';
import { packageFile } from '../../../sys/package-files.ts';
import { isAt } from '../../../policy/jail.ts';
import { databaseSocketsMode } from '../../../policy/databases/own-database.ts';
import { jailSocketName } from '../../../host/paths.ts';
import {
  agentDirectory,
  agentSocket,
  brokerDirectory,
  brokeredPrograms,
  hostSockets,
  ownDatabasesDirectory,
} from '../../core/layout.ts';
import type { JailPaths } from '../jail-paths.ts';
import { realPathOf } from '../../../../packages/base/io/read.ts';

const quiet = mountAttributes.readOnly | mountAttributes.nosuid | mountAttributes.nodev;

interface BindPlaces {
  readonly root: string;
  readonly tree: string;
  readonly broker: string;
  readonly agent: string | undefined;
}

/** Mounts them in the directories of a skeleton, in the vault. Throws Node's errors. */
export function bindOfHost(
  { root, tree, broker, agent }: BindPlaces,
  { inside, ownDatabases }: JailPaths,
): void {
  for (const path of hostSockets) {
    const source = realPathOf(path);
    if (source === undefined || !lstatSync(source).isSocket()) continue;
    const place = path.startsWith('/dev/') ? inside : root;
    makeFile(`${place}${path}`);
    bind(tree, source, path, quiet | mountAttributes.noexec);
  }
  bindDirectory(broker, brokerDirectory, { root, tree });
  if (agent !== undefined) {
    bindDirectory(agent, agentDirectory, { root, tree });
    bindDirectory(ownDatabases, ownDatabasesDirectory, { root, tree }, databaseSocketsMode);
    linkOnce(
      relative(dirname(agentSocket), `${agentDirectory}/${jailSocketName}`),
      `${root}${agentSocket}`,
    );
  }
  const client = copyOnce(packageFile('libexec/bulkhead-client'), `${inside}/client`);
  for (const path of brokeredPrograms) {
    // The target of an alternative is the program that runs. A target such as busybox is skipped, since it is many
    // other programs, too.
    const program = realPathOf(path);
    if (program === undefined || !isAt(program, '/usr') || program.endsWith('/busybox')) continue;
    bind(tree, client, program, quiet);
  }
}

/** Mounts a directory of sockets. It is made if it is missing, so that a socket that comes later is seen, too. */
function bindDirectory(
  source: string,
  path: string,
  { root, tree }: Pick<BindPlaces, 'root' | 'tree'>,
  mode = 0o755,
): void {
  mkdirSync(source, { recursive: true, mode });
  mkdirSync(`${root}${path}`, { recursive: true, mode: 0o755 });
  bind(tree, source, path, quiet | mountAttributes.noexec);
}

/**
 * Copies a program into the vault's own file system, so that an upgrade of Bulkhead changes it only when jails are
 * built.
 */
function copyOnce(from: string, to: string): string {
  if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return to;
  copyFileSync(from, `${to}.new`);
  chmodSync(`${to}.new`, 0o755);
  renameSync(`${to}.new`, to);
  return to;
}

export function linkOnce(target: string, path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) symlinkSync(target, path);
}

function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(path, '', { flag: 'a' });
}

/** Mounts `source` at `path` of the tree, unless it is mounted there already. */
function bind(tree: string, source: string, path: string, set: number): void {
  const there = `${tree}${path}`;
  if (isSame(source, there)) return;
  detachIfMounted(there);
  const top = openWithoutLinks(tree);
  try {
    attach(copyTree(source, { set }), top, path.slice(1));
  } finally {
    closeSync(top);
  }
}

function isSame(a: string, b: string): boolean {
  const [first, second] = [a, b].map((each) => lstatSync(each, { throwIfNoEntry: false }));
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}

export function detachIfMounted(path: string): void {
  try {
    detachMount(path);
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL' && errnoOf(error) !== 'ENOENT') throw error;
  }
}
