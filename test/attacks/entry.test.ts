/**
 * Functions that come in through the environment, where sh is bash: a CGI or PAM caller lets others set it, and
 * `bulkhead` runs as root. None of them may run.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, symlinkSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const bulkhead = new URL('../../bulkhead', import.meta.url).pathname;
const root = suiteDirectory('attack-entry');

const marker = join(root, 'ran');
const link = join(root, 'bulkhead');
symlinkSync(bulkhead, link);
/** bash under this name is what sh is on Enterprise Linux. */
const sh = join(root, 'sh');
symlinkSync('/bin/bash', sh);

const names =
  '[ readlink node echo die run has_libatomic command case exec unset shift set test printf read kill identify getent id env'.split(
    ' ',
  );
const functions = Object.fromEntries(
  names.map((name) => [`BASH_FUNC_${name}%%`, `() { : >${marker}; }`]),
);

const noBash = !existsSync('/bin/bash') && 'bash is not installed';

const commands = [
  ['exec', 'nobody-at-all', '--', 'true'],
  ['--instance', 'attacked', 'exec', 'nobody-at-all', '--', 'true'],
  ['--version'],
];

test('bulkhead runs no function from the environment, whatever its name', { skip: noBash }, () => {
  // The attack is one: bash takes the functions, and a script without defence runs them.
  const naive = join(root, 'naive');
  writeFileSync(naive, '[ -h "$0" ]\n');
  spawnSync(sh, [naive], { env: functions });
  assert.ok(existsSync(marker), 'bash takes no functions from the environment');
  rmSync(marker);
  for (const command of commands) {
    const { stdout } = spawnSync(sh, [link, ...command], { env: functions, encoding: 'utf8' });
    assert.ok(!existsSync(marker), `${command.join(' ')} ran a function`);
    if (command[0] === '--version') assert.match(stdout, /^\d+\.\d+\.\d+/);
  }
});

test("bulkhead runs no program from the caller's PATH", { skip: noBash }, () => {
  for (const name of ['readlink', 'node', 'getent', 'setpriv', 'id', 'sh']) {
    const file = join(root, 'bin', name);
    spawnSync('mkdir', ['-p', join(root, 'bin')]);
    writeFileSync(file, `#!/bin/bash\n: >${marker}\n`);
    chmodSync(file, 0o755);
  }
  for (const command of commands) {
    spawnSync(sh, [link, ...command], { env: { PATH: join(root, 'bin') }, encoding: 'utf8' });
    assert.ok(!existsSync(marker), `${command.join(' ')} ran a program of PATH`);
  }
});
