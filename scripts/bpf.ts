/**
 * Compiles the BPF programs of bpf/ into dist/bpf/: `node scripts/bpf.ts [DIRECTORY]`. One object
 * fits every kernel and every little-endian processor, so one build serves the package and the
 * tests.
 *
 * Needs clang and the headers of libbpf: `apt-get install clang libbpf-dev`.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { root } from './steps.ts';

const flags = ['-target', 'bpfel', '-mcpu=v3', '-O2', '-g', '-Wall', '-Werror'];
/** libbpf's headers have functions that not every program uses. */
const tolerated = ['-Wno-unused-function'];

/** Compiles the programs and returns the paths of the objects. */
export function compileBpf(directory = `${root}dist/bpf`) {
  mkdirSync(directory, { recursive: true });
  return globSync('bpf/*.bpf.c', { cwd: root }).map((source) => {
    const object = join(resolve(directory), `${basename(source, '.c')}.o`);
    // An object is the same wherever it is compiled.
    const anywhere = [`-ffile-prefix-map=${root}=`, '-fdebug-compilation-dir=.'];
    compile([...flags, ...tolerated, ...anywhere, '-c', join(root, source), '-o', object]);
    return object;
  });
}

function compile(args: readonly string[]): void {
  try {
    // BTF has lines of the sources, which clang looks for in the directory where it runs.
    execFileSync('clang', args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    process.stderr.write('The BPF programs need clang: apt-get install clang libbpf-dev\n');
    process.exit(1);
  }
}

if (import.meta.main)
  for (const each of compileBpf(process.argv[2])) process.stdout.write(`${each}\n`);
