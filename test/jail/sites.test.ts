/** Jails of sites hide each site from the other sites of its tenant. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { JailKey } from '../../src/jail/core/jail-key.ts';
import { readStateFiles } from '../../src/jail/io/state-files.ts';
import { findOccupants } from '../../src/jail/io/occupants.ts';
import { eventually } from '../../testing/patience.ts';
import { JailStage, landlockObstacle, reasonToSkip, reasonsOf } from './stage.ts';

const skip = reasonToSkip();
const alice = 620_400;
const [shop, blog] = [`${alice}-shop.example`, `${alice}-blog.example`] as const;
let stage: JailStage;

before(async () => {
  if (skip !== false) return;
  stage = new JailStage('sites');
  await stage.release();
});
after(async () => {
  if (skip === false) await stage[Symbol.asyncDispose]();
});

const home = () => `${stage.homes}/u${alice}`;
const both = () => [stage.site(alice, 'shop.example'), stage.site(alice, 'blog.example')];

test(
  'site jail shows its own directory, and neither another site nor the home',
  { skip },
  async () => {
    const built = await stage.build(stage.tenant(alice), ...both());
    assert.deepEqual([reasonsOf(built), built.built], [[], [`${alice}`, shop, blog]]);
    stage.see(
      alice,
      `cd ${home()}; echo mine >.secret; for s in shop blog; do echo $s >$s.example/config; done`,
    );
    for (const [key, own, sister] of [
      [shop, 'shop', 'blog'],
      [blog, 'blog', 'shop'],
    ] as const) {
      assert.equal(stage.see(key, `cat ${home()}/${own}.example/config`), own);
      assert.equal(stage.see(key, `ls -A ${home()}`), `${own}.example`);
      for (const path of [`${sister}.example/config`, '.secret', `${own}.example/../.secret`])
        assert.notEqual(stage.run(key, '/bin/cat', `${home()}/${path}`).status, 0, path);
      // Nothing can be made next to it.
      assert.notEqual(stage.run(key, '/bin/mkdir', `${home()}/new`).status, 0);
      stage.see(key, `echo written >${home()}/${own}.example/by-site`);
      assert.equal(readFileSync(`${home()}/${own}.example/by-site`, 'utf8'), 'written\n');
    }
    assert.match(
      stage.see(shop, 'cat /etc/passwd'),
      new RegExp(`^bhjail${alice}:.*:${home()}/shop.example:`, 'm'),
    );
  },
);

test(
  "site jail under Landlock blocks access to another site's processes",
  { skip: skip || landlockObstacle() },
  async () => {
    await stage.build(stage.tenant(alice), ...both());
    const [program = '', ...args] = stage.enterCommand(blog, '/bin/sleep', '3600');
    const other = spawn(program, args, { stdio: 'ignore' });
    await eventually('it sleeps', () => readlinkSync(`/proc/${other.pid}/exe`).endsWith('sleep'));
    const look = stage.enterCommand(shop, '/bin/ls', `/proc/${other.pid}/root${home()}`);
    const seen = (words: readonly string[]) => spawnSync(words[0] ?? '', words.slice(1)).status;
    assert.notEqual(seen(look), 0);
    const without = stage.enterWithoutLandlock(shop, ...look.slice(4));
    assert.equal(seen(without), 0);
    const ended = once(other, 'exit');
    other.kill('SIGKILL');
    await ended;
  },
);

test('jail shows no names of other tenants whose sites have jails', { skip }, async () => {
  await stage.build(stage.tenant(alice), ...both(), stage.site(alice + 1, 'news.example'));
  const directories = stage.homes.split('/').slice(1, -1);
  const above = directories.map((_, index) => `/${directories.slice(0, index + 1).join('/')}`);
  for (const key of [alice, shop])
    for (const directory of [stage.homes, ...above])
      assert.doesNotMatch(stage.see(key, `ls -A ${directory}`), new RegExp(`${alice + 1}`));
});

test(
  'site jail has its own /tmp, /dev/shm and System V IPC, and its removal clears them',
  { skip },
  async () => {
    await stage.build(stage.tenant(alice), ...both());
    stage.see(shop, 'for d in /tmp /var/tmp /dev/shm; do echo secret >$d/of-shop; done');
    stage.see(shop, 'ipcmk -M 4096');
    for (const key of [blog, alice]) {
      assert.equal(stage.see(key, 'ls /tmp /var/tmp /dev/shm | grep -c of-shop || true'), '0');
      assert.equal(stage.see(key, 'ipcs -m | grep -c 4096 || true'), '0');
    }
    // It is built again, and keeps them.
    await stage.build(
      stage.tenant(alice),
      stage.site(alice, 'shop.example', { profile: 'strict' }),
    );
    assert.equal(stage.see(shop, 'cat /tmp/of-shop; cat /run/bulkhead/profile'), 'secret\nstrict');
    assert.equal(stage.see(shop, 'ipcs -m | grep -c 4096'), '1');
    const dropped = await stage.build(stage.tenant(alice));
    assert.deepEqual([reasonsOf(dropped), dropped.dropped], [[], [shop]]);
    await stage.build(stage.tenant(alice), ...both());
    assert.equal(stage.see(shop, 'ls /tmp /var/tmp | grep -c of-shop || true'), '0');
  },
);

test(
  'findOccupants() counts processes in the jail of the tenant, of a site, or outside',
  { skip },
  async () => {
    await stage.build(stage.tenant(alice), ...both());
    const sleepers = ([alice, shop] as const).map((key) => {
      const [program = '', ...args] = stage.enterCommand(key, 'sleep', '3600');
      return spawn(program, args, { stdio: 'ignore' });
    });
    const ids = ['--reuid', `${alice}`, '--regid', `${alice}`, '--clear-groups'];
    sleepers.push(spawn('setpriv', [...ids, 'sleep', '3600'], { stdio: 'ignore' }));
    const [ofTenant, ofSite, outside] = sleepers.map(({ pid }) => pid ?? 0);
    const found = (key: JailKey) => findOccupants(readStateFiles(stage.paths)).get(key);
    const none = { inside: [], stale: [], outside: [] };
    try {
      await eventually('each is where it belongs', () =>
        [
          found(`${alice}`)?.inside.join() === `${ofTenant}`,
          found(`${alice}`)?.outside.join() === `${outside}`,
          found(shop)?.inside.join() === `${ofSite}`,
        ].every(Boolean),
      );
      assert.deepEqual(found(blog), none);
      await stage.build(
        stage.tenant(alice),
        stage.site(alice, 'shop.example', { profile: 'shell' }),
      );
      assert.deepEqual(found(shop), { ...none, stale: [ofSite] });
      assert.deepEqual(found(`${alice}`)?.inside, [ofTenant]);
      // A tenant without a jail of its own has its processes outside, as it should.
      await stage.build(stage.site(alice, 'shop.example', { profile: 'shell' }));
      assert.deepEqual([...findOccupants(readStateFiles(stage.paths)).keys()], [shop]);
      assert.deepEqual(found(shop)?.outside, []);
    } finally {
      for (const each of sleepers) {
        const ended = once(each, 'exit');
        each.kill('SIGKILL');
        await ended;
      }
    }
  },
);
