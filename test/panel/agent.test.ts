/** An agent that follows HestiaCP, whose files are mounted where the panel would have them, in a private namespace. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import type { TopResponse } from '../../src/agent/api/api.ts';
import type { PanelStatusJson, PanelSyncJson } from '../../src/panel/commands/json.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { hestiaPackage, hestiaUser, panelTree } from '../../testing/panel-tree.ts';
import { inPanelNamespace, runWithPanel } from '../../testing/panel-namespace.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { treeHost } from '../../testing/tree-host.ts';
import { RunningAgent } from '../agent/running-agent.ts';

const skip = process.geteuid?.() === 0 ? false : 'only root may mount';
const instance = 'bulkhead-panel-agent';
const tree = panelTree(suiteDirectory('panel-agent'), { ann: 887_001, ben: 887_002 });

suite('an agent whose policy follows the panel', { skip }, () => {
  let agent: RunningAgent;

  before(async () => {
    tree.write('/etc/login.defs', 'UID_MIN 1000\nUID_MAX 900000\n');
    hestiaPackage(tree, 'gold');
    hestiaPackage(tree, 'Gói Pro & <x>');
    hestiaUser(tree, 'ann', { PACKAGE: 'gold' });
    const entry = `${tree.root}/agent`;
    writeFileSync(entry, inPanelNamespace(tree, packageFile('bulkhead')), { mode: 0o755 });
    agent = new RunningAgent(treeHost(pathsOf(instance)), entry);
    agent.writePolicy(
      '<panel source="auto"><plan name="Gói Pro &amp; &lt;x&gt;" package="pro"/></panel>' +
        '<tenants uids="887001-887099"/><defaults><processes limit="111"/></defaults>' +
        '<package name="gold"><processes limit="222"/></package>' +
        '<package name="pro"><processes limit="333"/></package>',
    );
    await agent.start();
  });
  after(() => agent?.[Symbol.asyncDispose]());

  const limitOf = async (uid: number) => {
    const { rows } = (await agent.ask('/v1/top?all=1')).json<TopResponse>();
    return rows.find((each) => each.member === `u${uid}`)?.limitTexts['processes.limit'];
  };
  const run = (...args: readonly string[]) =>
    runWithPanel(tree, [packageFile('bulkhead'), '--instance', instance, ...args]);

  test('gives accounts the packages of their plans, without being asked', async () => {
    await agent.until('ann has her plan', async () => (await limitOf(887_001)) === '222');
    assert.equal(await limitOf(887_002), '111');
  });

  test('follows a hook of the panel', async () => {
    hestiaUser(tree, 'ann', { PACKAGE: 'Gói Pro & <x>' });
    const { status, stdout, stderr } = run('panel', 'sync', '--policy', agent.policyFile);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^HestiaCP: 1 account in .*panel\.json; 1 changed \(ann\)$/m);
    await agent.until('ann has her new plan', async () => (await limitOf(887_001)) === '333');
  });

  test('gives a new account its plan, and keeps the limits of all while the panel is broken', async () => {
    hestiaUser(tree, 'cleo', { PACKAGE: 'gold' });
    appendFileSync(`${tree.root}/etc/passwd`, 'cleo:x:887003:887003::/home/cleo:/bin/sh\n');
    await agent.until('cleo has her plan', async () => (await limitOf(887_003)) === '222');
    hestiaUser(tree, 'ann', { PACKAGE: 'gold' });
    // Others could have written it, so it does not count.
    chmodSync(`${tree.root}/usr/local/hestia/data/users/ann/user.conf`, 0o666);
    const { status, stdout } = run('panel', 'sync', '--policy', agent.policyFile);
    assert.equal(status, 0);
    assert.match(stdout, /nothing has changed\n1 problem: what could not be read stays as it was/);
    assert.equal(await limitOf(887_001), '333');
    const json = run('panel', 'sync', '--json', '--policy', agent.policyFile).stdout;
    const { accounts, changed, problems } = jsonOf<PanelSyncJson>('panel sync', json);
    assert.deepEqual([accounts, changed, problems.length], [2, [], 1]);
  });

  test('tells what is followed', () => {
    const { stdout } = run('panel', 'status', '--json', '--policy', agent.policyFile);
    const { followed } = jsonOf<PanelStatusJson>('panel status', stdout);
    assert.equal(followed?.source, 'auto');
    assert.match(followed?.readAt ?? '', /^\d{4}-\d\d-\d\dT/);
    const shown = run('panel', 'status', '--policy', agent.policyFile).stdout;
    assert.match(shown, /^Policy\s+follows the panel; its accounts changed last at \d{4}-/m);
    mkdirSync(`${tree.root}/empty`);
    const { stdout: without } = run('panel', 'status', '--policy', `${tree.root}/empty/none.xml`);
    assert.match(
      without,
      /^Policy\s+does not follow the panel; to do so, add <panel source="auto"\/>$/m,
    );
  });
});
