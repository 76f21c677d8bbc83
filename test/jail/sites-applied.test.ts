/** `apply`, `exec --site` and `jail` with jails of sites, as an administrator runs them. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { after, before, test } from 'node:test';
import { parseStateFile } from '../../src/jail/core/state-file.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { findTree } from '../cli/launch-stage.ts';
import { JailStage, reasonToSkip } from './stage.ts';
import { compileExec } from '../../scripts/entry.ts';

const instance = 'bulkhead-jail-sites-applied';
const skip = reasonToSkip() || (findTree(instance).roots.length === 0 ? 'needs cgroups' : false);
const alice = 620_410;
const shop = `${alice}-shop.example`;
let stage: JailStage;

before(async () => {
  if (skip !== false) return;
  stage = new JailStage('sites-applied');
  await stage.release();
});
after(async () => {
  if (skip === false) await stage[Symbol.asyncDispose]();
});

/** Does what an administrator would do, and ends with nothing left. */
test('apply, exec --site and jail with a site', { skip }, async (t) => {
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
      const listed = `/var/lib/${instance}/jailed-sites`;
      assert.equal(readFileSync(listed, 'utf8'), `${shop}\n`);
      apply('', '');
      assert.ok(!existsSync(listed));
      assert.deepEqual([profileAt(), profileAt(...ofShop)], ['', '']);
      assert.ok(!existsSync(`/run/${instance}/jail`));
    },
  );
});
