/** Enabling entries at a real nginx: which files are written, and what serves goes on serving whatever is wrong. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { formatProblem } from '../../../packages/base/problem.ts';
import { eventually } from '../../../testing/patience.ts';
import { applyNginx } from '../../../src/web/io/entries/nginx.ts';
import { stagedSuite, statuses, times, vhost, type EntriesStage } from '../entries-stage.ts';
import { uids } from '../stage.ts';
import { five, nginxSites } from './nginx-stage.ts';

await stagedSuite('enabling entries', suite);

function suite(stage: EntriesStage): void {
  const { at, threeSites, started, enabled, oneRefused } = nginxSites(stage);

  test("web entries enable writes next to a panel's vhost, and follows no link of the tenant", async () => {
    const home = '/home/bulkhead-entries-test';
    rmSync(home, { recursive: true, force: true });
    try {
      const conf = `${home}/conf/web/a.example`;
      mkdirSync(conf, { recursive: true });
      chownSync(home, uids.owner, uids.owner);
      await stage.prepare((port) => {
        const more = `access_log ${at('a.log')};\n  include ${conf}/nginx.conf_*;`;
        const text = vhost('a.example', port, stage.root('a', uids.owner), at('owner.sock'), more);
        writeFileSync(`${conf}/nginx.conf`, text);
        symlinkSync(`${conf}/nginx.conf`, at('hestia.conf'));
        return `include ${at('hestia.conf')};`;
      });
      stage.start30();
      await eventually('it is served', async () => {
        return (await stage.ask1({ host: 'a.example' })).status === 200;
      });
      await enabled();
      const refused = await oneRefused('a.example');
      assert.match(refused.text, /limit is for all sites of the same owner together/);
      const again = await stage.plan(five);
      assert.deepEqual(again.ok && again.value.changes, []);
      assert.match(readFileSync(`${conf}/nginx.conf_bulkhead`, 'utf8'), /site-log\.conf;\n$/);
      assert.deepEqual(await stage.disable(), { ok: true, value: 'reloaded' });
      assert.deepEqual(readdirSync(conf), ['nginx.conf']);
      assert.equal(existsSync(at('bulkhead')), false);

      // The owner of the home can replace anything in it.
      renameSync(`${home}/conf`, `${home}/conf.real`);
      symlinkSync(`${home}/conf.real`, `${home}/conf`);
      const linked = await stage.enable(five);
      assert.ok(linked.ok, linked.ok ? '' : formatProblem(linked.error));
      assert.deepEqual(readdirSync(`${home}/conf.real/web/a.example`), ['nginx.conf']);
      rmSync(`${home}/conf`);
      mkdirSync(`${home}/conf/web/a.example`, { recursive: true });
      writeFileSync(
        `${home}/conf/web/a.example/nginx.conf`,
        readFileSync(`${home}/conf.real/web/a.example/nginx.conf`),
      );
      chownSync(`${home}/conf/web/a.example`, uids.owner, uids.owner);
      const theirs = await stage.enable(five);
      assert.match(theirs.ok ? '' : formatProblem(theirs.error), /belongs to uid 64420/);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  test('web entries enforces vhosts with any server name, however odd', async () => {
    const odd = [
      '"semi;colon.example"',
      `'quo"te.example'`,
      '"a b}{.example"',
      '"dollar$host.example"',
      'back\\\\slash.example',
      'käse.example',
      '*.wild.example',
      '.dotted.example',
      '"~^re(?<x>[a-z]{2,3})\\.example$"',
      '"UPPER.example"',
      `${'long.'.repeat(60)}example`,
      '$hostname',
      '""',
      'default',
      'volatile',
      'include',
      'hostnames',
    ];
    const sites = odd.map((name) => vhost(name, 1, at('a'), at('owner.sock'))).join('\n');
    await threeSites('', 'server_names_hash_bucket_size 1024;', sites);
    const text = readFileSync(at('sites/all.conf'), 'utf8');
    writeFileSync(at('sites/all.conf'), text.replaceAll(':1;', `:${stage.port};`));
    await started();
    await enabled();
    const planned = await stage.plan(five);
    assert.equal(planned.ok && planned.value.enforcement.enforced.length, odd.length + 2);
    for (const host of [
      'semi;colon.example',
      'quo"te.example',
      'x.wild.example',
      'www.dotted.example',
      'reab.example',
      'upper.example',
      `${'long.'.repeat(60)}example`,
      'default',
    ]) {
      const answers = await stage.atOnce(times(7, { host }));
      assert.deepEqual(statuses(answers), { 200: 5, 508: 2 }, host);
    }
  });

  test('web entries status reports vhosts that override the limit or share a name as not enforced', async () => {
    const limits = 'limit_conn_zone $binary_remote_addr zone=their:64k;';
    await stage.prepare((port) => {
      const root = stage.root('a', uids.owner);
      const theirs = stage.root('n', uids.other);
      return [
        vhost('own.example', port, root, at('owner.sock'), 'limit_conn their 50;'),
        vhost('twice.example', port, root, at('owner.sock')),
        vhost('twice.example', port + 1, theirs, at('other.sock')),
        vhost('fine.example', port, root, at('owner.sock'), 'access_log off;'),
      ].join('\n');
    }, limits);
    const planned = await stage.plan(new Map([...five, [uids.other, 2]]));
    assert.ok(planned.ok);
    const { enforced, sites } = planned.value.enforcement;
    assert.deepEqual(
      enforced.map(({ name }) => name),
      ['fine.example'],
    );
    const reasons = sites.flatMap(({ site, reason }) =>
      reason === undefined ? [] : [`${site.names[0]}: ${reason}`],
    );
    assert.match(reasons[0] ?? '', /own\.example: its own limit_conn at .*all\.conf:5/);
    assert.match(reasons[1] ?? '', /twice\.example: the vhost at .* has the same first name/);
    assert.equal(reasons.length, 3);
  });

  test('web entries enable reports a broken file and changes nothing; disable restores all files', async () => {
    await threeSites();
    await started();
    stage.write('sites/broken.conf', '\nserver { nonsense 1; }\n');
    const refused = await stage.enable(five);
    assert.ok(!refused.ok);
    assert.match(formatProblem(refused.error), /broken\.conf:2: unknown directive "nonsense"/);
    assert.equal(existsSync(at('conf.d/bulkhead.conf')), false);
    assert.equal(existsSync(at('bulkhead')), false);

    writeFileSync(at('sites/broken.conf'), '');
    const before = readdirSync(stage.directory).toSorted();
    await enabled();
    assert.deepEqual(await stage.enable(five), { ok: true, value: 'unchanged' });
    const disabled = await stage.disable();
    assert.deepEqual(disabled, { ok: true, value: 'reloaded' });
    assert.deepEqual(readdirSync(stage.directory).toSorted(), before);
    assert.deepEqual(readdirSync(at('conf.d')), []);
    const answers = await stage.atOnce(times(12, { host: 'a.example' }));
    assert.deepEqual(statuses(answers), { 200: 12 });
  });

  test('web entries enable --edit-vhosts edits only files that no one but root can change', async () => {
    await threeSites('error_page 404 /nowhere; access_log off;');
    mkdirSync(at('available'));
    renameSync(at('sites/all.conf'), at('available/all.conf'));
    symlinkSync(at('available/all.conf'), at('sites/all.conf'));
    chmodSync(at('available/all.conf'), 0o640);
    const own = 'server {\r\n listen 127.0.0.1:1;\r\n server_name once.example;\r\n}\r\n';
    writeFileSync(
      at('available/all.conf'),
      `${readFileSync(at('available/all.conf'), 'utf8')}${own}`,
    );
    await started();
    const before = readFileSync(at('available/all.conf'), 'utf8');

    const planned = await stage.plan(five, false, true);
    assert.ok(planned.ok);
    const edit = planned.value.changes.find(({ path }) => path === at('available/all.conf'));
    assert.equal(edit?.before, before);
    assert.deepEqual(await applyNginx(planned.value, stage.run), { ok: true, value: 'reloaded' });
    assert.equal(statSync(at('available/all.conf')).mode & 0o777, 0o640);
    assert.ok(lstatSync(at('sites/all.conf')).isSymbolicLink());
    const after = readFileSync(at('available/all.conf'), 'utf8');
    assert.equal(after.match(/^ *include \S+\/bulkhead\/site\S*\.conf;$/gm)?.length, 2);
    const again = await stage.plan(five, false, true);
    assert.deepEqual(again.ok && again.value.changes, []);
    const refused = (await stage.atOnce(times(12, { host: 'a.example' }))).find(
      ({ status }) => status === 508,
    );
    assert.match(refused?.text ?? '', /<!doctype html>/i);

    assert.deepEqual(await stage.disable(), { ok: true, value: 'reloaded' });
    assert.equal(readFileSync(at('available/all.conf'), 'utf8'), before);
    assert.equal(existsSync(at('bulkhead')), false);

    chmodSync(at('available'), 0o777);
    const unsafe = await stage.plan(five, false, true);
    assert.ok(unsafe.ok);
    assert.ok(unsafe.value.changes.every(({ path }) => path !== at('available/all.conf')));
  });

  test('web entries enable restores the previous files when nginx refuses the new ones', async () => {
    await threeSites();
    await started();
    await enabled();
    const file = readFileSync(at('conf.d/bulkhead.conf'), 'utf8');
    // A file of somebody else with a variable of ours: nginx refuses the two together.
    stage.write('conf.d/theirs.conf', 'limit_conn_zone $uri zone=bulkhead_7:64k;');
    const refused = await stage.enable(new Map([[uids.owner, 7]]));
    assert.ok(!refused.ok);
    assert.match(formatProblem(refused.error), /bulkhead_7.*everything is as before/);
    assert.equal(readFileSync(at('conf.d/bulkhead.conf'), 'utf8'), file);
    assert.deepEqual(statuses(await stage.atOnce(times(6, { host: 'a.example' }))), {
      200: 5,
      508: 1,
    });
  });

  test("web entries enable refuses to overwrite another's file, or to write where nginx does not read", async () => {
    await threeSites();
    const theirs = stage.write('conf.d/bulkhead.conf', '# mine\n');
    const refused = await stage.enable(five);
    assert.match(refused.ok ? '' : formatProblem(refused.error), /not Bulkhead's is there/);
    assert.equal(readFileSync(theirs, 'utf8'), '# mine\n');

    await stage.clear();
    await threeSites();
    writeFileSync(
      at('nginx.conf'),
      readFileSync(at('nginx.conf'), 'utf8').replace(/include .*conf\.d.*\n/, ''),
    );
    const unread = await stage.enable(five);
    assert.match(unread.ok ? '' : formatProblem(unread.error), /does not include .*conf\.d/);
    assert.deepEqual(readdirSync(at('conf.d')), []);
  });
}
