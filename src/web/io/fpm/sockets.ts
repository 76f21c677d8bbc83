/**
 * Moves sockets between services while requests come in.
 *
 * systemd binds a new socket at the path, so new connections are its own from then on; the distribution's master
 * finishes what it has accepted. When that master reads that the pool is gone, it removes the path, whatever is
 * there by now (fpm_sockets.c). So the path is mounted on itself meanwhile: a mount point cannot be removed, and a
 * forgotten mount does no harm.
 */
import { linkSync, lstatSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Problem } from '../../../../packages/base/problem.ts';
import { failed } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../../packages/base/io/errno.ts';
import { pinDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { boundAt, pathOfBound, type Listen } from '../../core/fpm/service/listen.ts';
import { parseAddress } from '../../core/address.ts';
import { readListeners, readConnections } from '../listeners.ts';
import { runBounded } from '../../../sys/processes/run-bounded.ts';

const pauseMs = 20;

async function until(isDone: () => boolean, patienceMs: number): Promise<boolean> {
  const end = performance.now() + patienceMs;
  while (!isDone()) {
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return true;
}

export async function holdPath(path: string): Promise<Result<void, Problem>> {
  return heldPaths().has(path) ? ok(undefined) : mountCommand('mount', '--bind', path, path);
}

export async function releasePath(path: string): Promise<Result<void, Problem>> {
  return mountCommand('umount', '--lazy', path);
}

/** Returns all mount points. Paths of sockets have no blanks, so nothing in them is escaped. Source: proc(5). */
export function heldPaths(): ReadonlySet<string> {
  const lines = (readText('/proc/self/mountinfo') ?? '').split('\n');
  return new Set(lines.flatMap((line) => line.split(' ')[4] ?? []));
}

async function mountCommand(...words: readonly string[]): Promise<Result<void, Problem>> {
  const [program = '', ...args] = words;
  const run = await runBounded(program, args);
  const what = { action: `run ${program} of`, object: args.at(-1) ?? '' };
  if (!run.ok) return failed({ ...what, ...run.error });
  if (run.value.status === 0) return ok(undefined);
  return failed({ ...what, reason: run.value.stderr.trim() });
}

/** Gives the socket that is there a second name, so that it can come back: its listener does not bind it again. */
export const keepSocket = (path: string): Result<void, Problem> =>
  onSocket(path, 'keep', (at, kept) => {
    rmSync(kept, { force: true });
    linkSync(at, kept);
  });

export const dropKeptSocket = (path: string): Result<void, Problem> =>
  onSocket(keptName(path), 'remove', (at) => unlinkSync(at));

/** Restores the socket if one was kept. */
export const restoreSocket = (path: string): Result<void, Problem> =>
  onSocket(keptName(path), 'restore', (at) => renameSync(at, at.replace(/\.bulkhead-kept$/, '')));

/** Whether the path still leads to the socket: php-fpm removes paths of pools that it had when it ends. */
export function isFound(listen: Listen): boolean {
  const [bound, named] = [boundAt(listen), listen.stream].map((path) =>
    lstatSync(path, { throwIfNoEntry: false }),
  );
  return bound?.isSocket() === true && bound.ino === named?.ino && bound.dev === named.dev;
}

/** Returns the sockets at whose addresses this process listens, too. */
export function heldBy(pid: number, listens: readonly Listen[]): readonly Listen[] {
  const at = readListeners('/proc', addressesOf(listens));
  return listens.filter((each) =>
    addressesOf([each]).some((address) => at(address).some((listener) => listener.pid === pid)),
  );
}

/** Removes both names of a systemd socket that is not bound any more. */
export function removeSocket(listen: Listen): Result<void, Problem> {
  const bound = onSocket(boundAt(listen), 'remove', (at) => unlinkSync(at));
  const named = onSocket(listen.stream, 'remove', (at) => unlinkSync(at));
  return bound.ok ? named : bound;
}

/** Gives a systemd socket its path again, if nothing is there. */
export const findSocketAgain = (listen: Listen): Result<void, Problem> =>
  onSocket(boundAt(listen), 'link', (at) => {
    const path = pathOfBound(at);
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) linkSync(at, path);
  });

/** Removes the name of a systemd socket at which it was bound; whoever listens there is found at its path. */
export function leaveSocket(listen: Listen): Result<void, Problem> {
  const found = findSocketAgain(listen);
  return found.ok ? onSocket(boundAt(listen), 'remove', (at) => unlinkSync(at)) : found;
}

const keptName = (path: string) => `${path}.bulkhead-kept`;

/** Acts on a socket, and on nothing else: a service account may be able to write to the directory. */
function onSocket(
  path: string,
  action: string,
  act: (at: string, kept: string) => void,
): Result<void, Problem> {
  const pinned = pinDirectory(dirname(path), 'refuse');
  if (!pinned.ok) return pinned.error.errno === 'ENOENT' ? ok(undefined) : pinned;
  using directory = pinned.value;
  const at = directory.at(basename(path));
  try {
    if (lstatSync(at, { throwIfNoEntry: false })?.isSocket() === true) act(at, keptName(at));
    return ok(undefined);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ok(undefined);
    return failed({ ...causeOf(error), action, object: path });
  }
}

const addressesOf = (listens: readonly Listen[]) =>
  listens.flatMap(({ stream }) => parseAddress(stream) ?? []);

/** Waits until the process listens at none of these any more, or has ended. */
export function untilReleased(
  pid: number,
  listens: readonly Listen[],
  patienceMs: number,
): Promise<boolean> {
  return until(() => heldBy(pid, listens).length === 0, patienceMs);
}

/** Waits until no worker of the master is serving a connection that came in at one of these paths. */
export function untilServed(
  master: number,
  listens: readonly Listen[],
  patienceMs: number,
): Promise<boolean> {
  const paths = new Set(listens.map(({ stream }) => stream));
  if (paths.size === 0) return Promise.resolve(true);
  return until(
    () => !readConnections('/proc', paths).some(({ ppid }) => ppid === master),
    patienceMs,
  );
}
