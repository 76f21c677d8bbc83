/** bulkhead-suexec below a real Apache: CGI programs and FastCGI programs start in their tenant's cgroup and jail. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chownSync, copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { findTree } from '../../cli/launch-stage.ts';
import { showSelf, skip, SuexecStage, type Tenant } from './stage.ts';

/** More than the programs that one request can leave for the next to overlap. */
const limit = 3;

suite('programs that suexec starts', { skip }, () => {
  const stage = new SuexecStage('run');
  stage.register(`<entries limit="${limit}"/>`);
  const { roots } = findTree(stage.instance);

  const placesOf = (text: string, tenant: Tenant) =>
    text.match(new RegExp(`:/${stage.instance}/u${stage.uids[tenant]}$`, 'gm')) ?? [];
  const checkOwner = (text: string, tenant: Tenant) => {
    const [uid, gid] = [stage.uids[tenant], stage.gids[tenant]];
    assert.match(text, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
    assert.match(text, new RegExp(`^Gid:\\t${gid}\\t${gid}\\t${gid}\\t${gid}$`, 'm'));
    assert.match(text, /^CapEff:\t0+$/m);
  };

  test('a CGI program starts outside its cgroup with suexec alone, and inside with the wrapper', async () => {
    for (const tenant of ['alice', 'bob'] as const) stage.write(tenant, 'a.cgi', showSelf);
    await stage.start();
    const before = await stage.ask('bob', '/a.cgi');
    assert.equal(before.status, 200, stage.log());
    checkOwner(before.body, 'bob');
    assert.equal(placesOf(before.body, 'bob').length, 0);
    stage.installWrapper();
    const { status, body } = await stage.ask('bob', '/a.cgi?a=1', { 'x-own': 'kept' });
    assert.equal(status, 200, stage.log());
    checkOwner(body, 'bob');
    assert.equal(placesOf(body, 'bob').length, roots.length);
    assert.match(body, /^QUERY_STRING=a=1$/m);
    assert.match(body, /^HTTP_X_OWN=kept$/m);
    assert.match(body, new RegExp(`^pwd ${stage.directoryOf('bob')} args $`, 'm'));
    // sendmail is setuid or setgid on many hosts.
    assert.match(body, /^NoNewPrivs:\t0$/m);
  });

  test('a CGI program of a tenant with a jail starts in the jail', async () => {
    const { status, body } = await stage.ask('alice', '/a.cgi?a=1', { 'x-own': 'kept' });
    assert.equal(status, 200, stage.log());
    checkOwner(body, 'alice');
    assert.equal(placesOf(body, 'alice').length, roots.length);
    assert.match(body, /^NoNewPrivs:\t1$/m);
    assert.match(body, /^CapBnd:\t0+$/m);
    assert.match(body, /^Seccomp:\t2$/m);
    assert.match(body, /^QUERY_STRING=a=1$/m);
    assert.match(body, /^HTTP_X_OWN=kept$/m);
    assert.match(body, new RegExp(`^pwd ${stage.directoryOf('alice')} args $`, 'm'));
    assert.match(stage.suexecLog(), new RegExp(`uid: \\(${stage.uids.alice}/.*cmd: a\\.cgi$`, 'm'));
  });

  test('a tenant in a jail sees no other tenant and gets no directory', async () => {
    const { body } = await stage.ask('alice', '/a.cgi');
    assert.match(body, new RegExp(`^${stage.homes} $`, 'm'));
    assert.doesNotMatch(body, /^directory /m);
    stage.write('alice', 'b.cgi', `#!/bin/sh\necho; ls ${stage.homes}; ls /var/log\n`);
    assert.equal((await stage.ask('alice', '/b.cgi')).body, 'alice\n');
  });

  test('what suexec refuses stays refused, and its log has the reason', async () => {
    for (const tenant of ['alice', 'bob'] as const) {
      stage.write(tenant, 'open.cgi', showSelf, 0o777);
      assert.equal((await stage.ask(tenant, '/open.cgi')).status, 500);
      const other = stage.write(tenant, 'other.cgi', showSelf);
      chownSync(other, stage.uids.bob + stage.uids.alice - stage.uids[tenant], stage.gids[tenant]);
      assert.equal((await stage.ask(tenant, '/other.cgi')).status, 500);
    }
    assert.equal(stage.suexecLog().match(/file is writable by others/g)?.length, 2);
    assert.equal(stage.suexecLog().match(/mismatch with directory/g)?.length, 2);
  });

  test('mod_fcgid starts php-cgi by a wrapper in the cgroup and the jail', async () => {
    const script =
      '<?php echo file_get_contents("/proc/self/status"), file_get_contents("/proc/self/cgroup");';
    const more = ['alice', 'bob'].map((each) => {
      stage.write(
        each as Tenant,
        'php-wrapper',
        `#!/bin/sh\nexec ${stage.homes}/${each}/web/php-cgi "$@"\n`,
      );
      stage.write(each as Tenant, 'x.php', script, 0o644);
      copyFileSync(stage.phpCgi, `${stage.directoryOf(each as Tenant)}/php-cgi`);
      return `<Directory ${stage.directoryOf(each as Tenant)}>
AddHandler fcgid-script .php
FcgidWrapper ${stage.directoryOf(each as Tenant)}/php-wrapper .php
</Directory>`;
    });
    await stage.stop();
    await stage.start(more.join('\n'));
    for (const tenant of ['alice', 'bob'] as const) {
      const { status, body } = await stage.ask(tenant, '/x.php');
      assert.equal(status, 200, stage.log());
      checkOwner(body, tenant);
      assert.equal(placesOf(body, tenant).length, roots.length);
      assert.match(body, new RegExp(`^NoNewPrivs:\\t${tenant === 'alice' ? 1 : 0}$`, 'm'));
    }
  });

  test('entries limit CGI programs, and a FastCGI program takes none', async () => {
    const holding = (tenant: Tenant) => `#!/bin/sh
echo; touch ${stage.directoryOf(tenant)}/ran-$QUERY_STRING; while test ! -e ${stage.directoryOf(tenant)}/go; do sleep 0.05; done; echo done\n`;
    const numbers = Array.from({ length: limit }, (_, index) => index);
    for (const tenant of ['alice', 'bob'] as const) {
      const at = (name: string) => `${stage.directoryOf(tenant)}/${name}`;
      stage.write(tenant, 'hold.cgi', holding(tenant));
      // A program of the test before may still hold its entry.
      const held = numbers.map(async (each) =>
        eventually('it is not refused', async () => {
          const reply = await stage.ask(tenant, `/hold.cgi?${each}`);
          return reply.status === 508 ? undefined : reply;
        }),
      );
      await eventually('they run', () => numbers.every((each) => existsSync(at(`ran-${each}`))));
      const next = await stage.ask(tenant, '/a.cgi');
      assert.equal(next.status, 508, stage.log());
      assert.match(next.body, /as many visitors as its plan allows/);
      assert.equal((await stage.ask(tenant, '/x.php')).status, 200);
      writeFileSync(at('go'), '');
      for (const reply of await Promise.all(held))
        assert.deepEqual(reply, { status: 200, body: 'done\n' });
      await eventually(
        'an entry is free',
        async () => (await stage.ask(tenant, '/a.cgi')).status === 200,
      );
    }
  });

  test('a stopped tenant starts nothing', async () => {
    for (const tenant of ['alice', 'bob'] as const) {
      const uid = `${stage.uids[tenant]}`;
      const stopped = stage.bulkhead('stop', uid, '--policy', stage.policy);
      assert.equal(stopped.status, 0, stopped.stderr);
      const { status, body } = await stage.ask(tenant, '/a.cgi');
      assert.deepEqual([status, body], [503, 'This site is stopped.\n']);
      assert.equal(stage.bulkhead('start', uid, '--policy', stage.policy).status, 0);
      assert.equal((await stage.ask(tenant, '/a.cgi')).status, 200, stage.log());
    }
  });
});
