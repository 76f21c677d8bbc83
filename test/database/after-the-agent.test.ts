/** The service's last command, which thaws and restores what a killed agent has left. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../scripts/steps.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const [, command = ''] =
  /^ExecStopPost=-\/bin\/sh -c '(.*)'$/m.exec(
    readFileSync(`${root}packaging/bulkhead.service`, 'utf8'),
  ) ?? [];

for (const [machine, own, other] of [
  ['x86_64', 'x64', 'arm64'],
  ['aarch64', 'arm64', 'x64'],
] as const)
  test(`it runs the program for ${machine} with both records, and no other`, () => {
    using directory = temporaryDirectory('after-agent');
    const at = (path: string) => join(directory.path, path);
    const script = (path: string, text: string) => {
      writeFileSync(at(path), `#!/bin/sh\n${text}\n`);
      chmodSync(at(path), 0o755);
    };
    for (const each of [
      'bin',
      'package',
      `package/dist/entry/${own}`,
      `package/dist/entry/${other}`,
    ])
      mkdirSync(at(each), { recursive: true });
    script('package/bulkhead', '');
    symlinkSync(at('package/bulkhead'), at('bin/bulkhead'));
    script('bin/uname', `echo ${machine}`);
    // The first fails, which must not keep the second from its work.
    script(`package/dist/entry/${own}/bulkhead-thaw`, 'echo "own $1"; exit 1');
    script(`package/dist/entry/${other}/bulkhead-thaw`, 'echo "other $1"');
    const path = `${at('bin')}:${process.env['PATH'] ?? ''}`;
    const run = spawnSync('/bin/sh', ['-c', command.replaceAll('$$', '$')], {
      encoding: 'utf8',
      env: { PATH: path },
    });
    assert.equal(
      run.stdout,
      'own /run/bulkhead/database-frozen\nown /run/bulkhead/database-quotas\n',
    );
    assert.equal(run.stderr, '');
  });

test('the programs are where it looks for them', () => {
  const machine = execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim();
  assert.equal({ x86_64: 'x64', aarch64: 'arm64' }[machine], process.arch);
});
