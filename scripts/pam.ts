/**
 * Compiles the PAM module in pam/ and the launcher's programs that apply Landlock and pass on to
 * systemd: `node scripts/pam.ts [DIRECTORY]`. The result is in dist/pam/PROCESSOR/, for the package
 * and the tests; it runs on this machine's kind of processor. The module needs no newer libc than
 * 2.28.
 *
 * Needs gcc and the headers of libpam: `apt-get install gcc libc6-dev libpam0g-dev`.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
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
const common = ['-std=gnu11', '-O2', '-fvisibility=hidden', '-s'];
const executable = [...common, '-fPIE', '-pie'];
const shared = [...common, '-fPIC', '-shared'];

/** Compiles the module and returns its path. */
export const compilePam = (directory = `${root}dist/pam`): string =>
  compileTo(directory, 'pam_bulkhead.so', 'pam_bulkhead.c', shared, '-lpam');

/** Compiles the program and returns its path. */
export const compileLandlock = (directory = `${root}dist/pam`): string =>
  compileTo(directory, 'bulkhead-landlock', 'bulkhead-landlock.c', executable);

/** Compiles the program and returns its path. */
export const compileNotify = (directory = `${root}dist/pam`): string =>
  compileTo(directory, 'bulkhead-notify', 'bulkhead-notify.c', executable);

/**
 * Compiles to a file and replaces it in one step, since another process may be using the old one.
 */
function compileTo(
  directory: string,
  name: string,
  source: string,
  kind: readonly string[],
  ...libraries: readonly string[]
): string {
  mkdirSync(`${directory}/${arch}`, { recursive: true });
  const made = `${directory}/${arch}/${name}`;
  const aside = `${made}.${pid}`;
  compile([...kind, ...warnings, ...hardened, '-o', aside, `${root}pam/${source}`, ...libraries]);
  renameSync(aside, made);
  return made;
}

function compile(args: readonly string[]): void {
  try {
    execFileSync('gcc', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    process.stderr.write('The PAM module needs gcc: apt-get install gcc libc6-dev libpam0g-dev\n');
    process.exit(1);
  }
}

if (import.meta.main) {
  for (const each of [compilePam, compileLandlock, compileNotify])
    process.stdout.write(`${each(process.argv[2])}\n`);
}
