/** Plesk's database client: a program in its place that answers as it does, and as it should not. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { beforeEach, suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { readHostFacts } from '../../src/host/accounts/accounts.ts';
import { statusJson } from '../../src/panel/commands/status-text.ts';
import { checkData } from '../../src/panel/core/check.ts';
import { recordOf } from '../../src/panel/core/follow.ts';
import { readPlesk } from '../../src/panel/io/sources/plesk.ts';
import { sourcesOf } from '../../src/panel/io/read-panel.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { panelTree, type PanelTree } from '../../testing/panel-tree.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const skip = process.geteuid?.() === 0 ? false : 'only programs of root count';
const program = '/usr/local/psa/bin/plesk';

let tree: PanelTree;

const good = [
  'site\tann\ta.example\t1\tmain\tadmin\tadmin',
  'site\tben\tother.example\t2\t\tacme\treseller',
  'site\tben\tb.example\t2\tmain\tacme\treseller',
  'site\tcleo\tc.example\t4\tmain\t\t',
  'plan\t1\tGold\tadmin\tadmin',
  'plan\t2\tGold\tacme\treseller',
  'all\tGold\tadmin\tadmin',
  'all\tGold\tacme\treseller',
  'all\tTab\\tand \\\\\tadmin\tadmin',
  'end',
];

const client = (shell: string) => tree.write(program, `#!/bin/sh\n${shell}\n`, 0o755);
const printed = (lines: readonly string[]) => `cat <<'END'\n${lines.join('\n')}\nEND\n`;
const answer = (
  lines: readonly string[],
  databases = printed([
    'db\tann\tann_wp\tmysql',
    'db\tben\tann_wp\tpostgresql',
    'db\tben\tx\tmssql',
    'end',
  ]),
) =>
  client(
    `printf '%s\\n' "$@" > ${tree.root}/asked\ncase "$*" in *db_users*)\n${databases}\nexit ;; esac\n${printed(lines)}`,
  );

async function read(bytesMax = 2 ** 20, timeoutSeconds = 60) {
  const stated = await readPlesk(tree, { timeoutSeconds, bytesMax });
  const data = checkData(stated, readHostFacts(tree.paths, []));
  jsonOf('panel status', JSON.stringify(statusJson(data, null)));
  const plans = recordOf(data, [], 1).members.map((each) => [each.user, each.plan, each.owner]);
  return { ...data, plans, said: data.problems.map(formatProblem).join('\n') };
}

suite('Plesk', { skip }, () => {
  beforeEach((t) => {
    tree = panelTree(testDirectory(t, 'plesk'), { ann: 1001, ben: 1002, cleo: 1003 });
    tree.write('/usr/local/psa/version', '18.0.60 Debian 12\n');
    mkdirSync(`${tree.root}/usr/sbin`, { recursive: true });
    symlinkSync(tree.root + program, `${tree.root}/usr/sbin/plesk`);
    answer(good);
  });

  test('states accounts, service plans with their owners, resellers and domains', async () => {
    assert.deepEqual(
      sourcesOf(tree).map(({ name }) => name),
      ['plesk'],
    );
    const found = await read();
    assert.equal(found.said, '');
    assert.deepEqual(found.plans, [
      ['ann', { name: 'Gold' }, 'admin'],
      ['ben', { name: 'Gold', owner: 'acme' }, 'acme'],
      ['cleo', undefined, undefined],
    ]);
    assert.deepEqual(
      found.accounts[1]?.domains.map(({ name }) => name),
      ['b.example', 'other.example'],
    );
    assert.deepEqual(
      found.resellers.map(({ name }) => name),
      ['acme'],
    );
    assert.ok(found.packages.some(({ name }) => name === 'Tab\tand \\'));
  });

  test('takes no plan without an owner for its own', async () => {
    const isLost = (row: string) => /^(?:plan|all)\t.*acme/.test(row);
    answer(good.map((row) => (isLost(row) ? row.replace('acme\treseller', '\t') : row)));
    const found = await read();
    assert.deepEqual(found.plans[1], ['ben', undefined, 'acme']);
    assert.deepEqual(
      found.packages.map(({ name, owner }) => [name, owner]),
      [
        ['Gold', undefined],
        ['Tab\tand \\', undefined],
      ],
    );
    assert.match(found.said, /^Cannot find the owner of the plan "Gold": .*owner_id/);
    assert.equal(found.isPartial, true);
  });

  test('asks for nothing but rows', async () => {
    await read();
    const [verb, option, query = ''] = readFileSync(`${tree.root}/asked`, 'utf8').split('\n');
    assert.deepEqual([verb, option], ['db', '-Ne']);
    for (const statement of query.split('; ')) assert.match(statement, /^SELECT '/);
  });

  test('states the accounts of database servers, or leaves them unknown', async () => {
    assert.deepEqual(
      (await read()).accounts.map((each) => [each.databaseAccounts, each.postgresqlAccounts]),
      [
        [['ann_wp'], []],
        [[], ['ann_wp']],
        [[], []],
      ],
    );
    answer(good, "echo \"Table 'psa.db_users' doesn't exist\" >&2; exit 1");
    const found = await read();
    assert.deepEqual(
      found.accounts.map((each) => each.databaseAccounts),
      [undefined, undefined, undefined],
    );
    assert.deepEqual(found.plans[0], ['ann', { name: 'Gold' }, 'admin']);
    assert.match(
      found.said,
      /^Cannot read the accounts of database servers from "plesk db": .*psa/,
    );
  });

  const wrong: readonly (readonly [what: string, make: () => void, reason: RegExp])[] = [
    ['is cut', () => answer(good.slice(0, -1)), /the answer is not whole/],
    [
      'is cut within a row, and ends well',
      () => answer(['site\tann\ta.exam', 'end']),
      /row 1 of the answer cannot be understood/,
    ],
    ['is a traceback', () => client('echo Fatal error >&2; exit 1'), /status 1: Fatal error/],
    [
      'has a warning in it',
      () => answer(['mysql: [Warning] x', ...good]),
      /row 1 of the answer cannot be understood/,
    ],
    ['never ends', () => client('yes'), /more than|maxBuffer|limit/i],
    ['is not UTF-8', () => client("printf '\\377\\nend\\n'"), /UTF-8/],
    [
      'is from a program that others can write',
      () => chmodSync(tree.root + program, 0o777),
      /others than root/,
    ],
  ];
  for (const [what, make, reason] of wrong)
    test(`an answer that ${what} is a problem, and states nobody`, async () => {
      make();
      const found = await read();
      assert.deepEqual([found.accounts, found.isPartial], [[], true]);
      assert.match(found.said, reason);
    });

  test('a client that hangs is ended', async () => {
    client('exec sleep 3600');
    assert.match((await read(2 ** 20, 1)).said, /it did not finish within 1 s/);
  });
});
