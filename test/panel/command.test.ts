/** `bulkhead panel status` on a host with a panel, which is mounted where the panel would be, in a private namespace. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { ExplainJson } from '../../src/cli/commands/json.ts';
import type { PanelStatusJson } from '../../src/panel/commands/json.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { runWithPanel } from '../../testing/panel-namespace.ts';
import { hestiaPackage, hestiaUser, panelTree } from '../../testing/panel-tree.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const skip = process.geteuid?.() === 0 ? false : 'only root may mount';

const runIn = (root: string, ...args: readonly string[]) =>
  runWithPanel({ root }, [packageFile('bulkhead'), '--instance', 'bulkhead-panel-test', ...args]);

function removeState(): void {
  for (const each of ['/var/lib/bulkhead-panel-test', '/run/bulkhead-panel-test'])
    rmSync(each, { recursive: true, force: true });
}

suite('bulkhead explain', { skip }, () => {
  test('states the plan that gave the package, without control characters', (t) => {
    const tree = panelTree(testDirectory(t, 'panel-explain'), { ann: 1001 });
    const plan = 'Gold\u001b[2J';
    hestiaPackage(tree, plan);
    hestiaUser(tree, 'ann', { PACKAGE: plan });
    const file = `${tree.root}/policy.xml`;
    writeFileSync(
      file,
      `<bulkhead version="1">
  <panel source="hestia"/>
  <package name="Gold__2J"><memory limit="2GiB"/></package>
  <tenants uids="1001"/>
</bulkhead>\n`,
      { mode: 0o600 },
    );
    t.after(removeState);
    const synced = runIn(tree.root, 'panel', 'sync', '--policy', file);
    assert.equal(synced.status, 0, synced.stderr);
    const text = runIn(tree.root, 'explain', 'ann', '--policy', file);
    assert.equal(text.status, 0, text.stderr);
    assert.match(
      text.stdout,
      /^HestiaCP states the plan "Gold\\u\{1b\}\[2J"; the package has its name/m,
    );
    const json = runIn(tree.root, 'explain', 'ann', '--policy', file, '--json');
    const found = jsonOf<ExplainJson>('explain', json.stdout);
    assert.ok('plan' in found);
    assert.deepEqual(found.plan, { panel: 'HestiaCP', plan, by: 'panel', line: 2 });
  });
});

suite('bulkhead panel status', { skip }, () => {
  test('prints what was read, and exits with 3 if something was not', (t) => {
    const tree = panelTree(testDirectory(t, 'panel-command'), { ann: 1001, ben: 1002 });
    hestiaPackage(tree, 'gold', { DISK_QUOTA: '10240' });
    hestiaUser(tree, 'ann', { PACKAGE: 'gold' }, ['ann.example']);
    const good = runIn(tree.root, 'panel', 'status');
    assert.equal(good.status, 0, good.stderr);
    assert.match(good.stdout, /^Panel\s+HestiaCP, from \/usr\/local\/hestia$/m);
    assert.match(good.stdout, /^gold\s+1\s+disk space 10GiB\s+\/usr\/local\/hestia\/data/m);
    hestiaUser(tree, 'ben', { PACKAGE: 'lost\u001b[2J' });
    const bad = runIn(tree.root, 'panel', 'status');
    assert.equal(bad.status, 3);
    assert.match(bad.stderr, /the package of "ben": no package has the name "lost\\u\{1b\}\[2J"/);
    const json = runIn(tree.root, 'panel', 'status', '--json');
    assert.equal(json.status, 3);
    const found = jsonOf<PanelStatusJson>('panel status', json.stdout);
    assert.deepEqual(
      found.accounts.map((each) => [each.user, each.package?.name ?? null]),
      [
        ['ann', 'gold'],
        ['ben', null],
      ],
    );
    assert.equal(found.problems.length, 1);
  });

  test('is fine without a panel', (t) => {
    const tree = panelTree(testDirectory(t, 'panel-command'), {});
    const ran = runIn(tree.root, 'panel', 'status', '--json');
    assert.equal(ran.status, 0, ran.stderr);
    assert.equal(jsonOf<PanelStatusJson>('panel status', ran.stdout).panel, null);
  });

  test('and sync name the panels instead of each other where there is none, and leave nothing', (t) => {
    const tree = panelTree(testDirectory(t, 'panel-command'), {});
    const status = runIn(tree.root, 'panel', 'status');
    const sync = runIn(tree.root, 'panel', 'sync');
    assert.deepEqual([status.status, sync.status], [0, 1]);
    for (const text of [status.stdout, sync.stderr]) {
      assert.match(text, /HestiaCP, DirectAdmin, cPanel, Virtualmin, Plesk, and panels with CPAPI/);
      assert.doesNotMatch(text, /bulkhead panel/);
    }
    assert.ok(!existsSync('/run/bulkhead-panel-test'));
  });

  test('names accounts that keep the plan of an earlier reading', (t) => {
    t.after(removeState);
    const tree = panelTree(testDirectory(t, 'panel-command'), { ann: 1001, ben: 1002 });
    hestiaPackage(tree, 'gold');
    for (const user of ['ann', 'ben']) hestiaUser(tree, user, { PACKAGE: 'gold' });
    const file = `${tree.root}/policy.xml`;
    const text = '<panel source="auto"/><package name="gold"/><tenants uids="1001-1002"/>';
    writeFileSync(file, `<bulkhead version="1">${text}</bulkhead>`, { mode: 0o600 });
    const run = (...args: readonly string[]) =>
      runIn(tree.root, 'panel', ...args, '--policy', file);
    assert.equal(run('sync').status, 0);
    assert.doesNotMatch(run('status').stdout, /Earlier plan/);
    tree.write('/usr/local/hestia/data/users/ben/user.conf', '<p>x</p>\n');
    assert.equal(run('sync').status, 0);
    assert.match(
      run('status').stdout,
      /^Earlier plan +1: ben; this reading states none for them$/m,
    );
    const json = run('status', '--json').stdout;
    assert.deepEqual(jsonOf<PanelStatusJson>('panel status', json).followed?.carriedOver, ['ben']);
  });

  test('names an account for which the panel states no plan', (t) => {
    const tree = panelTree(testDirectory(t, 'panel-command'), { ann: 1001, boss: 1002 });
    hestiaPackage(tree, 'gold');
    hestiaUser(tree, 'ann', { PACKAGE: '' });
    hestiaUser(tree, 'boss', { PACKAGE: '', ROLE: 'admin' });
    const ran = runIn(tree.root, 'panel', 'status');
    assert.match(
      ran.stdout,
      /^No plan +1: ann; each gets the package of its reseller or range, or the defaults; lower limits of its last package stay$/m,
    );
  });
});
