/** The parsers of entry/, with sanitizers: cases that were thought of, and cases that libFuzzer finds. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { formatEntrySlots } from '../../src/host/entry-slots.ts';
import { formatStateFile } from '../../src/jail/core/state-file.ts';
import { formatSettings } from '../../src/web/core/suexec/settings-file.ts';

const ready = await ensurePrerequisites('entry', (line) => process.stdout.write(`${line}\n`));
const skip = ready.ok ? false : ready.reason;
const root = fileURLToPath(new URL('../..', import.meta.url));
const library = `${root}entry/parse.c`;

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: patienceMilliseconds,
  });
  assert.equal(status, 0, `${stdout}${stderr}${error?.message ?? ''}`);
  return stdout;
}

test('parsers of entry/ accept what is whole, and nothing that is cut off', { skip }, () => {
  using directory = temporaryDirectory('entry');
  const program = `${directory.path}/parse`;
  const options = [
    '-std=c11',
    '-g',
    '-O1',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover',
  ];
  run('gcc', ...options, '-o', program, `${root}test/entry/parse.c`, library);
  assert.equal(run(program), '');
});

/** More by `BULKHEAD_FUZZ_RUNS=100000000`. */
const runs = process.env['BULKHEAD_FUZZ_RUNS'] ?? '300000';

test('parsers of entry/ withstand what libFuzzer makes of real files', { skip }, () => {
  using directory = temporaryDirectory('entry');
  const program = `${directory.path}/fuzz`;
  const sanitizers = '-fsanitize=fuzzer,address,undefined';
  const options = ['-std=c11', '-g', '-O1', sanitizers, '-fno-sanitize-recover=all'];
  run('clang', ...options, '-o', program, `${root}test/entry/fuzz.c`, library);
  const corpus = `${directory.path}/corpus`;
  mkdirSync(corpus);
  const files = {
    launch:
      'launch 1\njoin tasks\nslices /sys/fs/cgroup/user.slice\nroot /sys/fs/cgroup/cpu/b\nend\n',
    jail: formatStateFile({
      profile: 'web',
      state: 'ready',
      filter: true,
      landlock: true,
      commands: ['sendmail'],
      earlier: [],
      print: '8f0c',
    }),
    failed: 'jail 1\nstate failed the home is a link\nend\n',
    entries: formatEntrySlots({ limit: 20, reseller: 1000 }),
    settings: formatSettings({ instance: 'bulkhead', caller: 33, program: '/usr/lib/suexec' }),
    holder: '12 345 hangs\n',
    stat: '12 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 345 6\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(`${corpus}/${name}`, text);
  run(program, `-runs=${runs}`, '-seed=1', '-max_len=600', '-verbosity=0', corpus);
});
