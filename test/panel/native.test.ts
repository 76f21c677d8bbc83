/** The panels' own files: what is read of them, and files that lie, are links, pipes or huge. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { beforeEach, suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { statusJson, statusText } from '../../src/panel/commands/status-text.ts';
import { panelDomains } from '../../src/panel/commands/main-domains.ts';
import { readPanel } from '../../src/panel/io/read-panel.ts';
import {
  hestiaPackage,
  hestiaUser,
  panelTree,
  plain,
  type PanelTree,
} from '../../testing/panel-tree.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

let tree: PanelTree;

async function read() {
  const data = await readPanel(tree);
  assert.ok(data !== undefined);
  const json = statusJson(data, null);
  jsonOf('panel status', JSON.stringify(json));
  return {
    ...json,
    text: statusText(data, null),
    said: data.problems.map(formatProblem).join('\n'),
  };
}

const accounts = { ann: 1001, ben: 1002, cleo: 1003, boss: 1004 };

suite('no panel', () => {
  test('is not an error', async (t) => {
    tree = panelTree(testDirectory(t, 'panel'), accounts);
    const data = await readPanel(tree);
    assert.equal(data, undefined);
    jsonOf('panel status', JSON.stringify(statusJson(data, null)));
    assert.match(statusText(data, null), /^No panel was found/);
  });
});

suite('HestiaCP', () => {
  beforeEach((t) => {
    tree = panelTree(testDirectory(t, 'panel'), accounts);
    hestiaPackage(tree, 'default');
    hestiaPackage(tree, 'gold', {
      DISK_QUOTA: '10240',
      CPU_QUOTA: '150%',
      MEMORY_LIMIT: '2G',
      SWAP_LIMIT: '0',
    });
    hestiaUser(tree, 'ann', { PACKAGE: 'gold', DISK_QUOTA: '10240' }, ['a.example', 'b.example']);
    hestiaUser(tree, 'ben');
    hestiaUser(tree, 'boss', { ROLE: 'admin' });
  });

  test('states accounts, packages, domains and addresses, and where each is from', async () => {
    const found = await read();
    assert.equal(found.said, '');
    assert.deepEqual(
      found.accounts.map(({ user, uid, role }) => [user, uid, role]),
      [
        ['ann', 1001, 'user'],
        ['ben', 1002, 'user'],
        ['boss', 1004, 'administrator'],
      ],
    );
    const [ann] = found.accounts;
    assert.deepEqual(ann?.domains, ['a.example', 'www.a.example', 'b.example', 'www.b.example']);
    assert.equal(ann.mail, 'ann@mail.example');
    assert.equal(ann.package?.name, 'gold');
    assert.equal(ann.from, `${tree.root}/usr/local/hestia/data/users/ann/user.conf`);
    const gold = found.packages.find(({ name }) => name === 'gold');
    assert.deepEqual(gold?.limits, {
      'disk.space': '10GiB',
      'cpu.limit': '150%',
      'memory.limit': '2GiB',
      'memory.swap': '0B',
    });
    assert.deepEqual(gold.ownLimits, { WEB_DOMAINS: '100', DATABASES: '10' });
    assert.match(found.text, /Panel\s+HestiaCP, from \/usr\/local\/hestia/);
    assert.match(found.text, /gold\s+1\s+disk space 10GiB, cpu limit 150%/);
  });

  test('keeps names of packages with any letter', async () => {
    const name = 'Gói Pro & <x> हिन्दी';
    hestiaPackage(tree, name);
    hestiaUser(tree, 'ann', { PACKAGE: name });
    const found = await read();
    assert.equal(found.accounts[0]?.package?.name, name);
    assert.equal(found.said, '');
  });

  test('never makes root, the system or an unknown account a tenant', async () => {
    for (const user of ['root', 'daemon', 'nobody', 'nowhere-to-be-found', '..x', '-rf'])
      hestiaUser(tree, user, { PACKAGE: 'gold' });
    const found = await read();
    assert.deepEqual(
      found.accounts.map(({ user }) => user),
      ['ann', 'ben', 'boss'],
    );
    assert.match(found.said, /use the account "root": its uid 0 belongs to the system/);
    assert.match(found.said, /"daemon": its uid 1 belongs to the system/);
    assert.match(found.said, /"nobody"/);
    assert.match(found.said, /"nowhere-to-be-found": this host has no such account/);
    assert.match(found.said, /"-rf": it cannot be the name of an account/);
  });

  test('reports a package that is gone, and a domain that two have', async () => {
    hestiaUser(tree, 'ann', { PACKAGE: 'lost' });
    hestiaUser(tree, 'ben', {}, ['c.example']);
    hestiaUser(tree, 'cleo', {}, ['c.example']);
    const found = await read();
    assert.equal(found.accounts[0]?.package, null);
    assert.match(found.said, /the package of "ann": no package has the name "lost"/);
    assert.match(found.said, /the domain "c.example": "ben" and "cleo" both have it/);
  });

  test('keeps no address that is several, or more than an address', async () => {
    const wrong = [
      'a@b.example,c@d.example',
      '-oQ/tmp@x.example',
      'x@y.example\u000bBcc: z',
      'root',
      '<a@b.example>',
    ];
    for (const mail of wrong) {
      hestiaUser(tree, 'ann', { CONTACT: mail });
      const found = await read();
      assert.equal(found.accounts[0]?.mail, null, mail);
      assert.match(found.said, /use the address of "ann": ".*" is not one address/);
    }
  });

  test('leaves out limits that are not understood, and takes none for 0', async () => {
    hestiaPackage(tree, 'odd', {
      DISK_QUOTA: '-1',
      CPU_QUOTA: '20',
      MEMORY_LIMIT: '1e9',
      SWAP_LIMIT: 'NaN',
    });
    hestiaPackage(tree, 'zero', { DISK_QUOTA: '0', CPU_QUOTA: '0%', MEMORY_LIMIT: '1K' });
    const found = await read();
    for (const name of ['odd', 'zero'])
      assert.deepEqual(found.packages.find((each) => each.name === name)?.limits, {});
    assert.match(found.said, /use CPU_QUOTA of ".*odd\.pkg": "20" cannot be understood/);
    assert.match(found.said, /use DISK_QUOTA of ".*zero\.pkg": "0" is less than/);
    assert.equal(found.said.split('\n').length, 7);
  });

  const user = () => `${tree.root}/usr/local/hestia/data/users/ann`;
  const wrong: readonly (readonly [what: string, make: () => void, reason: RegExp])[] = [
    [
      'is HTML',
      () => writeFileSync(`${user()}/user.conf`, '<html a="1">\n<p>x=1</p>'),
      /no line of it is KEY='value'/,
    ],
    ['is empty', () => writeFileSync(`${user()}/user.conf`, ''), /no line of it/],
    [
      'is not UTF-8',
      () => writeFileSync(`${user()}/user.conf`, Buffer.from([0x41, 0xff])),
      /not UTF-8/,
    ],
    [
      'has 2 GiB',
      () => truncateSync(`${user()}/user.conf`, 2 ** 31),
      /it has 2.00GiB; the limit is 256KiB/,
    ],
    [
      'is a link',
      () => {
        rmSync(`${user()}/user.conf`);
        symlinkSync('/etc/passwd', `${user()}/user.conf`);
      },
      /symbolic link/,
    ],
    [
      'is a pipe',
      () => {
        rmSync(`${user()}/user.conf`);
        execFileSync('mkfifo', [`${user()}/user.conf`]);
      },
      /named pipe/,
    ],
    ['others can write', () => chmodSync(`${user()}/user.conf`, 0o666), /others than the panel/],
    ['a customer owns', () => chownSync(`${user()}/user.conf`, 1001, 1001), /belongs to uid 1001/],
    [
      'a group of customers can write',
      () => chownSync(`${user()}/user.conf`, 0, 1001),
      /others than the panel/,
    ],
    ['is missing', () => rmSync(`${user()}/user.conf`), /does not exist/],
    [
      'is in a directory that is a link',
      () => {
        rmSync(user(), { recursive: true });
        symlinkSync('/etc', user());
      },
      /a symbolic link or not a directory/,
    ],
    [
      'is in a directory that others can write',
      () => chmodSync(user(), 0o777),
      /others than the panel/,
    ],
  ];
  for (const [what, make, reason] of wrong)
    test(`a user.conf that ${what} is a problem, and the others stay`, async () => {
      make();
      const found = await read();
      assert.deepEqual(
        found.accounts.map((each) => each.user),
        ['ben', 'boss'],
      );
      assert.match(found.said, reason);
    });

  test('lines that contradict each other are reported, and the first one counts', async () => {
    writeFileSync(`${user()}/user.conf`, "PACKAGE='gold'\nPACKAGE='default'\nevil\n");
    const found = await read();
    assert.equal(found.accounts[0]?.package?.name, 'gold');
    assert.match(found.said, /2 lines of it cannot be understood, the first is line 2/);
  });
});

suite('DirectAdmin', () => {
  const base = '/usr/local/directadmin/data';
  const user = (name: string, values: Readonly<Record<string, string>>, domains = '') => {
    tree.write(`${base}/users/${name}/user.conf`, plain({ username: name, ...values }), 0o600);
    tree.write(`${base}/users/${name}/domains.list`, domains, 0o600);
  };

  beforeEach((t) => {
    tree = panelTree(testDirectory(t, 'panel'), { ...accounts, diradmin: 998 });
    const gold = { quota: '5000', inode: '200000', nemails: '50', mysql: '5' };
    const limits = { CPUQuota: '200%', MemoryMax: '1G', TasksMax: '150', IOReadBandwidthMax: '5M' };
    tree.write(`${base}/users/boss/packages/gold.pkg`, plain({ ...gold, ...limits }));
    tree.write(`${base}/users/ben/packages/gold.pkg`, plain({ quota: '100', inode: '' }));
    tree.write(`${base}/admin/packages/resell.pkg`, plain({ quota: 'unlimited' }));
    user('boss', { usertype: 'admin', creator: 'root', package: 'x' });
    user('ben', {
      usertype: 'reseller',
      creator: 'boss',
      package: 'resell',
      email: 'ben@x.example',
    });
    user(
      'ann',
      { usertype: 'user', creator: 'boss', package: 'gold', quota: '5000' },
      'a.example\n',
    );
    user('cleo', { usertype: 'user', creator: 'ben', package: 'gold', quota: '250' });
  });

  test('states packages by their owners, resellers, and limits of accounts', async () => {
    const found = await read();
    assert.equal(found.said, '');
    const shown = found.accounts.map((each) => [each.user, each.role, each.owner, each.package]);
    assert.deepEqual(shown, [
      ['ann', 'user', 'boss', { name: 'gold', owner: 'boss' }],
      ['ben', 'reseller', 'boss', { name: 'resell', owner: null }],
      ['boss', 'administrator', 'root', null],
      ['cleo', 'user', 'ben', { name: 'gold', owner: 'ben' }],
    ]);
    const gold = found.packages.find(({ owner }) => owner === 'boss');
    assert.deepEqual(gold?.limits, {
      'disk.space': '5000MiB',
      'disk.files': '200000',
      'cpu.limit': '200%',
      'memory.limit': '1GiB',
      'processes.limit': '150',
      'io.read': '5MB/s',
    });
    assert.deepEqual(
      found.resellers.map((each) => [each.name, each.mail, each.accounts]),
      [['ben', 'ben@x.example', 1]],
    );
    assert.deepEqual(found.accounts[0]?.domains, ['a.example']);
  });

  test("trusts the panel's own account, and no other", async () => {
    const file = `${tree.root}${base}/users/ann/user.conf`;
    chownSync(file, 998, 998);
    assert.equal((await read()).said, '');
    chownSync(file, 997, 998);
    assert.match((await read()).said, /belongs to uid 997/);
  });

  test("names each account's main domain, which need not be the first in the list", async () => {
    user(
      'ann',
      { usertype: 'user', creator: 'boss', domain: 'z.example' },
      'a.example\nz.example\n',
    );
    const domains = await panelDomains(tree.paths, tree.root);
    assert.deepEqual([...domains], [[1001, 'z.example']]);
  });

  test('keeps an account without a package', async () => {
    user('ann', { usertype: 'user', creator: 'boss', package: 'custom', quota: '7' });
    const found = await read();
    assert.equal(found.said, '');
    assert.deepEqual(found.accounts[0]?.limits, { 'disk.space': '7MiB' });
  });
});

suite('cPanel', () => {
  const user = (name: string, values: Readonly<Record<string, string>>) =>
    tree.write(`/var/cpanel/users/${name}`, `# cPanel\n${plain({ USER: name, ...values })}`, 0o640);

  beforeEach((t) => {
    tree = panelTree(testDirectory(t, 'panel'), accounts);
    tree.write('/var/cpanel/packages/gold', plain({ QUOTA: '2000', MAXSQL: '5', MAXPOP: 'n' }));
    tree.write('/var/cpanel/packages/free', plain({ QUOTA: 'unlimited' }));
    tree.write('/var/cpanel/packages/extensions/x.tt2', 'x');
    tree.write('/var/cpanel/resellers', 'ben:create-acct,edit-acct\n');
    user('ann', {
      PLAN: 'gold',
      OWNER: 'ben',
      DNS: 'a.example',
      DNS1: 'b.example',
      DISK_BLOCK_LIMIT: '2048000',
    });
    user('ben', {
      PLAN: 'free',
      OWNER: 'ben',
      CONTACTEMAIL: 'ben@x.example',
      DISK_BLOCK_LIMIT: '0',
    });
    user('cleo', { PLAN: 'default', OWNER: 'root' });
    user('system', {});
  });

  test("names each account's main domain", async () => {
    const domains = await panelDomains(tree.paths, tree.root);
    assert.deepEqual([...domains], [[1001, 'a.example']]);
  });

  test('states accounts, plans and resellers', async () => {
    const found = await read();
    assert.equal(found.said, '');
    assert.deepEqual(
      found.accounts.map((each) => [each.user, each.role, each.package?.name, each.limits]),
      [
        ['ann', 'user', 'gold', { 'disk.space': '2000MiB' }],
        ['ben', 'reseller', 'free', { 'disk.space': 'unlimited' }],
        ['cleo', 'user', undefined, {}],
      ],
    );
    assert.deepEqual(found.accounts[0]?.domains, ['a.example', 'b.example']);
    assert.deepEqual(
      found.packages.map((each) => [each.name, each.limits]),
      [
        ['free', { 'disk.space': 'unlimited' }],
        ['gold', { 'disk.space': '2000MiB' }],
      ],
    );
    assert.deepEqual(
      found.resellers.map((each) => [each.name, each.accounts]),
      [['ben', 1]],
    );
  });

  test('reports an owner that nobody is', async () => {
    user('ann', { PLAN: 'gold', OWNER: 'mallory' });
    assert.match((await read()).said, /owner of "ann": "mallory" is neither/);
  });
});
