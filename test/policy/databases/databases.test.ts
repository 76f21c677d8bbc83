import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatDiagnostic } from '../../../src/policy/diagnostic.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';

const account = (user: string, uid: number) => ({ user, uid, gid: uid, home: `/home/${user}` });
const accounts = [account('root', 0), account('alice', 1001), account('bob', 1002)];

function resolve(body: string) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts, uidMin: 1000 });
  return { databases: policy.databases, said: document.diagnostics.list.map(formatDiagnostic) };
}

const databases = (inside: string, attributes = '') =>
  resolve(`<tenant user="alice"/>\n<databases${attributes}>${inside}</databases>`);

describe('<databases>', () => {
  test('resolvePolicy() resolves servers, and the tenants of accounts by name or uid', () => {
    const { databases: found, said } = databases(
      '<server kind="mariadb" socket="/run/mysqld/mysqld.sock" credentials="/etc/bulkhead/db.cnf"/>' +
        '<account name="wp prod" tenant="alice"/><account name="x" tenant="1001"/><account name="spam" tenant="none"/>',
      ' accounts="none" exempt="backup, monitor" hold="on"',
    );
    assert.deepEqual(said, []);
    assert.ok(found !== undefined);
    const { servers, accounts: named, ...rest } = found;
    assert.deepEqual(rest, {
      rule: 'none',
      exempt: ['backup', 'monitor'],
      hold: 'on',
      stated: [],
    });
    assert.deepEqual(servers, [
      {
        kind: 'mariadb',
        socket: '/run/mysqld/mysqld.sock',
        credentials: '/etc/bulkhead/db.cnf',
      },
    ]);
    assert.deepEqual(
      named.map(({ name, tenant }) => [name, tenant]),
      [
        ['wp prod', 1001],
        ['x', 1001],
        ['spam', undefined],
      ],
    );
  });

  test('resolvePolicy() only watches, and knows accounts by their names, unless the policy says more', () => {
    assert.equal(resolve('<tenant user="alice"/>').databases, undefined);
    assert.deepEqual(databases('').databases, {
      rule: 'prefix',
      exempt: [],
      hold: 'watch',
      servers: [],
      accounts: [],
      stated: [],
    });
  });

  const mistakes: readonly (readonly [inside: string, attributes: string, said: RegExp])[] = [
    ['', ' accounts="prefixes"', /^p\.xml:2:22: error: "prefixes" is not one of prefix, none/],
    ['', ' hold="off"', /2:18: error: "off" is not one of watch, on/],
    ['', ' expect="root"', /has no attribute "expect"; did you mean "exempt"/],
    ['<server kind="mariadb"/>', '', /<server> needs the attribute "socket"/],
    ['<server kind="maria" socket="/s"/>', '', /"maria" is not one of .*did you mean "mariadb"/],
    ['<server kind="mariadb" socket="s"/>', '', /2:43: error: .*not an absolute path/],
    [
      '<server kind="postgresql" socket="/s"/>',
      '',
      /error: "\/s" is not a socket of PostgreSQL: these end with "\.s\.PGSQL\."/,
    ],
    [
      '<server kind="mariadb" socket="/s"/>\n<server kind="mariadb" socket="/s"/>',
      '',
      /3:32: error: The server "\/s" is listed twice; first in line 2/,
    ],
    ['<account name="" tenant="alice"/>', '', /2:27: error: The name is empty/],
    [`<account name="${'ü'.repeat(65)}" tenant="alice"/>`, '', /has 130 bytes; the maximum is 128/],
    ['<account name="a" tenant="-x"/>', '', /2:38: error: "-x" cannot be the name of a tenant/],
    ['<account name="a" tenant="bob"/>', '', /2:38: warning: "bob" is not a tenant, so .* nobody/],
    ['<account name="a" tenant="alic"/>', '', /warning: "alic" is not .*did you mean "alice"/],
    [
      '<account name="a" tenant="alice"/>\n<account name="a" tenant="1001"/>',
      '',
      /3:16: error: The account "a" is listed twice; first in line 2/,
    ],
    [
      '<account name="a" tenant="alice"/>',
      ' exempt="a b"',
      /2:40: error: The account "a" is also listed in "exempt"/,
    ],
    ['<account name="root" tenant="alice"/>', '', /2:27: error: .*"root" is a server's own/],
    ['', ' accounts="none"', /2:1: warning: With accounts="none"/],
  ];
  for (const [inside, attributes, expected] of mistakes) {
    test(`parsePolicy() reports <databases${attributes}>${inside.slice(0, 60)}`, () => {
      const { said } = databases(inside, attributes);
      assert.equal(said.length, 1, said.join('\n'));
      assert.match(said[0] ?? '', expected);
    });
  }

  test('parsePolicy() shows hostile names safely, and keeps them as they are', () => {
    const { databases: found, said } = databases(
      '<account name="&#x9;x&#x202e;&quot;&amp;" tenant="nobody-here"/>',
    );
    assert.equal(found?.accounts[0]?.name, '\tx\u202e"&');
    assert.match(said.join(''), /\\u\{9\}x\\u\{202e\}/);
  });

  test('parsePolicy() accepts <databases> once', () => {
    assert.match(resolve('<databases/><databases/>').said.join(''), /occurs twice/);
  });
});
