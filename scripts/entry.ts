/**
 * Compiles the launchers and the PAM module of entry/: `node scripts/entry.ts [DIRECTORY]`. They are
 * in dist/entry/PROCESSOR/, for the package and the tests. They run with glibc 2.28 or newer, and
 * compile with it.
 *
 * Needs gcc and the headers of libpam: `apt-get install gcc libc6-dev libpam0g-dev`. A package has
 * the programs for another processor, too, if its compiler is installed: `apt-get install
 * gcc-aarch64-linux-gnu libc6-dev-arm64-cross`. With musl they compile, but no package has them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempDisposableSync, renameSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { arch, pid } from 'node:process';
import { makeLibpamStub } from './libpam-stub.ts';
import { root } from './steps.ts';

/** The processors that Bulkhead runs on, as Node.js calls them, with their compilers on others. */
const crossCompilers: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu-gcc',
  arm64: 'aarch64-linux-gnu-gcc',
};

export const compilerFor = (processor: string): string =>
  processor === arch ? 'gcc' : (crossCompilers[processor] ?? '');

/** Returns this machine's processor, and the others for which a compiler is installed. */
export const compilableProcessors = (): readonly string[] =>
  Object.keys(crossCompilers).filter(
    (each) => each === arch || spawnSync(compilerFor(each), ['--version']).status === 0,
  );

const warnings = ['-Wall', '-Wextra', '-Werror', '-Wconversion', '-Wshadow'];
const hardenedFor = (processor: string): readonly string[] => [
  '-fstack-protector-strong',
  '-fstack-clash-protection',
  processor === 'arm64' ? '-mbranch-protection=standard' : '-fcf-protection',
  '-D_FORTIFY_SOURCE=3',
  '-Wl,-z,relro,-z,now,-z,noexecstack,--as-needed',
];
const common = ['-std=c11', '-O2', '-fvisibility=hidden', '-s'];
const executable = [...common, '-fPIE', '-pie', '-Wl,--wrap=__libc_start_main'];
const shared = [...common, '-fPIC', '-shared'];

/** Sources of the library; the other files of entry/ have a main function, or only some need them. */
const frontEnds = [
  'exec.c',
  'serve.c',
  'variables.c',
  'fpm.c',
  'pam.c',
  'pam-account.c',
  'pam-jail.c',
  'start.c',
  'suexec.c',
  'thaw.c',
];
const sources = globSync(`${root}entry/*.[ch]`).toSorted();
export const librarySources = sources.filter(
  (file) => file.endsWith('.c') && !frontEnds.some((each) => file.endsWith(`/${each}`)),
);

/** Compiles the PAM module and returns its path. */
export function compilePam(directory = `${root}dist/entry`, processor: string = arch): string {
  const [name, files] = [
    'pam_bulkhead.so',
    ['entry/pam.c', 'entry/pam-account.c', 'entry/pam-jail.c'],
  ];
  if (processor === arch) return compileTo(directory, name, files, [...shared, '-lpam']);
  using stub = mkdtempDisposableSync(join(tmpdir(), 'bulkhead-libpam-'));
  makeLibpamStub(stub.path, compilerFor(processor));
  // The headers are the same for all processors, and come after those of the other one.
  const found = ['-idirafter', '/usr/include', `-L${stub.path}`];
  return compileTo(directory, name, files, [...shared, ...found, '-lpam'], processor);
}

/** The launcher: its front end, and what runs applications. */
export const execFiles = ['entry/exec.c', 'entry/serve.c', 'entry/variables.c'];

/** Whether the launcher is newer than its sources. */
export const isExecCurrent = (): boolean =>
  isCurrent(`${root}dist/entry/${arch}/bulkhead-exec`, execFiles);

/** Files that a program is linked with: sources, or the objects of the library where they were compiled before. */
type Library = () => readonly string[];
const fromSources: Library = () => librarySources;

const compilerOf =
  (name: string, files: readonly string[]) =>
  (directory = `${root}dist/entry`, processor: string = arch, library = fromSources): string =>
    compileProgram(directory, name, files, processor, library);

/** Compiles the launcher and returns its path. */
export const compileExec = compilerOf('bulkhead-exec', execFiles);

/** Compiles what starts tenants' php-fpm and returns its path. */
export const compileFpm = compilerOf('bulkhead-fpm', ['entry/fpm.c']);

/** Compiles what Apache calls in place of suexec and returns its path. */
export const compileSuexec = compilerOf('bulkhead-suexec', ['entry/suexec.c']);

/** Compiles what thaws tenants when the agent does not, and returns its path. */
export const compileThaw = compilerOf('bulkhead-thaw', ['entry/thaw.c']);

/** Compiles the launchers, the PAM module and the program that thaws, and returns their paths. */
export function compileEntry(directory?: string, processor: string = arch): readonly string[] {
  using work = mkdtempDisposableSync(join(tmpdir(), 'bulkhead-entry-'));
  let objects: readonly string[] | undefined;
  const library = () => (objects ??= compileObjects(work.path, processor));
  const programs = [compileExec, compileFpm, compileSuexec, compileThaw].map((each) =>
    each(directory, processor, library),
  );
  return [...programs, compilePam(directory, processor)];
}

/** Compiles the library once for all programs, and returns its objects. */
function compileObjects(directory: string, processor: string): readonly string[] {
  const options = [...warnings, ...hardenedFor(processor), '-c', ...librarySources, ...executable];
  compile(compilerFor(processor), options, directory);
  return librarySources.map((file) => join(directory, `${basename(file, '.c')}.o`));
}

/** Compiles a test's own program, such as `test/jail/enter.c`, with the library, and returns its path. */
export const compileWithEntry = (source: string): string =>
  compileProgram(
    `${root}node_modules/.cache/entry-tests`,
    basename(source, '.c'),
    [source],
    arch,
    fromSources,
  );

const compileProgram = (
  directory: string,
  name: string,
  files: readonly string[],
  processor: string,
  library: Library,
) => compileTo(directory, name, [...files, 'entry/start.c'], executable, processor, library);

/**
 * Compiles to a file unless it is newer than all sources. The file is replaced in one step, since
 * another process may be using the old one.
 */
function compileTo(
  directory: string,
  name: string,
  frontEnd: readonly string[],
  kind: readonly string[],
  processor: string = arch,
  library = fromSources,
): string {
  mkdirSync(`${directory}/${processor}`, { recursive: true });
  const made = `${directory}/${processor}/${name}`;
  if (isCurrent(made, frontEnd)) return made;
  const aside = `${made}.${pid}`;
  const files = [...frontEnd.map((each) => `${root}${each}`), ...library()];
  const options = [...warnings, ...hardenedFor(processor), '-o', aside];
  compile(compilerFor(processor), [...options, ...files, ...kind]);
  renameSync(aside, made);
  return made;
}

function isCurrent(made: string, frontEnd: readonly string[]): boolean {
  const modified = (file: string) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const files = frontEnd.map((each) => `${root}${each}`);
  return [...sources, ...files, import.meta.filename].every(
    (file) => modified(file) < modified(made),
  );
}

function compile(compiler: string, args: readonly string[], directory = root): void {
  try {
    execFileSync(compiler, args, { cwd: directory, stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      'The launchers and the PAM module need gcc: apt-get install gcc libc6-dev libpam0g-dev',
      { cause: error },
    );
  }
}

if (import.meta.main) {
  try {
    for (const each of compileEntry(process.argv[2])) process.stdout.write(`${each}\n`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
