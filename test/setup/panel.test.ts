/** The packages of a panel in a setup: what becomes of them in the policy, and what is said of the rest. */
import assert from 'node:assert/strict';
import { beforeEach, suite, test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { policyLimits } from '../../src/panel/core/policy-limits.ts';
import { readPanel } from '../../src/panel/io/read-panel.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { defaultAnswers } from '../../src/setup/commands/questions.ts';
import { contradictions } from '../../src/setup/core/conflicts.ts';
import {
  besidePolicy,
  chosenLimits,
  whyNotFollow,
  withoutPanel,
} from '../../src/setup/core/imported-limits.ts';
import { lookRemarks } from '../../src/setup/core/look.ts';
import { policyText } from '../../src/setup/core/policy-text.ts';
import type { StepContext } from '../../src/setup/core/step.ts';
import { steps } from '../../src/setup/core/steps.ts';
import { lookAtHost } from '../../src/setup/io/look.ts';
import {
  hestiaPackage,
  hestiaUser,
  panelTree,
  plain,
  type PanelTree,
} from '../../testing/panel-tree.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const step = steps.find(({ key }) => key === 'limits');
const machine = { cores: 4, memoryBytes: 8 * 2 ** 30 };
const answers = {
  level: 'limit',
  tenants: '1000-60000' as string,
  except: [] as readonly string[],
  limits: 'panel-starter' as 'panel-starter' | 'panel-medium',
  entries: 20 as number | 'none',
  jails: 'none',
  alerts: 'root',
} as const;

let tree: PanelTree;

async function contextOf(chosen: Partial<typeof answers> = {}): Promise<StepContext> {
  const data = await readPanel(tree);
  assert.ok(data !== undefined);
  const all = { ...answers, ...chosen };
  const imported = { ok: true, value: chosenLimits(policyLimits(data), all) };
  return { answers: all, imported, look: machine, file: '/etc/x.xml' } as unknown as StepContext;
}

async function edit(before: string, chosen: Partial<typeof answers> = {}): Promise<string> {
  const edited = step?.edit?.(before, await contextOf(chosen));
  assert.ok(edited?.ok, JSON.stringify(edited));
  const { document, diagnostics } = parsePolicy('', edited.value);
  assert.ok(document !== undefined && !diagnostics.failed, JSON.stringify(diagnostics.list));
  return edited.value;
}

async function plan(): Promise<string> {
  const context = await contextOf();
  assert.ok(typeof step?.changes === 'function');
  return step.changes(context);
}

suite("limits of a panel's packages", () => {
  beforeEach((t) => {
    tree = panelTree(testDirectory(t, 'setup-panel'), {
      ann: 1001,
      ben: 1002,
      cleo: 1003,
      boss: 1004,
    });
    hestiaPackage(tree, 'default');
    hestiaPackage(tree, 'gold', { DISK_QUOTA: '10240', MEMORY_LIMIT: '2G' });
    hestiaUser(tree, 'ann', { PACKAGE: 'gold', DISK_QUOTA: '10240', MEMORY_LIMIT: '2G' });
    hestiaUser(tree, 'ben');
    hestiaUser(tree, 'cleo', { PACKAGE: 'gold', DISK_QUOTA: '20480', MEMORY_LIMIT: '4G' });
    hestiaUser(tree, 'boss', { ROLE: 'admin' });
  });

  test('become packages that accounts get by their plan, and the set fills what they do not limit', async () => {
    const edited = await edit(policyText(answers));
    for (const part of [
      /<defaults>\s*<cpu limit="100%"\/>\s*<memory limit="1GiB"\/>/,
      /<package name="gold">\s*<memory limit="2GiB"\/>\s*<\/package>/,
      /<package name="default"\/>/,
      /<panel source="hestia">\s*<plan name="default" package="default"\/>\s*<plan name="gold" package="gold"\/>\s*<\/panel>/,
      /<tenant user="cleo">\s*<memory limit="4GiB"\/>\s*<\/tenant>/,
    ])
      assert.match(edited, part);
    assert.doesNotMatch(edited, /boss|ann|ben|unlimited|<disk/);
    assert.equal(await edit(edited), edited);
  });

  test('an account for which the panel lifts a limit of its package keeps that', async () => {
    hestiaUser(tree, 'ann', { PACKAGE: 'gold', MEMORY_LIMIT: 'unlimited' });
    assert.match(
      await edit(policyText(answers)),
      /<tenant user="ann">\s*<memory limit="unlimited"\/>/,
    );
  });

  test('the answer chooses the set', async () => {
    const edited = await edit(policyText(answers), { limits: 'panel-medium' });
    assert.match(edited, /<defaults>\s*<cpu limit="200%"\/>\s*<memory limit="2GiB"\/>/);
  });

  test('the plan says what comes from where, and what is left out', async () => {
    const text = await plan();
    assert.match(text, /2 packages \(default: the defaults, gold: memory limit 2GiB\)/);
    assert.match(text, /no limits of disk space and files: the panel sets those quotas itself/);
    assert.match(
      text,
      /<panel source="hestia"> with 2 plans, .*and 1 tenant with individual limits/,
    );
    assert.match(text, /all from HestiaCP \(\/usr\/local\/hestia\)/);
    assert.match(text, /administrators of the panel get the package of their plan, too: boss/);
    assert.match(text, /default: only the defaults/);
  });

  test('the plan lists what was not understood', async () => {
    hestiaPackage(tree, 'gold', { DISK_QUOTA: 'lots' });
    hestiaUser(tree, 'root');
    const text = await plan();
    assert.match(text, /2 problems, all in "bulkhead panel status"/);
    assert.match(text, /"lots" cannot be understood/);
    assert.match(text, /"root": its uid 0 belongs to the system/);
  });

  test('leave alone what the policy has', async () => {
    const own = `<bulkhead version="1">
  <defaults><cpu limit="7%"/></defaults>
  <package name="gold"/> <!-- mine -->
  <tenant uid="1001"/>
</bulkhead>
`;
    const edited = await edit(own);
    assert.match(edited, /<cpu limit="7%"\/>/);
    assert.match(edited, /<package name="gold"\/> <!-- mine -->\n {2}<tenant uid="1001"\/>/);
    assert.doesNotMatch(edited, /user="ann"/);
    assert.match(edited, /<tenant user="cleo">/);
  });

  test('stay with accounts that are tenants, also without entries', async () => {
    const edited = await edit(policyText(answers), {
      tenants: '1002-60000',
      except: ['cleo'],
      entries: 'none',
    });
    assert.doesNotMatch(edited, /"ann"|user="cleo"/);
    assert.doesNotMatch(edited, /<tenant /);
  });

  test('keep names with spaces, & and <, and report those that cannot stay', async () => {
    const name = 'Gói Pro & <x>';
    hestiaPackage(tree, name, { DISK_QUOTA: '7' });
    hestiaPackage(tree, '!5 €', { DISK_QUOTA: '8' });
    hestiaPackage(tree, '_5 €', { DISK_QUOTA: '9' });
    hestiaUser(tree, 'ann', { PACKAGE: name });
    hestiaUser(tree, 'ben', { PACKAGE: '!5 €' });
    const { document } = parsePolicy('', await edit(policyText(answers)));
    assert.deepEqual(
      new Set(document?.packages.map((each) => each.name.value)),
      new Set(['p_5 _', 'p_5 _-2', name, 'default', 'gold']),
    );
    const plans = new Map(document?.panel?.plans.map((each) => [each.name, each.package.value]));
    assert.equal(plans.get(name), name);
    assert.equal(plans.get('!5 €'), 'p_5 _');
    assert.equal(plans.get('_5 €'), 'p_5 _-2');
    assert.match(await plan(), /the policy has "!5 €" as "p_5 _", "_5 €" as "p_5 _-2"/);
  });

  test('resellers stay plain tenants, and the plan says so', async (t) => {
    tree = panelTree(testDirectory(t, 'setup-panel'), { ann: 1001, ben: 1002 });
    tree.write('/var/cpanel/packages/gold', plain({ QUOTA: '2000' }));
    tree.write('/var/cpanel/resellers', 'ben:create-acct\n');
    tree.write(
      '/var/cpanel/users/ann',
      plain({ PLAN: 'gold', OWNER: 'ben', DISK_BLOCK_LIMIT: '2048000' }),
    );
    tree.write(
      '/var/cpanel/users/ben',
      plain({ PLAN: 'gold', OWNER: 'ben', DISK_BLOCK_LIMIT: '0' }),
    );
    const edited = await edit(policyText(answers));
    assert.match(edited, /<panel source="cpanel">\s*<plan name="gold" package="gold"\/>/);
    assert.doesNotMatch(edited, /reseller|<tenant /);
    assert.match(await plan(), /1 reseller and their 1 account stay plain tenants/);
  });

  test('two packages of one name stay apart by their owners', async (t) => {
    tree = panelTree(testDirectory(t, 'setup-panel'), { ann: 1001, boss: 1004, ben: 1002 });
    const base = '/usr/local/directadmin/data/users';
    const user = (name: string, values: Readonly<Record<string, string>>) =>
      tree.write(`${base}/${name}/user.conf`, plain(values));
    user('boss', { usertype: 'admin' });
    user('ben', { usertype: 'reseller', creator: 'boss' });
    user('ann', { usertype: 'user', creator: 'ben', package: 'gold', quota: '100' });
    tree.write(`${base}/boss/packages/gold.pkg`, plain({ quota: '5000', MemoryMax: '5G' }));
    tree.write(`${base}/ben/packages/gold.pkg`, plain({ quota: '100', MemoryMax: '1G' }));
    const edited = await edit(policyText(answers));
    assert.match(edited, /<package name="gold@ben">\s*<memory limit="1GiB"\/>/);
    assert.match(edited, /<package name="gold">\s*<memory limit="5GiB"\/>/);
    assert.match(edited, /<plan name="gold" owner="ben" package="gold@ben"\/>/);
    assert.match(edited, /<plan name="gold" package="gold"\/>/);
  });

  test('a name that XML cannot have costs its plan, and nothing else', async () => {
    const name = 'a\u0001\u007f"><tenants uids=';
    hestiaPackage(tree, name, { MEMORY_LIMIT: '3G' });
    const { document } = parsePolicy('', await edit(policyText(answers)));
    assert.deepEqual(
      document?.panel?.plans.map((each) => each.name),
      ['default', 'gold'],
    );
    assert.match(await plan(), /no <plan> for a.*: the policy cannot have that name/);
  });

  test('a name full of markup is one plan', async () => {
    const name = `x"><reseller user='ann'> &lt; ]]>-->`;
    hestiaPackage(tree, name, { MEMORY_LIMIT: '3G' });
    const { document } = parsePolicy('', await edit(policyText(answers)));
    assert.ok(document?.panel?.plans.some((each) => each.name === name));
    assert.deepEqual(document?.resellers, []);
  });

  test('a thousand accounts take one edit', async (t) => {
    const names = Array.from({ length: 1000 }, (_, index) => [`u${index}`, 2000 + index] as const);
    tree = panelTree(testDirectory(t, 'setup-panel'), Object.fromEntries(names));
    hestiaPackage(tree, 'gold', { DISK_QUOTA: '10240' });
    for (const [user] of names)
      hestiaUser(tree, user, { PACKAGE: 'gold', MEMORY_LIMIT: '3G' }, [`${user}.example`]);
    const { document } = parsePolicy('', await edit(policyText(answers)));
    assert.equal(document?.tenants.length, 1000);
  });
});

suite("limits of a panel's packages beside a policy", () => {
  test('leave accounts for which the policy decides, and packages that it has with other limits', async (t) => {
    const users = { ann: 1001, ben: 1002, cleo: 1003, dora: 1004, eve: 1005, finn: 1006 };
    tree = panelTree(testDirectory(t, 'setup-panel'), users);
    hestiaPackage(tree, 'gold', { MEMORY_LIMIT: '2G' });
    hestiaPackage(tree, 'same', { MEMORY_LIMIT: '1G' });
    for (const user of ['dora', 'eve', 'finn']) hestiaUser(tree, user, { PACKAGE: 'same' });
    hestiaUser(tree, 'ann', { PACKAGE: 'gold' });
    for (const user of ['ben', 'cleo', 'dora'])
      hestiaUser(tree, user, { PACKAGE: 'same', MEMORY_LIMIT: '5G' });
    const text = `<bulkhead version="1">
  <package name="gold"><memory limit="64GiB"/></package>
  <package name="same"><memory limit="1GiB"/></package>
  <tenants uids="1001-1002"/>
  <tenants uids="1003" package="gold"/>
  <reseller user="eve"><tenant user="dora"/></reseller>
</bulkhead>
`;
    const { document } = parsePolicy('', text);
    assert.ok(document !== undefined);
    const accounts = Object.entries(users).map(([user, uid]) => ({
      user,
      uid,
      gid: uid,
      home: `/home/${user}`,
    }));
    const policy = resolvePolicy(document, { accounts, uidMin: 1000 });
    assert.ok(policy !== undefined);
    const data = await readPanel(tree);
    assert.ok(data !== undefined);
    const found = besidePolicy(policyLimits(data), policy, document.packages);
    assert.deepEqual(
      found.tenants.map(({ uid }) => uid),
      [1002],
    );
    assert.deepEqual(
      found.packages.map(({ name }) => name.value),
      ['gold-2', 'same'],
    );
    assert.deepEqual(found.panel?.plans, [
      { name: 'gold', package: 'gold-2' },
      { name: 'same', package: 'same' },
    ]);
    const remarks = found.remarks.join('; ');
    assert.match(remarks, /gets the panel's "gold" as "gold-2"/);
    assert.match(remarks, /since the policy decides: cleo, dora/);
  });

  test('never take a jail from an account, nor its package by the range, nor move it to a reseller', () => {
    const why = (body: string) => {
      const { document } = parsePolicy('', `<bulkhead version="1">${body}</bulkhead>`);
      assert.ok(document !== undefined);
      return whyNotFollow(document);
    };
    const jailed = '<package name="basic"><jail profile="web"/></package>';
    assert.match(
      why(`${jailed}<tenants uids="1001-1009" package="basic"/>`) ?? '',
      /and over its jail/,
    );
    assert.match(why('<reseller user="eve"/>') ?? '', /would move to the <reseller>/);
    assert.equal(why(`${jailed}<tenants uids="1001-1009"/>`), undefined);
    assert.equal(
      why(`<panel source="auto"/>${jailed}<tenants uids="1001" package="basic"/>`),
      undefined,
    );
  });

  test('no plan takes a package with a jail', async (t) => {
    tree = panelTree(testDirectory(t, 'setup-panel'), { ann: 1001 });
    hestiaPackage(tree, 'gold', { MEMORY_LIMIT: '2G' });
    hestiaUser(tree, 'ann', { PACKAGE: 'gold' });
    const text =
      '<bulkhead version="1"><package name="gold"><memory limit="2GiB"/><jail profile="none"/></package><tenants uids="1001"/></bulkhead>';
    const { document } = parsePolicy('', text);
    const data = await readPanel(tree);
    assert.ok(document !== undefined && data !== undefined);
    const policy = resolvePolicy(document, { accounts: [], uidMin: 1000 });
    const found = besidePolicy(policyLimits(data), policy, document.packages);
    assert.equal(found.panel?.plans[0]?.package, 'gold-2');
    const none = withoutPanel(found, 'why');
    assert.deepEqual([none.packages, none.tenants, 'panel' in none], [[], [], false]);
  });

  test('leave a <panel> that is there as it is, with the packages of the policy', async (t) => {
    tree = panelTree(testDirectory(t, 'setup-panel'), { ann: 1001 });
    hestiaPackage(tree, 'gold', { MEMORY_LIMIT: '2G' });
    hestiaPackage(tree, 'basic', { MEMORY_LIMIT: '1G' });
    hestiaUser(tree, 'ann', { PACKAGE: 'gold' });
    const text = `<bulkhead version="1">
  <panel source="cpanel"><plan name="gold" package="gold"/></panel>
  <package name="gold"><memory limit="64GiB"/></package>
  <tenants uids="1001-1002"/>
</bulkhead>
`;
    const { document } = parsePolicy('', text);
    const data = await readPanel(tree);
    assert.ok(document !== undefined && data !== undefined);
    const policy = resolvePolicy(document, { accounts: [], uidMin: 1000 });
    const value = besidePolicy(policyLimits(data), policy, document.packages);
    const context = { ...(await contextOf()), imported: { ok: true, value } } as StepContext;
    assert.deepEqual(step?.before?.(context), []);
    const edited = step?.edit?.(text, context);
    assert.ok(edited?.ok);
    assert.equal(edited.value.match(/<panel/g)?.length, 1);
    assert.match(edited.value, /<panel source="cpanel"><plan name="gold" package="gold"\/>/);
    assert.match(edited.value, /<package name="gold"><memory limit="64GiB"\/>/);
    assert.match(edited.value, /<package name="basic">/);
  });

  test("an account never gets another owner's package", async (t) => {
    tree = panelTree(testDirectory(t, 'setup-panel'), { ann: 1001, boss: 1004, ben: 1002 });
    const base = '/usr/local/directadmin/data/users';
    tree.write(`${base}/boss/user.conf`, plain({ usertype: 'admin' }));
    tree.write(`${base}/ben/user.conf`, plain({ usertype: 'reseller', creator: 'boss' }));
    tree.write(
      `${base}/ann/user.conf`,
      plain({ usertype: 'user', creator: 'boss', package: 'gold' }),
    );
    tree.write(`${base}/ben/packages/gold.pkg`, plain({ MemoryMax: '60G' }));
    const data = await readPanel(tree);
    assert.equal(data?.accounts.find(({ user }) => user === 'ann')?.package, undefined);
    assert.match(
      data?.problems.map(({ reason }) => reason).join('; ') ?? '',
      /1 owner has a package "gold", and "boss" has none/,
    );
  });
});

suite('the question about limits', () => {
  test("offers the panel's packages only where a panel can be read", () => {
    const options = { root: '/nowhere', packagesOf: 'HestiaCP' };
    const look = lookAtHost(pathsOf('bulkhead-setup-panel'), '/nowhere', options);
    assert.equal(defaultAnswers(look).limits, 'starter');
    assert.match(lookRemarks(look).join('\n'), /HestiaCP has packages: the answer "panel-starter"/);
  });

  test('is refused where the panel cannot be read', () => {
    const [first] = contradictions(
      { ...answers },
      { known: [], layers: [], limits: { reason: 'no panel was found' } },
    );
    assert.equal(first?.reason, '"limits" is "panel-starter": no panel was found');
  });
});
