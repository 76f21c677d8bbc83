/**
 * Sockets of database servers in a skeleton. Each is mounted alone: its directory may contain a server's data, process
 * id or another server's socket. A server that restarts makes another socket, so each build compares and mounts again;
 * all jails of the skeleton see it at once, also those that are open.
 *
 * A list next to the skeleton's root names what is mounted:
 *
 *     /run/mysqld/mysqld.sock
 */
import { closeSync, fstatSync, lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Problem } from '../../../../packages/base/problem.ts';
import { namesIn, readText } from '../../../../packages/base/io/read.ts';
import type { JailDatabase } from '../../../policy/jail.ts';
import { attach, copyTree, mountAttributes, openWithoutLinks } from '../../../sys/mount-calls.ts';
import type { DatabaseSocket } from '../../../host/databases/database-files.ts';
import { openJailSocket } from '../databases/socket.ts';
import type { JailPaths } from '../jail-paths.ts';
import { causeOfCall } from './call-failed.ts';
import { detachIfMounted } from './host-binds.ts';

const attributes =
  mountAttributes.readOnly |
  mountAttributes.nosuid |
  mountAttributes.nodev |
  mountAttributes.noexec;

interface Places {
  readonly root: string;
  readonly tree: string;
}

const listEnd = '.databases';

/** Returns the skeletons that have sockets, or had them. */
export const skeletonsWithSockets = ({
  inside,
}: JailPaths): readonly (Places & { readonly name: string })[] =>
  namesIn(`${inside}/root`)
    .filter((each) => each.endsWith(listEnd))
    .map((each) => each.slice(0, -listEnd.length))
    .map((name) => ({ name, root: `${inside}/root/${name}`, tree: `${inside}/mnt/${name}` }));

/**
 * Mounts the sockets of these kinds, and unmounts all others, in the vault. Returns the failures: jails are built all the
 * same.
 */
export function bindDatabases(
  places: Places,
  sockets: readonly DatabaseSocket[],
  kinds: readonly JailDatabase[],
): readonly Problem[] {
  const list = `${places.root}${listEnd}`;
  const before = (readText(list) ?? '').split('\n').filter((line) => line !== '');
  using opened = new OpenedSockets(sockets.filter(({ kind }) => kinds.includes(kind)));
  const { descriptors } = opened;
  if (before.length === 0 && descriptors.size === 0) return [];
  // Everything that is about to be mounted is in the list first, so that it is unmounted whatever happens.
  writeList(list, new Set([...before, ...descriptors.keys()]));
  const gone = before.filter((at) => !descriptors.has(at));
  const problems = [
    ...gone.flatMap((at) => failureOf('unmount', at, () => unbind(places, at))),
    ...[...descriptors].flatMap(([at, fd]) =>
      failureOf('mount', at, () => bindOne(places, at, fd)),
    ),
  ];
  if (problems.length > 0) return problems;
  if (descriptors.size === 0) rmSync(list);
  else writeList(list, new Set(descriptors.keys()));
  return problems;
}

class OpenedSockets implements Disposable {
  readonly descriptors = new Map<string, number>();

  constructor(sockets: readonly DatabaseSocket[]) {
    for (const socket of sockets) {
      const opened = openJailSocket(socket);
      if (opened.ok) this.descriptors.set(socket.at, opened.value);
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.descriptors.values()) closeSync(fd);
  }
}

function failureOf(verb: 'mount' | 'unmount', object: string, act: () => void): readonly Problem[] {
  try {
    act();
    return [];
  } catch (error) {
    return [{ action: `${verb} the socket of a database server`, object, ...causeOfCall(error) }];
  }
}

const writeList = (list: string, paths: ReadonlySet<string>): void =>
  writeFileSync(list, [...paths].map((each) => `${each}\n`).join(''), { mode: 0o600 });

/** Mounts a socket, unless it is mounted already. */
function bindOne({ root, tree }: Places, path: string, fd: number): void {
  const there = `${tree}${path}`;
  const [now, wanted] = [lstatSync(there, { throwIfNoEntry: false }), fstatSync(fd)];
  if (now?.ino === wanted.ino && now.dev === wanted.dev) return;
  detachIfMounted(there);
  mkdirSync(dirname(`${root}${path}`), { recursive: true, mode: 0o755 });
  writeFileSync(`${root}${path}`, '', { flag: 'a' });
  mount(fd, tree, path);
}

function mount(fd: number, tree: string, path: string): void {
  const top = openWithoutLinks(tree);
  try {
    attach(copyTree(fd, { set: attributes }), top, path.slice(1));
  } finally {
    closeSync(top);
  }
}

function unbind({ root, tree }: Places, path: string): void {
  detachIfMounted(`${tree}${path}`);
  rmSync(`${root}${path}`, { force: true });
}
