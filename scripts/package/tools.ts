/** The programs that packages are built with: which are missing, and how they are run. */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { arch } from 'node:process';
import { text } from 'node:stream/consumers';

/** The processors that packages are for, as Node.js calls them. */
export const processors = ['x64', 'arm64'] as const;
export type Processor = (typeof processors)[number];
export type Format = 'deb' | 'rpm';

/** Names of each processor: of GNU's tools, and of Debian's packages with them. */
const gnuNames = {
  x64: { triplet: 'x86_64-linux-gnu', debian: 'x86-64-linux-gnu', libc: 'libc6-dev-amd64-cross' },
  arm64: {
    triplet: 'aarch64-linux-gnu',
    debian: 'aarch64-linux-gnu',
    libc: 'libc6-dev-arm64-cross',
  },
} as const;

export const stripFor = (processor: Processor): string =>
  processor === arch ? 'strip' : `${gnuNames[processor].triplet}-strip`;

/** A program or header that a build needs, and the Debian packages that bring it. */
interface Need {
  readonly file: string;
  readonly packages: string;
}

function needsOf(format: Format, processor: Processor): readonly Need[] {
  const { triplet, debian, libc } = gnuNames[processor];
  const own: readonly Need[] = [
    { file: 'gcc', packages: 'gcc libc6-dev' },
    { file: 'strip', packages: 'binutils' },
  ];
  const cross: readonly Need[] = [
    { file: `${triplet}-gcc`, packages: `gcc-${debian} ${libc}` },
    { file: `${triplet}-strip`, packages: `binutils-${debian}` },
    { file: 'npm', packages: 'npm' },
    { file: 'tar', packages: 'tar' },
  ];
  return [
    ...(processor === arch ? own : cross),
    { file: '/usr/include/security/pam_modules.h', packages: 'libpam0g-dev' },
    { file: 'clang', packages: 'clang' },
    { file: '/usr/include/bpf/bpf_helpers.h', packages: 'libbpf-dev' },
    format === 'deb'
      ? { file: 'dpkg-deb', packages: 'dpkg' }
      : { file: 'rpmbuild', packages: 'rpm' },
  ];
}

/** Throws with the names of all Debian packages that are missing for these builds. */
export function checkTools(formats: readonly Format[], wanted: readonly Processor[]): void {
  checkPrograms(formats.flatMap((format) => wanted.flatMap((each) => needsOf(format, each))));
}

/** Throws with the names of all Debian packages that are missing. */
export function checkPrograms(needs: readonly Need[]): void {
  const missing = needs.filter(({ file }) => !isThere(file));
  if (missing.length === 0) return;
  const files = [...new Set(missing.map(({ file }) => file))].join(', ');
  const packages = [...new Set(missing.map((each) => each.packages))].join(' ');
  throw new Error(`${files} is missing; install it: apt-get install ${packages}`);
}

function isThere(file: string): boolean {
  if (file.startsWith('/')) return existsSync(file);
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, file), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The setting that all steps of a build share. */
export interface Build {
  /** The directory for everything that is made on the way; it is removed at the end. */
  readonly work: string;
  /** Aborted when the build is interrupted. */
  readonly signal: AbortSignal;
  /** The version of the program. */
  readonly version: string;
  /** The date of all files, in seconds since 1970. */
  readonly epoch: number;
  /** Whether packages are compressed little, for tests. */
  readonly fast: boolean;
}

export const progress = (line: string) => process.stderr.write(`${line}\n`);

/**
 * Runs a program in an environment that is the same everywhere, and returns what it prints. An interrupted build ends
 * it with all that it has started.
 */
export async function run(
  { signal, epoch }: Pick<Build, 'signal' | 'epoch'>,
  program: string,
  args: readonly string[],
  cwd = '/',
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  signal.throwIfAborted();
  const same = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC', HOME: cwd };
  const child = spawn(program, args, {
    cwd,
    env: { ...same, SOURCE_DATE_EPOCH: `${epoch}`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const interrupt = () => endGroup(child.pid);
  signal.addEventListener('abort', interrupt);
  try {
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    const [status, stdout, stderr] = await Promise.all([
      ended,
      text(child.stdout),
      text(child.stderr),
    ]);
    signal.throwIfAborted();
    if (status === 0) return stdout;
    const last = `${stdout}${stderr}`.trim().split('\n').slice(-linesMax).join('\n');
    throw new Error(`${program} failed: ${last}`);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

const linesMax = 8;

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended.
  }
}
