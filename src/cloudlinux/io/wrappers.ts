/**
 * CloudLinux's commands as files that call this Bulkhead, and the marker that makes the agent
 * write `/var/lve/info`. Only on request, and only files that carry our mark are ever touched:
 *
 *     #!/bin/sh
 *     # Made by "bulkhead cloudlinux enable"; "bulkhead cloudlinux disable" removes it.
 *     exec '/usr/lib/node_modules/bulkhead/bulkhead' lvectl "$@"
 *
 * An install that was interrupted is completed by the next one, and undone by an uninstall.
 */
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causedBy, failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, quoted } from '../../../packages/base/io/errno.ts';
import {
  lveInfoDirectory,
  lveInfoMarker,
  makeLveDirectory,
  removeLveInfo,
} from './lve-info-file.ts';
import type { Paths } from '../../host/paths.ts';
import { putHostFile } from '../../sys/files/host-file.ts';
import { pinDirectory, type PinnedDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { openRegularFile, readPiece, decodeText } from '../../../packages/base/io/regular-file.ts';
import { removeIfThere, removeLeftovers } from '../../../packages/base/io/replace-file.ts';

export const wrapped = [
  'lvectl',
  'lveinfo',
  'cloudlinux-top',
  'cloudlinux-limits',
  'cloudlinux-packages',
  'cloudlinux-statistics',
  'cloudlinux-config',
  'lvechart',
  'lve-read-snapshot',
  'lveps',
  'dbtop',
] as const;
type Wrapped = (typeof wrapped)[number];

const mark = '# Made by "bulkhead cloudlinux enable"; "bulkhead cloudlinux disable" removes it.\n';

/** The destination of the files; `prefix` is prepended to every path. */
export interface WrapperDestination {
  readonly paths: Paths;
  readonly prefix: string;
  /** The program that the wrappers call. */
  readonly program: string;
}

const binOf = ({ prefix }: WrapperDestination) => `${prefix}/usr/sbin`;
const infoOf = ({ prefix }: WrapperDestination) => `${prefix}/var/lve`;
const stateOf = ({ prefix, paths }: WrapperDestination) => ({ state: `${prefix}${paths.state}` });

export type WrapperState = 'absent' | 'ours' | 'foreign';

export interface LveStatus {
  /** A path that exists only on a CloudLinux host; absent on other hosts. */
  readonly cloudLinux: string | undefined;
  /** CloudLinux's commands, and whether Bulkhead has installed them. */
  readonly commands: readonly {
    readonly path: string;
    /** Whether the file is Bulkhead's. */
    readonly is: WrapperState;
  }[];
  /** The directory into which the agent writes `info`; absent if it does not. */
  readonly infoDirectory: string | undefined;
  /** Whether the agent has written `info`. */
  readonly infoWritten: boolean;
}

export function lveStatus(setting: WrapperDestination): LveStatus {
  const infoDirectory = lveInfoDirectory(stateOf(setting));
  return {
    cloudLinux: cloudLinuxHere(setting),
    commands: wrapped.map((name) => {
      const path = `${binOf(setting)}/${name}`;
      return { path, is: trustLevelOf(path) };
    }),
    infoDirectory,
    infoWritten: infoDirectory !== undefined && existsSync(`${infoDirectory}/info`),
  };
}

/** Returns a path that exists only on a CloudLinux host. */
function cloudLinuxHere({ prefix }: WrapperDestination): string | undefined {
  return ['/proc/lve/list', '/etc/cloudlinux-release']
    .map((path) => `${prefix}${path}`)
    .find((path) => existsSync(path));
}

function trustLevelOf(path: string): WrapperState {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'absent';
  return stat.isFile() && readStart(path).startsWith(`#!/bin/sh\n${mark}`) ? 'ours' : 'foreign';
}

/**
 * Returns the start of the file; empty if it cannot be read. Then it is not ours, which everybody
 * can read.
 */
function readStart(path: string): string {
  const opened = openRegularFile(path, { links: 'refuse' });
  if (!opened.ok) return '';
  using file = opened.value;
  try {
    return decodeText(readPiece(file, 0, 256));
  } catch {
    return '';
  }
}

/** Installs the commands; changes nothing if something is in the way. Returns why it failed. */
export function installLve(setting: WrapperDestination): readonly Problem[] {
  const problems = obstacles(setting);
  if (problems.length > 0) return problems;
  try {
    mkdirSync(binOf(setting), { recursive: true, mode: 0o755 });
    const { state } = stateOf(setting);
    mkdirSync(state, { recursive: true, mode: 0o755 });
    for (const name of wrapped) {
      const done = put(`${binOf(setting)}/${name}`, wrapper(setting, name), 0o755);
      if (!done.ok) return [done.error];
    }
    const made = makeLveDirectory(infoOf(setting));
    if (!made.ok) return [made.error];
    const marker = put(lveInfoMarker({ state }), `${infoOf(setting)}\n`, 0o644);
    return marker.ok ? [] : [marker.error];
  } catch (error) {
    return [{ ...causeOf(error), action: installing }];
  }
}

const installing = "install CloudLinux's commands";

function obstacles(setting: WrapperDestination): readonly Problem[] {
  const found = cloudLinuxHere(setting);
  if (found !== undefined) {
    const reason = `CloudLinux itself is installed on this host (${quoted(found)} exists)`;
    return [{ action: installing, reason }];
  }
  return lveStatus(setting)
    .commands.filter((each) => each.is === 'foreign')
    .map(({ path }) => ({
      action: 'install',
      object: path,
      reason: "a file that is not Bulkhead's is there",
      hint: 'move it away first',
    }));
}

function wrapper({ program, paths }: WrapperDestination, name: Wrapped): string {
  const instance = paths.instance === 'bulkhead' ? '' : `--instance ${paths.instance} `;
  return `#!/bin/sh\n${mark}exec ${shellQuoted(program)} ${instance}${name} "$@"\n`;
}

const shellQuoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Replaces the file whole, in a directory that only root can change: /usr/sbin is a link on some hosts. */
const put = (path: string, text: string, mode: number): Result<void, Problem> =>
  putHostFile({ path, links: 'follow' }, { bytes: Buffer.from(text), mode });

/** Removes only our own files. Returns what could not be removed. */
export function uninstallLve(setting: WrapperDestination): readonly Problem[] {
  const { commands, infoDirectory } = lveStatus(setting);
  const marker = lveInfoMarker(stateOf(setting));
  // The marker goes before the information: otherwise the agent would write that again.
  const done = [
    ...commands.map(({ path, is }) => remove(path, is === 'ours')),
    remove(marker, true),
    infoDirectory === undefined ? ok(undefined) : removeLveInfo(infoDirectory),
  ];
  return done.flatMap((each) => (each.ok ? [] : [each.error]));
}

/** Removes a file, and what an interrupted install left. */
function remove(path: string, isOurs: boolean): Result<void, Problem> {
  if (!existsSync(dirname(path))) return ok(undefined);
  return inDirectory('remove', path, (directory, name) => {
    removeLeftovers(directory, name);
    if (isOurs) removeIfThere(directory.at(name));
    return ok(undefined);
  });
}

function inDirectory(
  action: string,
  path: string,
  use: (directory: PinnedDirectory, name: string) => Result<void, Problem>,
): Result<void, Problem> {
  const pinned = pinDirectory(dirname(path));
  if (!pinned.ok) return failed({ ...causedBy(pinned.error), action, object: path });
  using directory = pinned.value;
  try {
    return use(directory, basename(path));
  } catch (error) {
    return failed({ ...causeOf(error), action, object: path });
  }
}
