/**
 * A reseller of DirectAdmin gives its customer plans that the policy does not have, or none, to get rid of the customer's
 * limits. The agent runs, is killed, and has nothing but its state directory.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import type { TopResponse } from '../../src/agent/api/api.ts';
import { lastPackagesFile } from '../../src/host/last-packages.ts';
import { panelRecordPath } from '../../src/host/panel-record.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { PanelStatusJson } from '../../src/panel/commands/json.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { panelTree, plain } from '../../testing/panel-tree.ts';
import { inPanelNamespace, runWithPanel } from '../../testing/panel-namespace.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { treeHost } from '../../testing/tree-host.ts';
import { RunningAgent } from '../agent/running-agent.ts';

const skip = process.geteuid?.() === 0 ? false : 'only root may mount';
const instance = 'bulkhead-plan-change';
const uids = { acme: 887_101, ann: 887_102, ben: 887_103 };
const tree = panelTree(suiteDirectory('plan-change'), uids);
const users = '/usr/local/directadmin/data/users';
const limits = { none: '999', gold: '50', platinum: '70' };

const setUser = (user: string, values: Readonly<Record<string, string>>) =>
  tree.write(`${users}/${user}/user.conf`, plain({ username: user, ...values }), 0o600);
const setPlan = (user: string, plan: string) =>
  setUser(user, { usertype: 'user', creator: 'acme', package: plan });

suite('a reseller that changes plans', { skip }, () => {
  let agent: RunningAgent;
  const policy = (plans = '', none = limits.none) =>
    agent.writePolicy(
      `<panel source="directadmin"><plan name="gold" owner="acme" package="gold"/>${plans}</panel>` +
        `<tenants uids="887101-887199"/><defaults><processes limit="${none}"/></defaults>` +
        `<package name="gold"><processes limit="${limits.gold}"/></package>` +
        `<package name="platinum"><processes limit="${limits.platinum}"/></package>`,
    );

  before(async () => {
    tree.write('/etc/login.defs', 'UID_MIN 1000\nUID_MAX 900000\n');
    setUser('acme', { usertype: 'reseller', creator: 'admin', package: '' });
    for (const plan of ['gold', 'mine', 'best'])
      tree.write(`${users}/acme/packages/${plan}.pkg`, 'quota=1\n');
    setPlan('ann', 'gold');
    const entry = `${tree.root}/agent`;
    writeFileSync(entry, inPanelNamespace(tree, packageFile('bulkhead')), { mode: 0o755 });
    agent = new RunningAgent(treeHost(pathsOf(instance)), entry);
    policy();
    await agent.start();
  });
  after(() => agent?.[Symbol.asyncDispose]());

  const limitOf = async (user: keyof typeof uids | 'dan') => {
    const { rows } = (await agent.ask('/v1/top?all=1')).json<TopResponse>();
    const uid = { ...uids, dan: 887_104 }[user];
    return rows.find((each) => each.member === `u${uid}`)?.limitTexts['processes.limit'];
  };
  const run = (...args: readonly string[]) =>
    runWithPanel(tree, [packageFile('bulkhead'), '--instance', instance, ...args]);
  const sync = () => {
    const { status, stderr } = run('panel', 'sync', '--policy', agent.policyFile);
    assert.equal(status, 0, stderr);
  };
  const warned = async (text: RegExp) => {
    const { problems } = (await agent.status()).policy;
    return problems.some((each) => text.test(each));
  };

  test('keeps the limits of the last plan with a plan that the policy does not have', async () => {
    await agent.until('ann has her plan', async () => (await limitOf('ann')) === limits.gold);
    setPlan('ann', 'mine');
    sync();
    await agent.until('the plan is reported', () =>
      warned(/"mine@acme" \(1 account, 1 with the last/),
    );
    assert.equal(await limitOf('ann'), limits.gold);
    assert.equal(agent.log.match(/mine@acme/g)?.length, 1);
  });

  test('is named by doctor, panel status and explain', () => {
    const status = run('panel', 'status', '--policy', agent.policyFile);
    assert.equal(status.status, 3);
    assert.match(status.stderr, /no package for the panel's plan "mine@acme" \(1 account: ann\)/);
    const json = run('panel', 'status', '--json', '--policy', agent.policyFile);
    const { followed } = jsonOf<PanelStatusJson>('panel status', json.stdout);
    assert.deepEqual(followed?.unknownPlans, [
      { plan: 'mine@acme', accounts: ['ann'], kept: ['ann'], packages: ['gold'] },
    ]);
    const doctor = run('doctor').stdout.replaceAll(/\s+/g, ' ');
    assert.match(doctor, /Panel 0 accounts with the package of the plan, and 1 with a plan/);
    assert.match(doctor, /Note: The policy has no package for the panel's plan "mine@acme"/);
    const explained = run('explain', 'ann', '--policy', agent.policyFile).stdout;
    assert.match(explained, /plan "mine@acme", .* keeps limits of its last package, gold/);
  });

  test('gets no higher limits by another plan that it had for one reading', async () => {
    setPlan('ann', 'best');
    policy('<plan name="best" owner="acme" package="platinum"/>', '60');
    sync();
    await agent.until('ann has it', async () => (await limitOf('ann')) === limits.platinum);
    setPlan('ann', 'mine');
    sync();
    await agent.until('ann has less', async () => (await limitOf('ann')) === '60');
    const { stderr } = run('panel', 'status', '--policy', agent.policyFile);
    assert.match(stderr, /for 1 account, lower limits of the last package \(platinum\) stay/);
    setPlan('ann', 'gold');
    policy();
    sync();
    await agent.until('ann has her plan', async () => (await limitOf('ann')) === limits.gold);
  });

  test('keeps them without a plan, and when the agent was killed in between', async () => {
    await agent.stop('SIGKILL');
    setPlan('ann', 'custom');
    sync();
    await agent.start();
    await agent.until('it is reported', () => warned(/no plan \(1 account, 1 with the last/));
    assert.equal(await limitOf('ann'), limits.gold);
  });

  test('keeps them while the record of the panel is damaged, and the panel cannot be read', async () => {
    const data = `${tree.root}/usr/local/directadmin/data`;
    chmodSync(data, 0o777);
    writeFileSync(panelRecordPath(agent.host.paths), '{"kind":"bulkhead-pan');
    await agent.until('it is reported', () => warned(/The record of the panel is not used/));
    assert.equal(await limitOf('ann'), limits.gold);
    chmodSync(data, 0o755);
    sync();
  });

  test('keeps them while the record of last packages is damaged, which the agent leaves', async () => {
    const file = lastPackagesFile(agent.host.paths);
    const whole = readFileSync(file, 'utf8');
    const damaged = whole.slice(0, -9);
    const isIn = async (state: string) => (await agent.status()).policy.state === state;
    writeFileSync(file, damaged);
    policy('<plan name="other" package="platinum"/>');
    await agent.until('it is refused', () => isIn('refused'));
    assert.ok(await warned(/last packages, but the record cannot be read.*plan-packages/));
    assert.equal(await limitOf('ann'), limits.gold);
    assert.equal(readFileSync(file, 'utf8'), damaged);
    writeFileSync(file, whole);
    policy();
    await agent.until('it is in force', () => isIn('in force'));
    assert.equal(await limitOf('ann'), limits.gold);
  });

  test('gives the defaults to an account that never had a plan of the policy', async () => {
    setPlan('ben', 'mine');
    sync();
    await agent.until('the plan is reported', () => warned(/"mine@acme" \(1 account\)/));
    assert.equal(await limitOf('ben'), limits.none);
    assert.equal(await limitOf('ann'), limits.gold);
  });

  test('ends with a <plan> of the policy', async () => {
    setPlan('ann', 'mine');
    sync();
    policy('<plan name="mine" owner="acme" package="platinum"/>');
    await agent.until('both have it', async () => (await limitOf('ben')) === limits.platinum);
    assert.equal(await limitOf('ann'), limits.platinum);
  });

  test('leaves nothing to another account with the uid', async () => {
    const passwd = readFileSync(`${tree.root}/etc/passwd`, 'utf8');
    const others = passwd.replace(/^ann:/m, 'eve:').replace('/home/ann', '/home/eve');
    writeFileSync(`${tree.root}/etc/passwd`, others);
    await agent.until('eve has the defaults', async () => (await limitOf('ann')) === limits.none);
    await agent.until(
      'the record is gone',
      () => !readFileSync(lastPackagesFile(agent.host.paths), 'utf8').includes('"ann"'),
    );
    appendFileSync(`${tree.root}/etc/passwd`, 'dan:x:887104:887104::/home/dan:/bin/sh\n');
    await agent.until('dan has the defaults', async () => (await limitOf('dan')) === limits.none);
  });
});
