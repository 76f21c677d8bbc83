/** Accounts of database servers that panels state, from their files to the policy. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { beforeEach, suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import { readHostFacts } from '../../src/host/accounts/accounts.ts';
import { parseDatabaseMap } from '../../src/panel/core/cpanel-databases.ts';
import { checkData } from '../../src/panel/core/check.ts';
import { recordOf } from '../../src/panel/core/follow.ts';
import { parsePleskRows } from '../../src/panel/core/plesk-rows.ts';
import { cPanel } from '../../src/panel/io/sources/cpanel.ts';
import { hestia } from '../../src/panel/io/sources/hestia.ts';
import type { PanelSource } from '../../src/panel/io/sources/source.ts';
import { formatPanelRecord, parsePanelRecord } from '../../src/policy/panel/panel-record.ts';
import type { PanelMember } from '../../src/policy/panel/panel-record.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { hestiaUser, panelTree, type PanelTree } from '../../testing/panel-tree.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

let tree: PanelTree;

async function read(source: PanelSource, known: readonly PanelMember[] = []) {
  const data = checkData(await source.read(tree), readHostFacts(tree.paths, []));
  const parsed = parsePanelRecord(formatPanelRecord(recordOf(data, known, 1)));
  assert.ok(parsed.ok);
  const { members } = parsed.value;
  return {
    record: parsed.value,
    members,
    accounts: members.map((each) => [each.user, each.databaseAccounts, each.postgresqlAccounts]),
    said: data.problems.map(formatProblem).join('\n'),
  };
}

suite('accounts of database servers', () => {
  beforeEach((t) => {
    tree = panelTree(testDirectory(t, 'panel'), { ann: 1001, ben: 1002 });
  });

  suite('HestiaCP', () => {
    const list = '/usr/local/hestia/data/users/ann/db.conf';

    beforeEach(() => {
      hestiaUser(tree, 'ann');
      hestiaUser(tree, 'ben');
      tree.write('/usr/local/hestia/data/packages/default.pkg', "DISK_QUOTA='unlimited'\n", 0o660);
      tree.write(
        list,
        "DB='ann_wp' DBUSER='ann_wp' MD5='*A' HOST='localhost' TYPE='mysql'\nDB='ann_x' DBUSER='ann_x' TYPE='pgsql'\n\n",
        0o660,
      );
    });

    test('are the DBUSERs of db.conf, and none are no error', async () => {
      const { accounts, said } = await read(hestia);
      assert.equal(said, '');
      assert.deepEqual(accounts, [
        ['ann', ['ann_wp'], ['ann_x']],
        ['ben', undefined, undefined],
      ]);
    });

    test('stay as they were when the list can be written by others, which is reported', async () => {
      const { members } = await read(hestia);
      tree.write(list, "DBUSER='ben_wp'\n", 0o666);
      const { accounts, said } = await read(hestia, members);
      assert.match(said, /db\.conf.*can be written by others/);
      assert.deepEqual(accounts[0], ['ann', ['ann_wp'], ['ann_x']]);
    });

    test('that cannot exist are left out, and reported', async () => {
      tree.write(list, `DBUSER='${'x'.repeat(129)}'\nDBUSER='good'\nDB='y'\n`, 0o660);
      const { accounts, said } = await read(hestia);
      assert.deepEqual(accounts[0], ['ann', ['good'], []]);
      assert.match(said, /line 3 names no DBUSER/);
      assert.match(said, /database accounts of "ann": 1 name cannot be the name of one/);
    });

    test('of which a customer made too many are bounded, and reported', async () => {
      const lines = Array.from({ length: 2001 }, (_, index) => `DBUSER='ann_${index}'\n`);
      tree.write(list, lines.join(''), 0o660);
      const { members, said } = await read(hestia);
      assert.equal(members[0]?.databaseAccounts?.length, 2000);
      assert.match(said, /there are 2001; the limit is 2000/);
    });

    test('reach the policy, which follows the panel', async () => {
      const { record } = await read(hestia);
      const text =
        '<bulkhead version="1"><panel source="hestia"/><tenant user="ann"/><databases hold="on"/></bulkhead>';
      const { document } = parsePolicy('p.xml', text);
      assert.ok(document !== undefined);
      const facts = { ...readHostFacts(tree.paths, []), uidMin: 1000, panel: ok(record) };
      const { databases } = resolvePolicy(document, facts);
      assert.equal(databases?.hold, 'on');
      assert.deepEqual(databases.stated, [
        { name: 'ann_wp', user: 'ann', tenant: 1001 },
        { name: 'ann_x', kind: 'postgresql', user: 'ann', tenant: 1001 },
      ]);
    });
  });

  suite('cPanel', () => {
    const map = (text: string) => tree.write('/var/cpanel/databases/ann.json', text, 0o640);

    beforeEach(() => {
      tree.write('/var/cpanel/packages/gold', 'QUOTA=2000\n');
      for (const user of ['ann', 'ben'])
        tree.write(`/var/cpanel/users/${user}`, `USER=${user}\nPLAN=gold\n`, 0o640);
      map(
        '{"MYSQL":{"owner":"ann","dbs":{"shop":"127.0.0.1"},"dbusers":{"wp":{"dbs":{}},"ann_x":{}}},"PGSQL":{"owner":"ann","dbusers":{"wp":{}}},"version":1}',
      );
    });

    test('are the owner and the users of the map', async () => {
      const { accounts, said } = await read(cPanel);
      assert.equal(said, '');
      assert.deepEqual(accounts, [
        ['ann', ['ann', 'wp', 'ann_x'], ['ann', 'wp']],
        ['ben', undefined, undefined],
      ]);
    });

    test('of a map that cannot be understood are unknown, and reported', async () => {
      map('{"MYSQL":[]}');
      const { accounts, said } = await read(cPanel);
      assert.deepEqual(accounts[0], ['ann', undefined, undefined]);
      assert.match(said, /databases\/ann\.json.*not a map of databases/);
    });

    test('are read from nothing else', () => {
      for (const text of ['', '[]', '{"MYSQL":1}', '{"MYSQL":{"dbusers":["a"]}}'])
        assert.equal(parseDatabaseMap(text), undefined, text);
      const none = { databaseAccounts: [], postgresqlAccounts: [] };
      assert.deepEqual(parseDatabaseMap('{}'), none);
      assert.deepEqual(parseDatabaseMap('{"PGSQL":{"dbusers":{"__proto__":{}}}}'), {
        ...none,
        postgresqlAccounts: ['__proto__'],
      });
    });
  });

  test('Plesk prints them as rows', () => {
    const rows = parsePleskRows('site\tann\ta.example\t1\tmain\t\t\ndb\tann\twp\\tx\tmysql\nend\n');
    assert.ok(rows.ok);
    assert.deepEqual(rows.value.db, [{ login: 'ann', name: 'wp\tx', type: 'mysql' }]);
  });
});
