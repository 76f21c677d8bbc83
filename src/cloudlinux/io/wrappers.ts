/**
 * CloudLinux's commands as files that call this Bulkhead, and the marker that makes the agent
 * write `/var/lve/info`. Only on request, and only files that carry our mark are ever touched:
 *
 *     #!/bin/sh
 *     # Made by "bulkhead cloudlinux install"; "bulkhead cloudlinux uninstall" removes it.
 *     exec '/usr/lib/node_modules/bulkhead/bulkhead' lvectl "$@"
 *
 * An install that was interrupted is completed by the next one, and undone by an uninstall.
 */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { errnoOf, quoted, reasonOf } from '../../sys/errno.ts';
import { lveInfoDirectory, lveInfoMarker, removeLveInfo } from './lve-info-file.ts';
import type { Paths } from '../../host/paths.ts';
import { directoryProblem, pinDirectory } from '../../sys/files/pinned-directory.ts';

export const wrapped = ['lvectl', 'lveinfo', 'cloudlinux-top'] as const;
export type Wrapped = (typeof wrapped)[number];

const mark =
  '# Made by "bulkhead cloudlinux install"; "bulkhead cloudlinux uninstall" removes it.\n';

/** Where things go; `prefix` stands before every path. */
export interface Setting {
  readonly paths: Paths;
  readonly prefix: string;
  /** The program that the wrappers call. */
  readonly program: string;
}

const binOf = ({ prefix }: Setting) => `${prefix}/usr/sbin`;
const infoOf = ({ prefix }: Setting) => `${prefix}/var/lve`;
const stateOf = ({ prefix, paths }: Setting) => ({ state: `${prefix}${paths.state}` });

export type WrapperState = 'absent' | 'ours' | 'foreign';

export interface LveStatus {
  readonly cloudLinux: string | undefined;
  readonly commands: readonly { readonly path: string; readonly is: WrapperState }[];
  /** Where the agent is to write `info`; absent where it is not. */
  readonly infoDirectory: string | undefined;
  readonly infoWritten: boolean;
}

export function lveStatus(setting: Setting): LveStatus {
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

/** What shows that this is a CloudLinux host. */
function cloudLinuxHere({ prefix }: Setting): string | undefined {
  return ['/proc/lve/list', '/etc/cloudlinux-release']
    .map((path) => `${prefix}${path}`)
    .find((path) => existsSync(path));
}

function trustLevelOf(path: string): WrapperState {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'absent';
  return stat.isFile() && readStart(path).startsWith(`#!/bin/sh\n${mark}`) ? 'ours' : 'foreign';
}

/** Nothing where it cannot be read: then it is not ours, which everybody can read. */
function readStart(path: string): string {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const buffer = Buffer.alloc(256);
      return buffer.toString('utf8', 0, readSync(fd, buffer));
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

/** Begins nothing where something stands in the way. Answers why it failed. */
export function installLve(setting: Setting): readonly string[] {
  const problems = obstacles(setting);
  if (problems.length > 0) return problems;
  try {
    mkdirSync(binOf(setting), { recursive: true, mode: 0o755 });
    const { state } = stateOf(setting);
    mkdirSync(state, { recursive: true, mode: 0o755 });
    for (const name of wrapped) {
      const problem = put(`${binOf(setting)}/${name}`, wrapper(setting, name), 0o755);
      if (problem !== undefined) return [problem];
    }
    const marker = lveInfoMarker({ state });
    const problem = put(marker, `${infoOf(setting)}\n`, 0o644);
    return problem === undefined ? [] : [problem];
  } catch (error) {
    return [`Cannot install CloudLinux's commands: ${reasonOf(error)}`];
  }
}

function obstacles(setting: Setting): readonly string[] {
  const sign = cloudLinuxHere(setting);
  if (sign !== undefined) {
    return [
      `Cannot install CloudLinux's commands: CloudLinux itself is on this host (${quoted(sign)} exists)`,
    ];
  }
  return lveStatus(setting)
    .commands.filter((each) => each.is === 'foreign')
    .map(
      ({ path }) =>
        `Cannot install ${quoted(path)}: a file that is not Bulkhead's is there; move it away first`,
    );
}

function wrapper({ program, paths }: Setting, name: Wrapped): string {
  const instance = paths.instance === 'bulkhead' ? '' : `--instance ${paths.instance} `;
  return `#!/bin/sh\n${mark}exec ${shellQuoted(program)} ${instance}${name} "$@"\n`;
}

const shellQuoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** Replaces the file whole, in a directory that only root can change; or says why it cannot. */
function put(path: string, text: string, mode: number): string | undefined {
  const pinned = pinDirectory(dirname(path));
  if (!pinned.ok) return pinned.error;
  using directory = pinned.value;
  const problem = directoryProblem(directory);
  if (problem !== undefined) return `Cannot write ${quoted(path)}: ${problem}`;
  const name = basename(path);
  const temporary = directory.at(basename(temporaryOf(path)));
  rmSync(temporary, { force: true });
  const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeFileSync(fd, text);
    fchmodSync(fd, mode);
    // Without it a crash may leave an empty file, which does not look like ours.
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, directory.at(name));
  return undefined;
}

/** Takes away what is ours and nothing else. Answers what could not be taken away. */
export function uninstallLve(setting: Setting): readonly string[] {
  const { commands, infoDirectory } = lveStatus(setting);
  const problems = commands.flatMap(({ path, is }) => {
    const names = [temporaryOf(path), ...(is === 'ours' ? [path] : [])];
    return names.flatMap((name) => remove(name));
  });
  const marker = lveInfoMarker(stateOf(setting));
  // The marker first: the agent would write the file again.
  problems.push(...remove(marker), ...remove(temporaryOf(marker)));
  const problem = infoDirectory === undefined ? undefined : removeLveInfo(infoDirectory);
  return problem === undefined ? problems : [...problems, problem];
}

const temporaryOf = (path: string) => `${dirname(path)}/.${basename(path)}.bulkhead-new`;

function remove(path: string): readonly string[] {
  try {
    rmSync(path);
    return [];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    return [`Cannot remove ${quoted(path)}: ${reasonOf(error)}`];
  }
}
