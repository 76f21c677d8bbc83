/**
 * Compiles the launcher and the PAM module of entry/: `node scripts/entry.ts [DIRECTORY]`. They are
 * in dist/entry/PROCESSOR/, for the package and the tests, and run on this machine's kind of
 * processor, with the libc that they are compiled with or a newer one. They compile with glibc 2.28.
 *
 * Needs gcc and the headers of libpam: `apt-get install gcc libc6-dev libpam0g-dev`.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { arch, pid } from 'node:process';
import { root } from './steps.ts';

const warnings = ['-Wall', '-Wextra', '-Werror', '-Wconversion', '-Wshadow'];
const hardened = [
  '-fstack-protector-strong',
  '-fstack-clash-protection',
  arch === 'arm64' ? '-mbranch-protection=standard' : '-fcf-protection',
  '-D_FORTIFY_SOURCE=3',
  '-Wl,-z,relro,-z,now,-z,noexecstack,--as-needed',
];
const common = ['-std=c11', '-O2', '-fvisibility=hidden', '-s'];
const executable = [...common, '-fPIE', '-pie'];
const shared = [...common, '-fPIC', '-shared'];

/** Sources of the library; the other files of entry/ have a main function or PAM's functions. */
const frontEnds = ['exec.c', 'pam.c', 'pam-jail.c'];
const sources = globSync(`${root}entry/*.[ch]`).toSorted();
const library = sources.filter(
  (file) => file.endsWith('.c') && !frontEnds.some((each) => file.endsWith(`/${each}`)),
);

/** Compiles the PAM module and returns its path. */
export const compilePam = (directory = `${root}dist/entry`): string =>
  compileTo(
    directory,
    'pam_bulkhead.so',
    'entry/pam.c',
    shared,
    `${root}entry/pam-jail.c`,
    '-lpam',
  );

/** Whether the launcher is newer than its sources. */
export const isExecCurrent = (): boolean =>
  isCurrent(`${root}dist/entry/${arch}/bulkhead-exec`, `${root}entry/exec.c`);

/** Compiles the launcher and returns its path. */
export const compileExec = (directory = `${root}dist/entry`): string =>
  compileTo(directory, 'bulkhead-exec', 'entry/exec.c', executable);

/** Compiles a test's own program, such as `test/jail/enter.c`, with the library, and returns its path. */
export const compileWithEntry = (source: string): string =>
  compileTo(`${root}dist/entry-tests`, basename(source, '.c'), source, executable);

/**
 * Compiles to a file unless it is newer than all sources. The file is replaced in one step, since
 * another process may be using the old one.
 */
function compileTo(
  directory: string,
  name: string,
  frontEnd: string,
  kind: readonly string[],
  ...more: readonly string[]
): string {
  mkdirSync(`${directory}/${arch}`, { recursive: true });
  const made = `${directory}/${arch}/${name}`;
  if (isCurrent(made, `${root}${frontEnd}`)) return made;
  const aside = `${made}.${pid}`;
  const files = [`${root}${frontEnd}`, ...library];
  compile([...kind, ...warnings, ...hardened, '-o', aside, ...files, ...more]);
  renameSync(aside, made);
  return made;
}

function isCurrent(made: string, frontEnd: string): boolean {
  const modified = (file: string) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return [...sources, frontEnd, import.meta.filename].every(
    (file) => modified(file) < modified(made),
  );
}

function compile(args: readonly string[]): void {
  try {
    execFileSync('gcc', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      'The launcher and the PAM module need gcc: apt-get install gcc libc6-dev libpam0g-dev',
      { cause: error },
    );
  }
}

if (import.meta.main) {
  try {
    for (const each of [compileExec, compilePam])
      process.stdout.write(`${each(process.argv[2])}\n`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
