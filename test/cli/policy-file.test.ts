/** The policy as people type it, and a mistake that has nothing to do with what is asked. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildModule } from '../../packages/modules/test/core/elf-builder.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const bulkhead = new URL('../../bulkhead', import.meta.url).pathname;
const root = suiteDirectory('policy-file');

const run = (...args: string[]) => spawnSync(bulkhead, args, { encoding: 'utf8' });

function policy(name: string, body: string): string {
  const file = join(root, name);
  writeFileSync(file, `<bulkhead version="1">\n${body}\n</bulkhead>\n`);
  return file;
}

const right = policy('right.xml', '<tenant uid="54321"/>');
const wrong = policy('wrong.xml', '<tenant uid="54321" colour="red"/>');

test('check, plan, apply and verify take the file with and without -p', () => {
  for (const words of [[right], ['-p', right], ['-p', right, right]]) {
    const { status, stdout } = run('check', ...words);
    assert.equal(stdout, `${right} is correct: 1 tenant, 0 resellers\n`);
    assert.equal(status, 0);
  }
  for (const verb of ['check', 'plan', 'apply', 'verify']) {
    const { status, stderr } = run(verb, wrong);
    assert.equal(status, 1);
    assert.match(stderr, /wrong\.xml:2:\d+: error: <tenant> has no attribute "colour"/);
    const two = run(verb, '-p', right, wrong);
    assert.equal(two.status, 2);
    assert.match(
      two.stderr,
      /Cannot use the policy ".*wrong\.xml": ".*right\.xml" is named too; name one/,
    );
  }
});

test('modules scan ignores errors outside <modules>, and fails for errors inside', () => {
  const headers = join(root, 'kernel/usr/src/linux-headers-6.12.118');
  mkdirSync(join(headers, 'include/config'), { recursive: true });
  mkdirSync(join(root, 'kernel/boot'), { recursive: true });
  writeFileSync(join(headers, 'Module.symvers'), '0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n');
  writeFileSync(join(headers, 'include/config/kernel.release'), '6.12.118\n');
  writeFileSync(join(root, 'kernel/boot/config-6.12.118'), 'CONFIG_MODVERSIONS=y\n');
  writeFileSync(join(root, 'm.ko'), buildModule({ name: 'm' }));
  const scan = (file: string) =>
    run(
      'modules',
      'scan',
      '--no-cache',
      '--kernel',
      join(root, 'kernel'),
      '-p',
      file,
      join(root, 'm.ko'),
    );
  const elsewhere = scan(
    policy('elsewhere.xml', '<modules><deny name="m" reason="no"/></modules><tenant uid="x"/>'),
  );
  assert.equal(elsewhere.status, 3, elsewhere.stderr);
  assert.match(elsewhere.stderr, /has errors, but not in what it requires of modules/);
  const inside = scan(policy('inside.xml', '<modules require="perfect"/>'));
  assert.equal(inside.status, 1);
  assert.match(inside.stderr, /what it requires of modules is not known/);
});
