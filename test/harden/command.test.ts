/**
 * The commands on the real kernel, in a user namespace of its own with its own /etc/sysctl.d and /var/lib. The value
 * of user.max_user_namespaces applies only to that namespace.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { jsonOf } from '../../testing/json-output.ts';
import { mainFile } from '../../testing/program.ts';
import type {
  HardenDisableJson,
  HardenEnableJson,
  HardenStatusJson,
} from '../../src/harden/commands/json.ts';
import type { SecurityReport } from '../../src/cli/commands/json.ts';

const inside = ['--user', '--map-root-user', '--mount', '--propagation', 'private'];
const instance = 'bulkhead-hardtest';

function sandboxed(script: string) {
  const whole = `set -u
    mount -t tmpfs -o mode=755 none /etc/sysctl.d && mount -t tmpfs -o mode=755 none /var/lib || exit 99
    harden() { '${process.execPath}' '${mainFile}' --instance ${instance} harden "$@"; }
    value() { cat /proc/sys/user/max_user_namespaces; }
    file=/etc/sysctl.d/90-${instance}.conf
    ${script}`;
  return spawnSync('unshare', [...inside, 'sh', '-c', whole], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function reasonToSkip(): string | false {
  if (process.geteuid?.() !== 0) return 'only root can do what harden does';
  const { status } = sandboxed('echo 17 >/proc/sys/user/max_user_namespaces');
  return status === 0 ? false : 'user namespaces are not to be had here';
}
const options = { skip: reasonToSkip() };

test('harden enable sets and keeps a value, and disable restores it', options, () => {
  const { stdout, stderr, status } = sandboxed(`
    echo 17 >/proc/sys/user/max_user_namespaces
    harden enable userns-max --dry-run; echo "dry $? $(value)"; ls /etc/sysctl.d /var/lib
    harden enable userns-max; echo "unasked $? $(value)"
    harden enable userns-max --yes; echo "done $? $(value)"; cat $file
    harden status; echo "set $?"
    harden enable userns-max --yes; echo "again $? $(value)"
    echo 18 >/proc/sys/user/max_user_namespaces; harden status; echo "lost $?"; echo 0 >/proc/sys/user/max_user_namespaces
    harden disable userns-max --yes --json; echo "undone $? $(value)"
    ls /etc/sysctl.d /var/lib/${instance}/hardening
    harden disable --yes; echo "nothing $?"
  `);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /user\.max_user_namespaces: 17 -> 0\n/);
  assert.match(stdout, /dry 0 17\n\/etc\/sysctl\.d:\n\n\/var\/lib:\n/);
  assert.match(stdout, /unasked 2 17\n/);
  assert.match(stdout, /done 0 0\n# Written by .*\nuser\.max_user_namespaces = 0\n/);
  assert.match(stdout, /again 0 0\n/);
  assert.match(stdout, /userns-max +user\.max_user_namespaces +0 +0 +good +to 0, was 17\n/);
  assert.match(stdout, /set 0\n/);
  assert.match(stdout, /userns-max +user\.max_user_namespaces +18 +0 +\w+ +to 0, was 17\n/);
  assert.match(stdout, /lost 3\n/);
  assert.match(stdout, /"from": "0",\n\s*"to": "17"/);
  assert.match(
    stdout,
    /undone 0 17\n\/etc\/sysctl\.d:\n\n\/var\/lib\/bulkhead-hardtest\/hardening:\n/,
  );
  assert.match(stdout, /Nothing is left to undo\nnothing 0\n/);
  assert.match(stderr, /Cannot change this host: nobody can be asked here; pass --yes/);
});

test('harden enable --dry-run prints as JSON what it would change', options, () => {
  const { stdout, stderr } = sandboxed(`
    echo 17 >/proc/sys/user/max_user_namespaces
    harden enable userns-max --dry-run --json
  `);
  const { changed, dryRun } = jsonOf<HardenEnableJson>('harden enable', stdout);
  assert.deepEqual(changed, [{ key: 'user.max_user_namespaces', from: '17', to: '0' }], stderr);
  assert.equal(dryRun, true);
});

test('harden disable and harden status print JSON', options, () => {
  const disabled = sandboxed('harden disable --dry-run --json');
  const { changed } = jsonOf<HardenDisableJson>('harden disable', disabled.stdout);
  assert.deepEqual(changed, [], disabled.stderr);
  const status = sandboxed('harden status --json');
  const { items } = jsonOf<HardenStatusJson>('harden status', status.stdout);
  assert.ok(items.length > 20);
  assert.ok(items.every(({ set, before }) => set === null && before === null));
});

test('harden enable names the file that overrides its own', options, () => {
  const { stdout } = sandboxed(`
    echo 17 >/proc/sys/user/max_user_namespaces
    printf '\\nuser.max_user_namespaces=99\\n' >/etc/sysctl.d/99-local.conf
    harden enable userns-max --dry-run
  `);
  assert.match(
    stdout,
    /99-local\.conf:2 sets user\.max_user_namespaces to 99 at boot, after our file/,
  );
});

test('harden enable refuses an unknown item', () => {
  const unknown = spawnSync(
    process.execPath,
    [mainFile, 'harden', 'enable', 'world', '--dry-run'],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /there is no such item; use protected-symlinks, /);
});

test('doctor --security reports every item', () => {
  const { stdout, status } = spawnSync(
    process.execPath,
    [mainFile, 'doctor', '--security', '--json'],
    {
      encoding: 'utf8',
    },
  );
  const { items } = jsonOf<SecurityReport>('doctor', stdout);
  assert.ok(items.length > 20);
  assert.equal(status, items.some(({ verdict }) => verdict === 'lacking') ? 3 : 0);
  for (const each of items)
    if (each.now === null) assert.equal(each.verdict, 'unavailable', each.item);
});
