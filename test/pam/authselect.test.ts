/** `bulkhead-authselect` next to directories that it has not made, in a mount namespace with an authselect of its own. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const hasModule = ['x64', 'arm64'].some((each) =>
  existsSync(`${root}/dist/entry/${each}/pam_bulkhead.so`),
);
const skip =
  process.geteuid?.() !== 0
    ? 'only root may mount'
    : hasModule
      ? false
      : 'the PAM module is not compiled';

/** Runs it after `before`, and then prints the files that are there. */
function run(before: string) {
  const script = `mount -t tmpfs none /etc && mount -t tmpfs none /usr/sbin || exit 99
    printf '#!/bin/sh\\nexit 1\\n' >/usr/sbin/authselect && chmod 755 /usr/sbin/authselect
    [ ! -e /usr/bin/authselect ] || mount --bind /usr/sbin/authselect /usr/bin/authselect
    mkdir -p /etc/authselect/custom && cd /etc/authselect/custom && ${before}
    '${root}/libexec/bulkhead-authselect' sssd >&2
    /usr/bin/find . -type f`;
  const { stdout, stderr, status } = spawnSync(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', script],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
  return { files: stdout.trim().split('\n').toSorted(), stderr };
}

test('bulkhead-authselect keeps profiles that it has not made', { skip }, () => {
  for (const name of ['bulkhead', 'bulkhead-old']) {
    const { files, stderr } = run(`mkdir ${name} && echo theirs >${name}/README`);
    assert.match(stderr, new RegExp(`custom/${name} is there, and this program has not made it`));
    assert.deepEqual(files, [`./${name}/README`]);
  }
});

test('bulkhead-authselect takes back its profile after it was killed', { skip }, () => {
  const readme = 'Bulkhead, made of sssd: sssd with the PAM step';
  const { files, stderr } = run(`mkdir bulkhead-old && echo '${readme}' >bulkhead-old/README`);
  assert.match(stderr, /authselect refuses/);
  assert.deepEqual(files, ['./bulkhead/README']);
});
