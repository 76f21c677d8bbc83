/**
 * Compiles the BPF programs of bpf/ into dist/bpf/: `node scripts/bpf.ts [DIRECTORY]`. One object fits every kernel and
 * every little-endian processor, so it is made once, for the package and by the tests.
 *
 * Needs clang and the headers of libbpf: `apt-get install clang libbpf-dev`.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from './steps.ts';

const flags = ['-target', 'bpfel', '-mcpu=v3', '-O2', '-g', '-Wall', '-Werror'];
/** libbpf's headers have functions that not every program uses. */
const tolerated = ['-Wno-unused-function'];

/** All of them, or those that are older than their sources. Answers the paths of the objects. */
export function compileBpf(directory = `${root}dist/bpf`, which: 'all' | 'stale' = 'all') {
  mkdirSync(directory, { recursive: true });
  const headers = globSync('bpf/*.h', { cwd: root });
  return globSync('bpf/*.bpf.c', { cwd: root }).map((source) => {
    const object = join(directory, `${basename(source, '.c')}.o`);
    if (which === 'stale' && isFresh(object, [source, ...headers])) return object;
    const here = `-ffile-prefix-map=${root}=`;
    const words = [...flags, ...tolerated, here, '-c', join(root, source), '-o', object];
    compile(words);
    return object;
  });
}

function compile(words: readonly string[]): void {
  try {
    execFileSync('clang', words, { stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    process.stderr.write('The BPF programs need clang: apt-get install clang libbpf-dev\n');
    process.exit(1);
  }
}

function isFresh(object: string, sources: readonly string[]): boolean {
  const made = statSync(object, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
  return sources.every((each) => statSync(join(root, each)).mtimeMs < made);
}

if (import.meta.main)
  for (const each of compileBpf(process.argv[2])) process.stdout.write(`${each}\n`);
