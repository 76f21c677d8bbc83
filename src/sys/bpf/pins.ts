/**
 * The directory in the BPF file system that keeps programs after the process that loaded them has ended.
 *
 *     /sys/fs/bpf/bulkhead/symlinks-mf2k8q1c/link_symlinks_open, map_events, …
 *
 * A generation is complete once its name no longer ends with `-new`. Names there cannot contain dots.
 */
import {
  closeSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import {
  pinDirectory,
  problemOfItself,
  type PinnedDirectory,
} from '../../../packages/base/io/pinned-directory.ts';
import { libbpf } from './libbpf.ts';

/** Source: linux/magic.h, `BPF_FS_MAGIC`. */
const bpfFileSystem = 0xcafe4a11;

export interface PinRoot {
  /** The root of sysfs. */
  readonly sys: string;
  /** The name of our directory. */
  readonly instance: string;
}

/** Opens the directory, and makes it if needed; nobody else may be able to change its contents. */
export function openPins({ sys, instance }: PinRoot): Result<PinnedDirectory, Problem> {
  const mountPoint = `${sys}/fs/bpf`;
  const path = `${mountPoint}/${instance}`;
  const cannot = (problem: Omit<Problem, 'action' | 'object'>) =>
    failed({ ...problem, action: 'use the directory', object: path });
  if (!isBpfFileSystem(mountPoint))
    return cannot({
      reason: `no BPF file system is mounted on ${mountPoint}`,
      hint: `run: mount -t bpf bpf ${mountPoint}`,
    });
  try {
    // One level, since a recursive attempt would never end where nothing can be made.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    return cannot(causeOf(error));
  }
  const pinned = pinDirectory(path, 'refuse');
  if (!pinned.ok) return pinned;
  const problem = problemOfItself(pinned.value);
  if (problem === undefined) return pinned;
  pinned.value[Symbol.dispose]();
  return cannot({ ...problem, hint: `see who made it, and run: rm -r ${path}` });
}

/** Opens the directory if it exists and we may see it; makes nothing. */
export function existingPins({ sys, instance }: PinRoot): PinnedDirectory | undefined {
  const path = `${sys}/fs/bpf/${instance}`;
  if (!isDirectory(path) || !isBpfFileSystem(`${sys}/fs/bpf`)) return undefined;
  const pinned = pinDirectory(path, 'refuse');
  return pinned.ok ? pinned.value : undefined;
}

function isDirectory(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}

function isBpfFileSystem(path: string): boolean {
  try {
    return statfsSync(path).type === bpfFileSystem;
  } catch {
    return false;
  }
}

const unfinished = '-new';
/** The prefix of each link's pin name. */
export const linkPrefix = 'link_';

/** Returns the generations of these programs, oldest first. */
export const generationsOf = (pins: PinnedDirectory, name: string): readonly string[] =>
  namesOf(pins, name)
    .filter((each) => !each.endsWith(unfinished))
    .map((each) => each.slice(name.length + 1))
    .toSorted();

const namesOf = (pins: PinnedDirectory, name: string): readonly string[] =>
  readdirSync(pins.at('.')).filter((each) => each.startsWith(`${name}-`));

/** Returns a name that ascends in time, at the same length for thousands of years. */
export const newGeneration = (): string => Date.now().toString(36).padStart(9, '0');

export const generationPath = (pins: PinnedDirectory, name: string, generation: string): string =>
  pins.at(`${name}-${generation}`);

/** Makes a directory for a new generation. It is removed with its contents unless it is finished. */
export function beginGeneration(pins: PinnedDirectory, name: string, generation: string) {
  const path = `${generationPath(pins, name, generation)}${unfinished}`;
  mkdirSync(path, { mode: 0o700 });
  return {
    path,
    finish: () => renameSync(path, generationPath(pins, name, generation)),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Removes all generations but one, and a killed loader's leftovers. Their programs are detached when this returns. */
export function removeGenerations(pins: PinnedDirectory, name: string, but?: string): number {
  const gone = namesOf(pins, name).filter((each) => each !== `${name}-${but}`);
  for (const each of gone) removeDetached(pins.at(each));
  return gone.length;
}

/**
 * Removes a generation and keeps its links open until their pins are gone. The kernel detaches a program in the
 * background when its last pin goes, but at once when the last descriptor is closed.
 */
function removeDetached(generation: string): void {
  const library = libbpf();
  const links = library.ok
    ? readdirSync(generation)
        .filter((each) => each.startsWith(linkPrefix))
        .map((each) => library.value.bpf_obj_get(`${generation}/${each}`))
    : [];
  rmSync(generation, { recursive: true, force: true });
  for (const link of links) if (link >= 0) closeSync(link);
}

/** Removes our directory, if it is empty, for callers that turn everything off. */
export function removePins({ sys, instance }: PinRoot): Result<void, Problem> {
  const path = `${sys}/fs/bpf/${instance}`;
  try {
    if (readdirSync(path).length === 0) rmSync(path, { recursive: true });
    return ok(undefined);
  } catch (error) {
    return failed({ ...causeOf(error), action: 'remove', object: path });
  }
}
