/** `bulkhead modules` before modules, names and readers that mean no good. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { buildModule } from '../../packages/modules/test/core/elf-builder.ts';
import { tar } from '../../packages/modules/test/core/packages/builders.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { ModulesMatchJson } from '../../src/modules/commands/json.ts';

const bulkhead = new URL('../../bulkhead', import.meta.url).pathname;
const root = suiteDirectory('hostile');

function put(path: string, content: string | Uint8Array): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

const release = '6.12.118';
const headers = `kernel/usr/src/linux-headers-${release}`;
put(`${headers}/Module.symvers`, '0x00000001\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n');
put(`${headers}/include/config/kernel.release`, `${release}\n`);
put(`kernel/boot/config-${release}`, 'CONFIG_MODVERSIONS=y\n');
const kernel = ['--kernel', join(root, 'kernel'), '--no-cache'];

const options = {
  encoding: 'utf8',
  env: { PATH: process.env['PATH'] ?? '', HOME: root },
  maxBuffer: 64 * 2 ** 20,
} as const;
const run = (...args: string[]) => spawnSync(bulkhead, ['modules', ...args], options);

/** A title for the window, CSI in one character, text from right to left, and a line of our own. */
const steering = '\u001b]0;x\u0007\u009b31m\u202eA\nbulkhead: all is well';
const written = Buffer.from(steering).toString('latin1');
const tags = ['license=GPL', 'name=', 'author=', 'description=', 'version=1', 'vermagic=', ''];
const module = buildModule({
  modinfo: tags.map((tag) => tag + written),
  imports: [written, 'printk'],
  exports: [{ name: `e${written}` }],
  sections: [{ name: '.comment', data: Buffer.from(`GCC ${steering}\0other ${steering}\0`) }],
});
const file = put(`evil/m${steering.replaceAll('/', '')}.ko`, module);
put(`evil/text${steering}.ko`, 'no module');
const source = dirname(put(`source/Makefile`, `obj-m += x.o\n$(error ${steering})\n`));

describe('bulkhead modules with hostile text', () => {
  const commands: Readonly<Record<string, readonly string[]>> = {
    scan: ['scan', '--all', dirname(file)],
    'scan --json': ['scan', '--json', dirname(file)],
    'scan --format sarif': ['scan', '--format', 'sarif', dirname(file)],
    explain: ['explain', file],
    'explain of what is not there': ['explain', steering],
    predict: ['predict', file],
    'predict of what is not there': ['predict', steering],
    match: ['match', file, '--source', source],
    'match --json': ['match', '--json', file, '--source', source],
    'match with what is not there': ['match', file, '--source', steering],
    'a certificate that is not there': ['scan', '--certificate', steering, file],
  };
  for (const [label, [verb = '', ...words]] of Object.entries(commands)) {
    test(`bulkhead modules ${label} escapes control characters of a module or name`, () => {
      const { stdout, stderr } = run(verb, ...kernel, ...words);
      const all = stdout + stderr;
      assert.match(all, /all is well/, 'the text was not shown at all');
      // oxlint-disable-next-line no-control-regex -- the subject of the test
      assert.doesNotMatch(all, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      assert.doesNotMatch(all, /^bulkhead: all is well/m);
    });
  }
});

test('bulkhead modules exits quietly when the pipe it writes to is closed', () => {
  const script = '"$0" modules scan --json "$@" | head -c 5';
  const pipe = ['-o', 'pipefail', '-c', script, bulkhead, ...kernel, dirname(file)];
  const { stdout, stderr } = spawnSync('bash', pipe, options);
  assert.equal(stdout, '{"ver');
  assert.doesNotMatch(stderr, /EPIPE|defect|^\s+at /m);
});

test(
  'bulkhead modules exits with 1 when its output cannot be written',
  { skip: !existsSync('/dev/full') && 'there is no /dev/full' },
  () => {
    const script = '"$0" modules scan --json "$@" >/dev/full';
    const full = ['-c', script, bulkhead, ...kernel, dirname(file)];
    const { status, stderr } = spawnSync('bash', full, options);
    assert.equal(status, 1);
    assert.match(stderr, /Cannot write the output: ENOSPC/);
    assert.doesNotMatch(stderr, /^\s+at /m);
  },
);

test('bulkhead modules match --rebuild reads a module from a package', () => {
  const archive = put('module.tar', tar({ name: 'lib/x.ko', contents: buildModule() }));
  const words = ['--source', source, '--rebuild', '--json'];
  const { stdout, stderr } = run('match', ...kernel, archive, ...words);
  assert.doesNotMatch(stderr, /defect/);
  const { modules } = jsonOf<ModulesMatchJson>('modules match', stdout);
  assert.equal(modules[0]?.rebuild?.outcome, 'undecided');
});

test('bulkhead modules scan exits with 1 on a fifo, a device or /proc/kcore', () => {
  const fifo = join(root, 'fifo.ko');
  execFileSync('mkfifo', [fifo]);
  const paths = [fifo, '/dev/zero', '/proc/kcore'].filter((path) => existsSync(path));
  const { status, stderr } = spawnSync(bulkhead, ['modules', 'scan', ...kernel, ...paths], {
    ...options,
    timeout: patienceMilliseconds,
  });
  assert.equal(status, 1);
  assert.equal(
    stderr.split('\n').filter((each) => each.includes(': ')).length >= paths.length,
    true,
  );
});
