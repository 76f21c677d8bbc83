/**
 * Compiles the module of PAM in pam/ into dist/pam/PROCESSOR/: `node scripts/pam.ts [DIRECTORY]`. It needs no newer libc than
 * 2.28, and runs on the processors of the machine that it is made on, for the package and by the tests.
 *
 * Needs gcc and the headers of libpam: `apt-get install gcc libc6-dev libpam0g-dev`.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { arch } from 'node:process';
import { root } from './steps.ts';

const warnings = ['-Wall', '-Wextra', '-Werror', '-Wconversion', '-Wshadow'];
const hardened = [
  '-fstack-protector-strong',
  '-fstack-clash-protection',
  arch === 'arm64' ? '-mbranch-protection=standard' : '-fcf-protection',
  '-D_FORTIFY_SOURCE=3',
  '-Wl,-z,relro,-z,now,-z,noexecstack,--as-needed',
];
const shared = ['-std=gnu11', '-O2', '-fPIC', '-shared', '-fvisibility=hidden', '-s'];

/** Answers the path of the module. */
export function compilePam(directory = `${root}dist/pam`): string {
  mkdirSync(`${directory}/${arch}`, { recursive: true });
  const module = `${directory}/${arch}/pam_bulkhead.so`;
  const source = `${root}pam/pam_bulkhead.c`;
  compile([...shared, ...warnings, ...hardened, '-o', module, source, '-lpam']);
  return module;
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

if (import.meta.main) process.stdout.write(`${compilePam(process.argv[2])}\n`);
