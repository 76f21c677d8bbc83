/**
 * Compiles the module of PAM in pam/, and the programs of the launcher that apply Landlock and pass on to systemd, into dist/pam/PROCESSOR/:
 * `node scripts/pam.ts [DIRECTORY]`. The module needs no newer libc than 2.28. Both run on the processors of the machine that
 * they are made on, for the package and by the tests.
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

/** Answers the path of the module. */
export const compilePam = (directory = `${root}dist/pam`): string =>
  compileTo(directory, 'pam_bulkhead.so', 'pam_bulkhead.c', shared, '-lpam');

/** Answers the path of the program. */
export const compileLandlock = (directory = `${root}dist/pam`): string =>
  compileTo(directory, 'bulkhead-landlock', 'bulkhead-landlock.c', executable);

/** Answers the path of the program. */
export const compileNotify = (directory = `${root}dist/pam`): string =>
  compileTo(directory, 'bulkhead-notify', 'bulkhead-notify.c', executable);

/** In one step, since another process may be using what is there. */
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

function compile(words: readonly string[]): void {
  try {
    execFileSync('gcc', words, { stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    process.stderr.write(
      'The module of PAM needs gcc: apt-get install gcc libc6-dev libpam0g-dev\n',
    );
    process.exit(1);
  }
}

if (import.meta.main) {
  for (const each of [compilePam, compileLandlock, compileNotify])
    process.stdout.write(`${each(process.argv[2])}\n`);
}
