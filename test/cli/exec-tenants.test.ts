/** `bulkhead exec` finds a tenant by name or uid, and refuses other names. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { launchText, removeCgroup } from './launch-stage.ts';
import {
  instance,
  account,
  uidWithoutAccount,
  tree,
  skip,
  scratch,
  uid,
  makeTenant,
  removeTenant,
  withLaunchText,
  launch,
  output,
  assertRefused,
  useTenant,
  pathInHierarchy,
} from './exec-stage.ts';

const resellerUid = 7_000_000;

describe('the tenant of bulkhead exec', { skip }, () => {
  useTenant();

  test('joins the cgroup of a tenant below a reseller', () => {
    removeTenant(`u${uid}`);
    makeTenant(`r${resellerUid}/u${uid}`);
    try {
      const cgroups = output('cat /proc/self/cgroup');
      for (const root of tree.roots)
        assert.ok(cgroups.includes(pathInHierarchy(root, `r${resellerUid}/u${uid}`)));
    } finally {
      removeTenant(`r${resellerUid}`);
      makeTenant(`u${uid}`);
    }
  });

  test('joins cgroup.procs on the unified hierarchy of a hybrid host', (t) => {
    const root = `/sys/fs/cgroup/unified/${instance}`;
    if (!fs.existsSync('/sys/fs/cgroup/unified/cgroup.procs'))
      return t.skip('this host is not hybrid');
    fs.mkdirSync(`${root}/u${uid}`, { recursive: true });
    try {
      withLaunchText(launchText({ join: 'cgroup.procs', roots: [root] }), () => {
        assert.match(output('cat /proc/self/cgroup'), new RegExp(`^0::/${instance}/u${uid}$`, 'm'));
      });
    } finally {
      removeCgroup(root);
    }
  });

  test('runs a uid without an account if it has a cgroup', () => {
    const place = `u${uidWithoutAccount}`;
    makeTenant(place);
    try {
      const result = launch(String(uidWithoutAccount), [
        'sh',
        '-c',
        'id -u; id -g; id -G; pwd; echo $HOME $USER',
      ]);
      const id = String(uidWithoutAccount);
      assert.equal(result.stdout, `${id}\n${id}\n${id}\n/\n/ ${id}\n`, result.stderr);
    } finally {
      removeTenant(place);
    }
  });

  test('takes a uid for its account', () => {
    const result = launch(String(uid), ['sh', '-c', 'echo $USER']);
    assert.equal(result.stdout, `${account}\n`, result.stderr);
  });

  test("exits with 1 and the reason when the name is not a tenant's", () => {
    assertRefused(
      launch('nobody', ['id']),
      /^bulkhead: "nobody" is not a tenant: uid \d+ has no cgroup .*see bulkhead status$/m,
    );
    assertRefused(
      launch('no-such-user', ['id']),
      /"no-such-user" is not a tenant: there is no such account/,
    );
    assertRefused(launch('4000000000', ['id']), /"4000000000" is not a tenant/);
    assertRefused(launch(String(2 ** 32 + uid), ['id']), /is not a tenant/);
  });

  test('refuses uid 0 under any name', () => {
    for (const name of ['root', '0', '00', '+0', ' 0', String(2 ** 32)]) {
      assertRefused(launch(name, ['id']), /not a tenant/);
    }
  });

  test('treats a name with shell characters as a name', () => {
    const marker = join(scratch, 'marker');
    const odd = [
      `$(touch ${marker})`,
      `"; touch ${marker}; "`,
      `' ; touch ${marker} #`,
      `../u${uid}`,
    ];
    for (const name of [
      ...odd,
      '*',
      'a b',
      'a\nb',
      '\u001b[31mred',
      `${account}:`,
      `${account}\n`,
    ]) {
      const result = launch(name, ['id']);
      assertRefused(result, /not a tenant/);
      assert.ok(!result.stderr.includes('\u001b'));
    }
    assert.ok(!fs.existsSync(marker));
  });

  test('exits with 2 when the name begins with a dash', () => {
    for (const name of ['-x', '--', '--instance', '--keep-env', '--chdir', '--nonsense=1']) {
      const result = launch(name, ['id']);
      assert.equal(result.status, 2, name);
      assert.equal(result.stdout, '');
    }
  });
});
