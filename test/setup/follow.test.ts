/** `bulkhead setup` on a host with a panel: the policy follows it, also after a second run, and undo takes all back. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import type { ExplainJson } from '../../src/cli/commands/json.ts';
import { panelRecordPath } from '../../src/host/panel-record.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { SetupJson } from '../../src/setup/commands/json.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { runWithPanel } from '../../testing/panel-namespace.ts';
import { hestiaPackage, hestiaUser, panelTree } from '../../testing/panel-tree.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { hostHere } from '../conformance/host-here.ts';

const instance = 'bulkhead-setup-follow';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const paths = pathsOf(instance);
const tree = panelTree(suiteDirectory('setup-follow'), { ann: 61_981, ben: 61_982 });
const policy = `${tree.root}/policy.xml`;
const answers = `${tree.root}/answers.json`;

const run = (...words: readonly string[]) =>
  runWithPanel(tree, [packageFile('bulkhead'), '--instance', instance, ...words, '-p', policy]);
const clean = () => {
  if (!existsSync(paths.state) && !existsSync(paths.runtime)) return;
  runWithPanel(tree, [
    packageFile('bulkhead'),
    '--instance',
    instance,
    'release',
    '--all',
    '--yes',
  ]);
  for (const each of [paths.runtime, paths.state]) rmSync(each, { recursive: true, force: true });
};

suite('bulkhead setup on a host with a panel', { skip }, () => {
  before(() => {
    tree.write('/etc/login.defs', 'UID_MIN 1000\nUID_MAX 62000\n');
    hestiaPackage(tree, 'gold', { MEMORY_LIMIT: '2G' });
    hestiaPackage(tree, 'basic', { MEMORY_LIMIT: '1G' });
    hestiaUser(tree, 'ann', { PACKAGE: 'gold', MEMORY_LIMIT: '2G' });
    hestiaUser(tree, 'ben', { PACKAGE: 'basic', MEMORY_LIMIT: '1G' });
    writeFileSync(
      answers,
      JSON.stringify({
        version: 1,
        tenants: '61981-61989',
        level: 'observe',
        limits: 'panel-starter',
        alerts: 'none',
      }),
    );
    clean();
  });
  after(clean);

  const packageOf = (user: string) => {
    const { stdout, stderr } = run('explain', user, '--json');
    const found = jsonOf<ExplainJson>('explain', stdout);
    assert.ok('plan' in found, stderr);
    return `${found.package} by ${found.plan?.by}`;
  };

  test('follows its plans at once, repeats nothing, and is undone', () => {
    const first = run('setup', '--answers', answers, '--json');
    assert.equal(first.status, 0, first.stderr);
    assert.deepEqual(jsonOf<SetupJson>('setup', first.stdout).problems, []);
    const text = readFileSync(policy, 'utf8');
    assert.match(text, /<panel source="hestia">\s*<plan name="basic" package="basic"\/>/);
    assert.doesNotMatch(text, /<tenant /);
    assert.ok(existsSync(panelRecordPath(paths)));
    assert.equal(packageOf('ann'), 'gold by plan');
    hestiaUser(tree, 'ann', { PACKAGE: 'basic' });
    assert.equal(run('panel', 'sync').status, 0);
    assert.equal(packageOf('ann'), 'basic by plan');
    const again = run('setup', '--answers', answers, '--json');
    assert.equal(again.status, 0, again.stderr);
    assert.equal(readFileSync(policy, 'utf8'), text);
    const undone = run('setup', 'undo', '--yes');
    assert.equal(undone.status, 0, undone.stderr);
    assert.deepEqual(
      [policy, panelRecordPath(paths)].filter((each) => existsSync(each)),
      [],
    );
  });
});
