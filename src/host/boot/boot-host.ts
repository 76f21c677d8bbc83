/** A host as those see it that change how it boots: its files below a root, and its programs. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { formatErrno, errnoOf } from '../../../packages/base/io/errno.ts';
import { namesIn } from '../../../packages/base/io/read.ts';

/** The root of the host's files, and a way to run its programs; a test has its own. */
export interface BootHost {
  /** The root directory; empty for this host. */
  readonly root: string;
  /** Runs a command; returns its standard output, or why it failed. */
  readonly call: (command: readonly string[]) => Result<string, Problem>;
}

/** Returns the path of a file of the host, given without its first slash. */
export const at = ({ root }: Pick<BootHost, 'root'>, path: string): string =>
  join(root === '' ? '/' : root, path);

export const hasFile = (host: Pick<BootHost, 'root'>, path: string): boolean =>
  existsSync(at(host, path));

export const hasProgram = (host: Pick<BootHost, 'root'>, name: string): boolean =>
  ['usr/sbin', 'usr/bin', 'sbin', 'bin'].some((each) => hasFile(host, join(each, name)));

/** Returns the commands by which kernel-install(8) writes the entry of each installed kernel again. */
export function installCommands(host: Pick<BootHost, 'root'>): readonly (readonly string[])[] {
  return namesIn(at(host, 'usr/lib/modules')).flatMap((release) => {
    const image = [`/usr/lib/modules/${release}/vmlinuz`, `/boot/vmlinuz-${release}`].find((each) =>
      hasFile(host, each),
    );
    return image === undefined ? [] : [['kernel-install', 'add', release, image]];
  });
}

/** This host. A program that takes longer than ten minutes is hanging. */
export const thisHost: BootHost = {
  root: '',
  call(command) {
    const [program = '', ...args] = command;
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      encoding: 'utf8',
      timeout: 600_000,
      maxBuffer: 16 * 1024 * 1024,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (error !== undefined) {
      const errno = errnoOf(error);
      return failed({ action: 'run', object: program, reason: formatErrno(errno) });
    }
    if (status === 0) return ok(stdout);
    const [line = ''] = stderr.trim().split('\n').slice(-1);
    const end = status === null ? 'was killed' : `failed with status ${status}`;
    return failed({ action: 'run', object: command.join(' '), reason: `it ${end}: ${line}` });
  },
};
