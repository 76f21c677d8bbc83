/** The programs of entry/ for another processor, with the oldest glibc and with musl. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import {
  compilableProcessors,
  compileExec,
  compileFpm,
  compilePam,
  execFiles,
  librarySources,
} from '../../scripts/entry.ts';

const ready = await ensurePrerequisites('portability', (line) => process.stdout.write(`${line}\n`));
const skip = process.arch === 'x64' ? (ready.ok ? false : ready.reason) : 'needs x86-64';
const root = fileURLToPath(new URL('../..', import.meta.url));
const directory = suiteDirectory('portability');
const arm64Libraries = '/usr/aarch64-linux-gnu';
const parsers = [`${root}test/entry/parse.c`, `${root}entry/parse.c`];

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: patienceMilliseconds,
  });
  assert.equal(status, 0, `${program} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

/** Returns the versioned names that a program needs of a library: `GLIBC_2.17 openat`. */
function neededNames(file: string, library: string): readonly string[] {
  const objdump = file.includes('/arm64/') ? 'aarch64-linux-gnu-objdump' : 'objdump';
  const needed = new RegExp(String.raw`\*UND\*\s+\S+\s+\(?(${library}_[^\s)]+)\)? +(\S+)$`, 'gm');
  const text = run(objdump, '-T', file);
  return [...text.matchAll(needed)].map(([, version, name]) => `${version} ${name}`).sort();
}

const isAtMost = (version: string, [major, minor]: readonly [number, number]) => {
  const [its = 0, second = 0] = version.split('.').map(Number);
  return its < major || (its === major && second <= minor);
};

test('the package has programs for x64 and arm64, which need no glibc above 2.28', { skip }, () => {
  assert.deepEqual(compilableProcessors(), ['x64', 'arm64']);
  for (const processor of compilableProcessors())
    for (const compile of [compileExec, compileFpm, compilePam]) {
      const file = compile(directory, processor);
      const names = neededNames(file, 'GLIBC');
      assert.ok(names.length > 30, `${file}: ${names.join()}`);
      const newer = names.filter(
        (name) => !isAtMost(/^GLIBC_([\d.]+) /.exec(name)?.[1] ?? '99', [2, 28]),
      );
      assert.deepEqual(newer, [], file);
    }
});

test('the PAM module for arm64 needs the same of libpam as the one for x64', { skip }, () => {
  const [x64 = [], arm64] = ['x64', 'arm64'].map((processor) =>
    neededNames(compilePam(directory, processor), 'LIBPAM'),
  );
  assert.ok(x64.includes('LIBPAM_1.0 pam_get_user'));
  assert.deepEqual(arm64, x64);
  const dynamic = run('aarch64-linux-gnu-readelf', '-d', compilePam(directory, 'arm64'));
  assert.match(dynamic, /NEEDED.*\[libpam\.so\.0\]/);
});

test('the launcher for arm64 starts', { skip }, () => {
  const args = ['-L', arm64Libraries, compileExec(directory, 'arm64')];
  assert.match(run('qemu-aarch64', ...args, '--help'), /^Usage: bulkhead-exec /);
  const { status, stderr } = spawnSync('qemu-aarch64', [...args, 'x'], { encoding: 'utf8' });
  assert.deepEqual([status, /there must be --/.test(stderr)], [2, true]);
});

test('parsers of entry/ read the same on arm64', { skip }, () => {
  const program = `${directory}/parse-arm64`;
  run('aarch64-linux-gnu-gcc', '-std=c11', '-O2', '-o', program, ...parsers);
  assert.equal(run('qemu-aarch64', '-L', arm64Libraries, program), '');
});

test('entry/ compiles with musl, and its parsers read the same', { skip }, () => {
  // Debian's musl has no headers of the kernel.
  const headers = ['/usr/include', '/usr/include/x86_64-linux-gnu'];
  const strict = ['-Wall', '-Wextra', '-Werror', '-Wconversion', '-Wshadow'];
  const options = [
    '-std=c11',
    '-O2',
    ...strict,
    ...headers.flatMap((each) => ['-idirafter', each]),
  ];
  const program = `${directory}/parse-musl`;
  run('musl-gcc', ...options, '-o', program, ...parsers);
  assert.equal(run(program), '');
  const launcher = `${directory}/exec-musl`;
  const sources = [...execFiles.map((file) => `${root}${file}`), ...librarySources];
  run('musl-gcc', ...options, '-o', launcher, ...sources);
  assert.match(run(launcher, '--help'), /^Usage: bulkhead-exec /);
});
