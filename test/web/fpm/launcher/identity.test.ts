/** bulkhead-fpm without a jail: what php-fpm runs as, in which cgroup, and which directories it could enter as that. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import {
  type Mode,
  boundingSet,
  call,
  instance,
  launch,
  make,
  ownStatus,
  program,
  removeTree,
  scratch,
  skip,
  tree,
  uid,
  useTenant,
} from './stage.ts';

suite('the identity of bulkhead-fpm without a jail', { skip }, () => {
  useTenant();

  test('runs as the tenant with the groups of the account in a slice', () => {
    const identity = program(
      `echo "$FPM_SOCKETS $(id -u):$(id -g):$(id -G) $HOME $OTHER"; grep -E '^(Cap|NoNewPrivs)' /proc/self/status`,
    );
    for (const [ids, groups] of [
      ['65534:65534', '65534:65534:65534'],
      ['65534:33', '65534:33:33'],
    ]) {
      const args = ['slice', instance, ids ?? '', identity, '/x.conf'];
      const { stdout, stderr } = call(args, '/run/a.sock');
      assert.ok(stdout.startsWith(`/run/a.sock=3 ${groups} /of/the/unit other\n`), stdout + stderr);
      for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
        assert.match(stdout, new RegExp(`^Cap${set}:\t0+$`, 'm'));
      // PHP starts sendmail, which is setgid or setuid.
      assert.match(stdout, /^NoNewPrivs:\t0$/m);
      assert.equal(boundingSet(stdout), boundingSet(ownStatus()));
    }
    const unknown = launch('slice', 'echo ran');
    assert.deepEqual([unknown.status, unknown.stdout], [1, '']);
    assert.match(unknown.stderr, new RegExp(`uid ${uid}: there is no such account`));
  });

  test('runs as the tenant in its cgroup, with a clean environment', () => {
    const { status, stdout, stderr } = launch(
      'tenant',
      'pwd; env | sort; echo; cat /proc/self/cgroup /proc/self/status',
    );
    assert.equal(status, 0, stderr);
    const [first] = stdout.split('\n\n');
    assert.deepEqual(first?.split('\n'), [
      '/',
      'FPM_SOCKETS=/run/a.sock=3',
      'HOME=/',
      'LANG=C.UTF-8',
      `LOGNAME=${uid}`,
      'PATH=/usr/local/bin:/usr/bin:/bin',
      'PWD=/',
      'SHELL=/bin/sh',
      `USER=${uid}`,
    ]);
    const places = stdout.match(new RegExp(`:/${instance}/u${uid}$`, 'gm')) ?? [];
    assert.equal(places.length, tree.roots.length, stdout);
    assert.match(stdout, new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'));
    assert.match(stdout, /^CapEff:\t0+$/m);
    assert.match(stdout, /^NoNewPrivs:\t0$/m);
    // Capabilities that sendmail needs, as far as this machine has them.
    assert.equal(boundingSet(stdout), boundingSet(ownStatus()) & 0x2004_25fbn);
  });

  test("moves a master into its site's cgroup, or else to main", (t) => {
    t.after(() => {
      removeTree();
      make(`u${uid}`);
    });
    removeTree();
    const places = (mode: Mode, ...site: readonly string[]) => {
      const { status, stdout, stderr } = launch(mode, 'cat /proc/self/cgroup', ...site);
      assert.equal(status, 0, stderr);
      const found = [...stdout.matchAll(new RegExp(`:/${instance}/r1000/u${uid}(.*)$`, 'gm'))];
      assert.equal(found.length, tree.roots.length, stdout);
      return [...new Set(found.map(([, place]) => place)), stderr];
    };
    const rest = (site: string) =>
      `bulkhead: The site ${site} of uid ${uid} has no cgroup: its pools run in the rest of the tenant\n`;
    make(`r1000/u${uid}`);
    for (const mode of ['root', 'tenant'] as const) {
      assert.deepEqual(places(mode), ['', '']);
      assert.deepEqual(places(mode, 'shop.example'), ['', rest('shop.example')]);
    }
    make(`r1000/u${uid}/main`, `r1000/u${uid}/s-shop.example`);
    for (const mode of ['root', 'tenant'] as const) {
      assert.deepEqual(places(mode), ['/main', '']);
      assert.deepEqual(places(mode, 'shop.example'), ['/s-shop.example', '']);
      assert.deepEqual(places(mode, 'gone.example'), ['/main', rest('gone.example')]);
    }
    // A unit in a slice is where it belongs.
    assert.equal(launch('slice-root', 'true', 'gone.example').stderr, '');
    removeTree();
    for (const mode of ['root', 'tenant'] as const) {
      const none = launch(mode, 'echo ran', 'shop.example');
      assert.deepEqual([none.status, none.stdout], [1, '']);
      assert.match(none.stderr, new RegExp(`uid ${uid} has no cgroup`));
    }
  });

  test('prints which directories a tenant cannot enter, and only root can ask', () => {
    mkdirSync(join(scratch, 'open'), { mode: 0o755 });
    mkdirSync(join(scratch, 'closed'), { mode: 0o700 });
    mkdirSync(join(scratch, 'group'), { mode: 0o710 });
    chownSync(join(scratch, 'group'), 0, 65_534);
    const directories = ['open', 'closed', 'group', 'missing'].map((each) => join(scratch, each));
    const look = (gid: string, ...more: readonly string[]) =>
      call(['look', instance, `${uid}`, gid, 'nobody', ...more]);
    const closed = `${scratch}/closed: Permission denied\n`;
    const missing = `${scratch}/missing: No such file or directory\n`;
    assert.equal(look('65534', '', ...directories).stdout, closed + missing);
    assert.equal(
      look('1', '', ...directories).stdout,
      `${closed}${scratch}/group: Permission denied\n${missing}`,
    );
    assert.equal(look('1', '', '/').status, 0);
    assert.equal(look('1', '', 'srv').stdout, 'srv: it is not absolute\n');
    for (const [gid, key, ...more] of [
      ['1', ''],
      ['-1', '', '/'],
      ['1', `${uid + 1}`, '/'],
      ['1', `${uid}-..`, '/'],
    ] as const) {
      const { status, stdout, stderr } = look(gid, key, ...more);
      assert.deepEqual([status, stdout], [1, ''], key);
      assert.match(stderr, /wrong usage/);
    }
    const inJail = look('1', `${uid}`, '/');
    assert.deepEqual([inJail.status, inJail.stdout], [1, '']);
    assert.match(inJail.stderr, /^bulkhead: its jail cannot be entered: /);
    const outsider = call(['look', instance, `${uid}`, '1', 'nobody', '', '/'], undefined, {
      uid: 65_534,
    });
    assert.equal(outsider.status, 1);
    assert.match(outsider.stderr, /only root can/);
  });
});
