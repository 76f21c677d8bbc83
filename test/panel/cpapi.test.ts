/** Panels with CPAPI: scripts that behave as badly as real ones, and scripts that must not be run. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { beforeEach, suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { statusJson } from '../../src/panel/commands/status-text.ts';
import { checkData } from '../../src/panel/core/check.ts';
import { parseIntegrationIni } from '../../src/panel/core/cpapi-ini.ts';
import { readCpapi } from '../../src/panel/io/sources/cpapi.ts';
import { readHostFacts } from '../../src/host/accounts/accounts.ts';
import { readPanel } from '../../src/panel/io/read-panel.ts';
import {
  cpapiPanel,
  panelTree,
  type Answer,
  type CpapiScript,
  type PanelTree,
} from '../../testing/panel-tree.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

let tree: PanelTree;

const userRow = (username: string, id: unknown, rest: object = {}) => ({
  id,
  username,
  owner: 'root',
  domain: `${username}.example`,
  package: { name: 'gold', owner: 'root' },
  email: null,
  locale_code: null,
  ...rest,
});

const good: Readonly<Record<CpapiScript, Answer>> = {
  panel_info: { data: { name: 'SomePanel', version: '1.0' } },
  users: { data: [userRow('ann', 1001), userRow('ben', '1002', { email: 'ben@x.example' })] },
  packages: { data: [{ name: 'gold', owner: 'root' }] },
  domains: {
    data: {
      'ann.example': { owner: 'ann', document_root: '/home/ann/public_html', is_main: true },
      'blog.example': { owner: 'ann', document_root: '/home/ann/blog', is_main: false },
    },
  },
  resellers: { data: [] },
  admins: { data: [{ name: 'admin', unix_user: 'root', is_main: true }] },
};

const bounds = { timeoutSeconds: 60, bytesMax: 2 ** 21 };

async function read(timeoutSeconds = bounds.timeoutSeconds) {
  const data = checkData(
    await readCpapi(tree, { ...bounds, timeoutSeconds }),
    readHostFacts(tree.paths, []),
  );
  jsonOf('panel status', JSON.stringify(statusJson(data, null)));
  const users = data.accounts.map(({ user }) => user);
  return { ...data, users, said: data.problems.map(formatProblem).join('\n') };
}

suite('CPAPI', () => {
  beforeEach((t) => {
    tree = panelTree(testDirectory(t, 'cpapi'), { ann: 1001, ben: 1002, cleo: 1003 });
    cpapiPanel(tree, good);
  });

  test('states users, packages, domains and addresses', async () => {
    const data = await readPanel(tree);
    assert.ok(data !== undefined);
    assert.deepEqual(data.problems, []);
    assert.equal(data.panel, 'SomePanel');
    const [ann, ben] = data.accounts;
    assert.deepEqual(
      ann?.domains.map(({ name }) => name),
      ['ann.example', 'blog.example'],
    );
    assert.deepEqual(ann.package, { name: 'gold', owner: 'root' });
    assert.equal(ben?.mail, 'ben@x.example');
    assert.equal(ben.uid, 1002);
  });

  test('runs a script through an interpreter, with its arguments', async () => {
    const shell = `[ "$1" = users ] && cat ${tree.root}/users.json`;
    const { users } = good;
    tree.write('/users.json', JSON.stringify({ ...users, metadata: { result: 'ok' } }));
    cpapiPanel(tree, { ...good, users: { shell } }, (path, name) => `bash ${path} ${name}`);
    const { users: names, said } = await read();
    assert.deepEqual(names, ['ann', 'ben']);
    assert.equal(said, '');
  });

  test('gives scripts no input and none of our environment', async () => {
    process.env['PANEL_SECRET'] = 'x';
    const shell = `cat; [ -z "$PANEL_SECRET" ] && cat <<'END'
${JSON.stringify({ ...good.users, metadata: { result: 'ok' } })}
END`;
    cpapiPanel(tree, { ...good, users: { shell } });
    assert.deepEqual((await read()).users, ['ann', 'ben']);
  });

  const bad: readonly (readonly [what: string, answer: Answer, reason: RegExp])[] = [
    ['hangs', { shell: 'sleep 100 & sleep 100' }, /did not finish within 2 s/],
    [
      'ignores SIGTERM',
      { shell: "trap '' TERM; while :; do sleep 100; done" },
      /did not finish within 2 s/,
    ],
    ['prints without end', { shell: 'yes "[1,"' }, /printed more than 2097152 bytes/],
    ['prints HTML', { shell: 'echo "<html><h1>500</h1>"' }, /did not print JSON: "<html>/],
    ['prints a warning before its JSON', { shell: 'echo Notice; echo "{}"' }, /did not print JSON/],
    ['prints nothing', { shell: 'true' }, /it printed nothing/],
    ['prints a traceback', { shell: 'echo "KeyError: 1" >&2; exit 1' }, /status 1: KeyError: 1/],
    ['prints other bytes', { shell: String.raw`printf '\377'` }, /did not print UTF-8/],
    ['has no metadata', { shell: 'echo "[]"' }, /no "metadata"/],
    [
      'fails with a result that the vendor does not list',
      {
        shell: `echo '{"data":null,"metadata":{"result":"NotImplemented","message":"no"}}'; exit 1`,
      },
      /it answered "NotImplemented": no/,
    ],
    ['answers an object', { data: { ann: 1 } }, /its data is not a list/],
  ];
  for (const [what, answer, reason] of bad)
    test(`a script that ${what} is a problem`, async () => {
      cpapiPanel(tree, { ...good, users: answer });
      const hangs = reason.source.includes('within');
      const { users, said } = await read(hangs ? 2 : undefined);
      assert.deepEqual(users, []);
      assert.match(said, reason);
      assert.match(said, /the CPAPI script "users"/);
    });

  test('an answer counts, whatever the exit status is', async () => {
    const json = JSON.stringify({ ...good.users, metadata: { result: 'ok' } });
    cpapiPanel(tree, { ...good, users: { shell: `echo '${json}'; exit 3` } });
    assert.deepEqual((await read()).users, ['ann', 'ben']);
  });

  test('rows that are wrong are reported, and the others stay', async () => {
    const rows = [
      userRow('ann', 1001),
      null,
      'ben',
      userRow('ben', -5),
      userRow('ben', 1.5),
      userRow('', 1002),
      userRow('ben', 1002, { package: 'gold' }),
      userRow('cleo', 1003, { package: undefined, email: undefined }),
    ];
    cpapiPanel(tree, { ...good, users: { data: rows } });
    const { users, said } = await read();
    assert.deepEqual(users, ['ann', 'cleo']);
    assert.match(said, /row 2 has no usable "row"/);
    assert.match(said, /row 4 has no usable "id"/);
    assert.match(said, /row 6 has no usable "username"/);
    assert.match(said, /row 7 has no usable "package"/);
  });

  test('half a million wrong rows are counted', async () => {
    const shell = `echo '{"metadata":{"result":"ok"},"data":['; yes 1, | head -500000; echo '1]}'`;
    cpapiPanel(tree, { ...good, users: { shell } });
    const { users, problems } = await read();
    assert.deepEqual(users, []);
    assert.equal(problems.filter(({ reason }) => /^row \d+/.test(reason)).length, 1000);
    assert.ok(problems.some(({ reason }) => reason === '499001 more rows cannot be used'));
  });

  test('accounts that contradict the host are left out', async () => {
    const rows = [
      userRow('root', 0),
      userRow('daemon', 1),
      userRow('ann', 1002),
      userRow('ben', 1002),
      userRow('ben', 1002),
      userRow('evil\nroot:x', 1001),
      userRow('nobody-here', 1009),
    ];
    cpapiPanel(tree, { ...good, users: { data: rows } });
    const { users, said } = await read();
    assert.deepEqual(users, ['ben']);
    assert.match(said, /"root": its uid 0 belongs to the system/);
    assert.match(said, /"ann": the panel states uid 1002, and this host has uid 1001/);
    assert.match(said, /"ben": the panel states it twice/);
    assert.match(said, /"nobody-here": this host has no such account/);
  });

  test("an owner that is nobody's, and another owner of the package, lose no account", async () => {
    const row = userRow('ann', 1001, { owner: 'ben', package: { name: 'gold', owner: 'site' } });
    cpapiPanel(tree, { ...good, users: { data: [row] }, domains: { data: [] } });
    const { accounts, said } = await read();
    assert.deepEqual(accounts[0]?.package, { name: 'gold', owner: 'root' });
    assert.match(said, /owner of "ann": "ben" is neither an administrator nor a reseller/);
  });

  test('a package name of two owners is found by its owner only', async () => {
    const packages = ['root', 'ben'].map((owner) => ({ name: 'gold', owner }));
    const users = [
      userRow('ann', 1001, { package: { name: 'gold', owner: 'ben' } }),
      userRow('cleo', 1003, { package: { name: 'gold', owner: 'lost' } }),
    ];
    const resellers = { data: [{ name: 'ben', id: 1002, email: null }] };
    cpapiPanel(tree, { ...good, packages: { data: packages }, users: { data: users }, resellers });
    const { accounts, said } = await read();
    assert.deepEqual(
      accounts.map((each) => each.package),
      [{ name: 'gold', owner: 'ben' }, undefined],
    );
    assert.match(said, /the package of "cleo": 2 owners have a package "gold"/);
  });

  test("without the script, the users' packages are known", async () => {
    const { packages: _left, ...rest } = good;
    cpapiPanel(tree, rest);
    const { packages, accounts, said } = await read();
    assert.deepEqual(
      packages.map(({ name }) => name),
      ['gold'],
    );
    assert.equal(accounts[0]?.package?.name, 'gold');
    assert.match(said, /script "packages"": the panel has no such script/);
  });

  const refused: readonly (readonly [
    what: string,
    make: (file: string) => void,
    reason: RegExp,
  ])[] = [
    ['others can write', (file) => chmodSync(file, 0o757), /can be written by others than root/],
    ['a customer owns', (file) => chownSync(file, 1001, 1001), /belongs to uid 1001/],
    ['is gone', (file) => rmSync(file), /does not exist/],
    [
      'is a link',
      (file) => {
        renameSync(file, `${file}.real`);
        symlinkSync(`${file}.real`, file);
      },
      /symbolic link/,
    ],
    [
      'is in a directory that others can write',
      (file) => chmodSync(file.slice(0, file.lastIndexOf('/')), 0o777),
      /can be written by others/,
    ],
  ];
  for (const direct of [true, false])
    for (const [what, make, reason] of refused)
      test(`a script that ${what} is never run${direct ? '' : ' by an interpreter'}`, async () => {
        const shell = `touch ${tree.root}/ran; echo`;
        cpapiPanel(tree, { users: { shell } }, (path) => (direct ? path : `/bin/sh ${path}`));
        make(`${tree.root}/opt/cpvendor/bin/users`);
        const { said } = await read();
        assert.match(said, reason);
        assert.ok(!existsSync(`${tree.root}/ran`));
      });

  const evil = () => `${tree.root}/home/ann/evil`;
  for (const [how, words] of [
    ['after the argument of an option', (path: string) => `sh -o errexit ${evil()} ${path}`],
    ['after a trusted file', (path: string) => `sh ${path} ${evil()}`],
    ['in an option', (path: string) => `bash --rcfile=${evil()} ${path}`],
    ['attached to an option', (path: string) => `perl -I${evil()} ${path}`],
    ['as a setting', (path: string) => `sh ${path} -d include_path=lib:${evil()}`],
    ['without an option, next to a path', (path: string) => `sh ${evil().slice(1)} --log=${path}`],
  ] as const)
    test(`a file of a customer that an interpreter gets ${how} is never run`, async () => {
      const shell = `touch ${tree.root}/ran; echo`;
      cpapiPanel(tree, { users: { shell } }, words);
      tree.write('/home/ann/evil', shell);
      chownSync(evil(), 1001, 1001);
      assert.match((await read()).said, /evil belongs to uid 1001/);
      assert.ok(!existsSync(`${tree.root}/ran`));
    });

  test('a file that a customer can still make is never run', async () => {
    cpapiPanel(tree, good, (path) => `sh ${path} --hook=${tree.root}/home/bob/new/evil`);
    tree.write('/home/bob/x', '');
    chownSync(`${tree.root}/home/bob`, 1001, 1001);
    assert.match((await read()).said, /bob" belongs to uid 1001/);
  });

  test('words that are no paths, and directories of root, are none of a customer', async () => {
    const words =
      'a/b https://panel.example/x?y=/z 30/11/2026 --filter=x/y --url=http://a/b/ users';
    mkdirSync(`${tree.root}/usr/share/perl5`, { recursive: true });
    cpapiPanel(tree, good, (path, name) => {
      return `sh ${path} ${name} -I${tree.root}/usr/share/perl5 ${tree.root}/usr/ ${words}`;
    });
    const { users, said } = await read();
    assert.equal(said, '');
    assert.deepEqual(users, ['ann', 'ben']);
  });

  test('an interpreter without a script of root runs nothing', async () => {
    for (const rest of ['users', '-c touch_x', `-x ${tree.root}/usr users`]) {
      cpapiPanel(tree, good, () => `sh ${rest}`);
      mkdirSync(`${tree.root}/usr`, { recursive: true });
      assert.match((await read()).said, /does not exist|not a file/, rest);
    }
  });

  test('an option with an argument is not a script', async () => {
    cpapiPanel(tree, good, (path, name) => `sh -o errexit ${path} ${name}`);
    assert.deepEqual((await read()).users, ['ann', 'ben']);
  });

  test('nothing is run that an ini names which others could have written', async () => {
    const shell = `touch ${tree.root}/ran`;
    cpapiPanel(tree, { users: { shell } });
    const ini = `${tree.root}/opt/cpvendor/etc/integration.ini`;
    chmodSync(ini, 0o666);
    assert.match((await read()).said, /integration\.ini.*written by others/);
    chmodSync(ini, 0o644);
    renameSync(ini, `${ini}.real`);
    symlinkSync(`${ini}.real`, ini);
    assert.match((await read()).said, /integration\.ini.*symbolic link/);
    assert.ok(!existsSync(`${tree.root}/ran`));
  });

  test('a command is words, and never a line for a shell', async () => {
    cpapiPanel(tree, good, (path, name) =>
      name === 'users' ? `${path};touch ${tree.root}/ran` : path,
    );
    assert.match((await read()).said, /script "users""/);
    assert.ok(!existsSync(`${tree.root}/ran`));
  });
});

suite('parseIntegrationIni()', () => {
  test('reads only its section, comments and the first of two', () => {
    const text = `users = /evil
[integration_scripts]
; users = /no
users=/opt/a   x  ; why
users = /opt/b
domains = bash /opt/c domains
db_info = /opt/d

[lvemanager_config]
packages = /opt/e
`;
    assert.deepEqual(
      [...parseIntegrationIni(text)],
      [
        ['users', ['/opt/a', 'x']],
        ['domains', ['bash', '/opt/c', 'domains']],
      ],
    );
  });
});
