// Jails of sites on this kernel: of one tenant, whose home they do not see, nor each other.
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { after, before, test } from 'node:test';
import type { JailKey } from '../../src/jail/core/jail-key.ts';
import { parseStateFile } from '../../src/jail/core/state-file.ts';
import { readStateFiles } from '../../src/jail/io/state-files.ts';
import { findOccupants } from '../../src/jail/io/occupants.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { findTree } from '../cli/launch-stage.ts';
import { JailStage, landlockObstacle, reasonToSkip } from './stage.ts';
import { compileExec } from '../../scripts/entry.ts';

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
const reasons = ({ problems }: { problems: readonly { reason: string }[] }) =>
  problems.map(({ reason }) => reason);

test(
  'site jail shows its own directory, and neither another site nor the home',
  { skip },
  async () => {
    const built = await stage.build(stage.tenant(alice), ...both());
    assert.deepEqual([reasons(built), built.built], [[], [`${alice}`, shop, blog]]);
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
    assert.deepEqual([reasons(dropped), dropped.dropped], [[], [shop]]);
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

const instance = 'bulkhead-jail-sites-applied';
const needsTree = skip || (findTree(instance).roots.length === 0 ? 'needs cgroups' : false);

/** Does what an administrator would do, and ends with nothing left. */
test('apply, exec --site and jail with a site', { skip: needsTree }, async (t) => {
  const call = (file: string, ...args: readonly string[]) =>
    spawnSync(file, args, { encoding: 'utf8', timeout: patienceMilliseconds });
  const bulkhead = (...args: readonly string[]) =>
    call(packageFile('bulkhead'), '--instance', instance, ...args);
  const exec = (...args: readonly string[]) => call(compileExec(), '--instance', instance, ...args);
  const profileAt = (...where: readonly string[]) =>
    exec(...where, `${alice}`, '--', 'cat', '/run/bulkhead/profile').stdout.trim();
  const ofShop = ['--site', 'shop.example'] as const;
  const directory = `${stage.homes}/applied`;
  const policy = `${stage.homes}/policy.xml`;
  const own = `<jail profile="strict" home="${directory}/shop"/>`;
  const apply = (tenants: string, ofSite: string) => {
    const site = `<site name="shop.example"><cpu limit="50%"/>${ofSite}</site>`;
    const body = `<tenant uid="${alice}">${tenants}${site}</tenant>`;
    writeFileSync(policy, `<bulkhead version="1">${body}</bulkhead>\n`);
    const { status, stderr } = bulkhead('apply', policy);
    assert.equal(status, 0, stderr);
  };
  const stateFile = `/run/${instance}/jail/tenants/${shop}`;
  t.after(() => {
    bulkhead('release', '--kill');
    rmSync(`/var/lib/${instance}`, { recursive: true, force: true });
  });
  bulkhead('release', '--kill');
  mkdirSync(`${directory}/shop`, { recursive: true });
  chownSync(`${directory}/shop`, alice, alice);

  await t.test("exec --site enters the site's jail, and exec without it the tenant's", () => {
    apply('<jail profile="web"/>', own);
    assert.deepEqual([profileAt(), profileAt(...ofShop)], ['web', 'strict']);
    const inside = exec(
      ...ofShop,
      `${alice}`,
      '--',
      'sh',
      '-c',
      'pwd; echo "$HOME"; cat /proc/self/cgroup',
    );
    assert.deepEqual(inside.stdout.split('\n').slice(0, 2), [
      `${directory}/shop`,
      `${directory}/shop`,
    ]);
    assert.match(inside.stdout, new RegExp(`/u${alice}/s-shop.example$`, 'm'));
    assert.equal(bulkhead('verify', policy).status, 0);
    assert.doesNotMatch(bulkhead('plan', policy).stdout, /jail/);
  });

  await t.test(
    "exec --site starts nothing when the site's jail is not ready, and prints why",
    () => {
      const text = readFileSync(stateFile, 'utf8');
      for (const [state, reason] of [
        ['state failed the directory is a link', /could not be built: the directory is a link/],
        ['state waiting', /is not built yet; run bulkhead apply/],
      ] as const) {
        writeFileSync(stateFile, text.replace(/^state .*$/m, state));
        const { status, stdout, stderr } = exec(...ofShop, `${alice}`, '--', 'echo', 'ran');
        assert.deepEqual([status, stdout], [1, ''], state);
        assert.match(stderr, reason);
        assert.equal(profileAt(), 'web');
      }
      const within = [`--mount=/run/${instance}/jail/vault`, '--', 'umount', '-l'];
      assert.equal(
        spawnSync('nsenter', [...within, `/run/${instance}/jail/in/ns/${shop}`]).status,
        0,
      );
      writeFileSync(stateFile, text);
      assert.notEqual(exec(...ofShop, `${alice}`, '--', 'echo', 'ran').status, 0);
      apply('<jail profile="web"/>', own);
      assert.equal(profileAt(...ofShop), 'strict');
      rmSync(`${directory}/shop`, { recursive: true });
      const failed = bulkhead('apply', policy);
      assert.match(failed.stderr, /shop does not exist; make it, or correct the policy/);
      assert.equal(parseStateFile(readFileSync(stateFile, 'utf8')).state, 'failed');
      assert.equal(exec(...ofShop, `${alice}`, '--', 'echo', 'ran').status, 1);
      mkdirSync(`${directory}/shop`);
      chownSync(`${directory}/shop`, alice, alice);
      apply('<jail profile="web"/>', own);
    },
  );

  await t.test('jail status, show, diff and enter report the site', () => {
    const { jails } = JSON.parse(bulkhead('jail', 'status', '--json').stdout);
    assert.deepEqual(
      jails.map((each: { uid: number; site?: string; state: string }) => [
        each.uid,
        each.site,
        each.state,
      ]),
      [
        [alice, undefined, 'ready'],
        [alice, 'shop.example', 'ready'],
      ],
    );
    assert.match(
      bulkhead('jail', 'status').stdout,
      new RegExp(`uid ${alice}/shop.example +strict`),
    );
    const asked = [`${alice}`, '-p', policy, ...ofShop] as const;
    const show = JSON.parse(bulkhead('jail', 'show', ...asked, '--json').stdout);
    assert.deepEqual(
      [show.site, show.profile, show.home],
      ['shop.example', 'strict', `${directory}/shop`],
    );
    const diff = JSON.parse(bulkhead('jail', 'diff', ...asked, '--json').stdout);
    assert.deepEqual([diff.uid, diff.site], [alice, 'shop.example']);
    assert.equal(bulkhead('jail', 'enter', ...asked, '--', 'sh', '-c', 'exit 7').status, 7);
    const unknown = bulkhead('jail', 'show', `${alice}`, '-p', policy, '--site', 'shp.example');
    assert.match(unknown.stderr, /it has no site "shp.example"/);
    const explained = JSON.parse(
      bulkhead('explain', `${alice}/shop.example`, '-p', policy, '--json').stdout,
    );
    assert.equal(explained.jail.jail.home, `${directory}/shop`);
  });

  await t.test(
    "exec --site enters the tenant's jail when the site has none, and none when neither has",
    () => {
      apply('<jail profile="web"/>', '');
      assert.ok(!existsSync(stateFile));
      assert.deepEqual([profileAt(), profileAt(...ofShop)], ['web', 'web']);
      apply('', own);
      assert.deepEqual([profileAt(), profileAt(...ofShop)], ['', 'strict']);
      assert.deepEqual(readdirSync(`/run/${instance}/jail/tenants`), [shop]);
      // Its tenant may log in as before.
      assert.ok(!existsSync(`/var/lib/${instance}/jailed`));
      apply('', '');
      assert.deepEqual([profileAt(), profileAt(...ofShop)], ['', '']);
      assert.ok(!existsSync(`/run/${instance}/jail`));
    },
  );
});
