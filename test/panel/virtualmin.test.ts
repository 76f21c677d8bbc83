/** Virtualmin's files: what is read of them, and files that lie. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { beforeEach, suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { statusJson } from '../../src/panel/commands/status-text.ts';
import { recordOf } from '../../src/panel/core/follow.ts';
import { readPanel } from '../../src/panel/io/read-panel.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { panelTree, plain, type PanelTree } from '../../testing/panel-tree.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const base = '/etc/webmin/virtual-server';
const skip = process.geteuid?.() === 0 ? false : 'only files of root count';

let tree: PanelTree;

const domain = (id: string, values: Readonly<Record<string, string>>) =>
  tree.write(`${base}/domains/${id}`, plain({ id, unix: '1', ...values }), 0o600);
/** A sub-server, for which Virtualmin has no user and writes no reseller. */
const site = (id: string, values: Readonly<Record<string, string>>) =>
  domain(id, { unix: '0', reseller: '', ...values });
const plan = (id: string, values: Readonly<Record<string, string>>) =>
  tree.write(`${base}/plans/${id}`, plain({ id, quota: '', 'limit web': '1', ...values }), 0o600);

async function read() {
  const data = await readPanel(tree);
  assert.ok(data !== undefined);
  const json = statusJson(data, null);
  jsonOf('panel status', JSON.stringify(json));
  const plans = recordOf(data, [], 1).members.map((each) => [each.user, each.plan, each.owner]);
  return { ...json, plans, said: data.problems.map(formatProblem).join('\n') };
}

suite('Virtualmin', { skip }, () => {
  beforeEach((t) => {
    tree = panelTree(testDirectory(t, 'virtualmin'), { ann: 1001, ben: 1002, cleo: 1003 });
    plan('0', { name: 'Default Plan', mailboxlimit: '10' });
    plan('1600', { name: 'Gold', owner: 'acme', dbslimit: '5' });
    plan('1601', { name: 'Gold' });
    tree.write(`${base}/acme.acl`, 'reseller=1\nemail=acme@x.example\nnoconfig=1\n', 0o600);
    tree.write(`${base}/ann.acl`, 'noconfig=1\n', 0o600);
    domain('17001', {
      dom: 'a.example',
      user: 'ann',
      plan: '0',
      emailto: 'ann@x.example',
      pass: 's3-cret-word',
    });
    site('17000', { dom: 'sub.a.example', user: 'ann', plan: '1601', parent: '17001' });
    domain('17002', { dom: 'b.example', user: 'ben', plan: '1600', reseller: 'acme other' });
    domain('17003', { dom: 'c.example', user: 'cleo', plan: '' });
  });

  test('states accounts, plans with their owners, resellers, domains and addresses', async () => {
    const found = await read();
    assert.equal(found.said, '');
    assert.deepEqual(found.plans, [
      ['ann', { name: 'Default Plan' }, undefined],
      ['ben', { name: 'Gold', owner: 'acme' }, 'acme'],
      ['cleo', undefined, undefined],
    ]);
    const [ann] = found.accounts;
    assert.deepEqual(ann?.domains, ['a.example', 'sub.a.example']);
    assert.equal(ann.mail, 'ann@x.example');
    assert.deepEqual(
      found.resellers.map((each) => [each.name, each.mail, each.accounts]),
      [['acme', 'acme@x.example', 1]],
    );
    const gold = found.packages.find(({ owner }) => owner === 'acme');
    assert.deepEqual([gold?.limits, gold?.ownLimits], [{}, { dbslimit: '5' }]);
    assert.doesNotMatch(JSON.stringify(found), /s3-cret-word/);
  });

  test("never takes a reseller's plan for the panel's, though its list of resellers is gone", async () => {
    rmSync(`${tree.root}${base}/acme.acl`);
    assert.deepEqual((await read()).plans[1], ['ben', { name: 'Gold', owner: 'acme' }, 'acme']);
  });

  test('skips files that editors leave, and domains without a user', async () => {
    for (const each of ['17001.lock', '17001~', '17001.swp', '.x'])
      tree.write(`${base}/domains/${each}`, 'x');
    domain('17004', { dom: 'mail.example', user: 'lost', unix: '0' });
    assert.equal((await read()).said, '');
  });

  test('reports a plan that does not exist, and an account that this host does not have', async () => {
    domain('17003', { dom: 'c.example', user: 'cleo', plan: '99' });
    domain('17004', { dom: 'd.example', user: 'lost', plan: '0' });
    const { said } = await read();
    assert.match(said, /the package of "cleo": no package has the name "99"/);
    assert.match(said, /the account "lost": this host has no such account/);
  });

  test("reads a domain whose owner's description is not UTF-8", async () => {
    writeFileSync(file(), Buffer.from('owner=caf\xe9 \xff\n', 'latin1'), { flag: 'a' });
    const found = await read();
    assert.equal(found.said, '');
    assert.deepEqual(found.plans[0], ['ann', { name: 'Default Plan' }, undefined]);
  });

  const file = () => `${tree.root}${base}/domains/17001`;
  const wrong: readonly (readonly [what: string, make: () => void, reason: RegExp])[] = [
    [
      'is HTML',
      () => tree.write(`${base}/domains/17001`, '<p>x</p>\n'),
      /no line of it is key=value/,
    ],
    ['has 2 GiB', () => truncateSync(file(), 2 ** 31), /the limit is 256KiB/],
    [
      'is a link',
      () => {
        rmSync(file());
        symlinkSync('/etc/shadow', file());
      },
      /symbolic link/,
    ],
    [
      'is a pipe',
      () => {
        rmSync(file());
        execFileSync('mkfifo', [file()]);
      },
      /named pipe/,
    ],
    ['others can write', () => chmodSync(file(), 0o666), /others than the panel/],
  ];
  for (const [what, make, reason] of wrong)
    test(`a domain's file that ${what} is a problem, and the others stay`, async () => {
      site('17000', { dom: 'x.example', user: 'ben', parent: '17002' });
      site('16999', { dom: 'sub.a.example', user: 'ann', plan: '1601', parent: '17001' });
      make();
      const found = await read();
      assert.deepEqual(
        found.accounts.map(({ user }) => user),
        ['ben', 'cleo'],
      );
      assert.match(found.said, reason);
    });
});
