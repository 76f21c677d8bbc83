/** Building modules, and the guest's only program, with the compiler that the kernel's headers ask for. */
import { cp, mkdir, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { succeed, splitCommand } from '../vm/command.ts';
import type { OracleKernelFiles } from './kernel-files.ts';

const compiler = 'gcc-14';

/**
 * Builds the modules of a directory in a copy of it, all in one run of make. Gives name → file.
 * Debugging information and BTF are left out: they triple the time and the loader ignores them.
 */
export async function buildModules(
  kernel: OracleKernelFiles,
  sources: string,
  scratch: string,
  moreOptions: readonly string[] = [],
): Promise<Map<string, Uint8Array>> {
  const directory = join(scratch, 'modules');
  await mkdir(directory);
  await cp(sources, directory, { recursive: true });
  // Headers of other releases ask for compilers that this host need not have.
  const options = splitCommand(`-s -j2 CC=${compiler} KCFLAGS=-g0 CONFIG_DEBUG_INFO_BTF_MODULES=`);
  const argv = ['make', '-C', kernel.headers, `M=${directory}`, ...options, ...moreOptions];
  argv.push('modules');
  await succeed('build the family of modules', argv);
  const built = new Map<string, Uint8Array>();
  for (const file of await readdir(directory)) {
    if (!file.endsWith('.ko')) continue;
    built.set(basename(file, '.ko'), new Uint8Array(await readFile(join(directory, file))));
  }
  return built;
}

export async function buildLoader(scratch: string): Promise<Uint8Array> {
  const source = join(import.meta.dirname, 'guest-files/loader.c');
  const program = join(scratch, 'loader');
  const argv = [compiler, ...splitCommand('-O2 -Wall -Wextra -static -o'), program, source];
  await succeed("build the guest's loader", argv);
  return new Uint8Array(await readFile(program));
}
