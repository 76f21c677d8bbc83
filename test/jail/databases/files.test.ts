import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pathsOf } from '../../../src/host/paths.ts';
import { parseMysqlFile, parsePostgresqlFile } from '../../../src/host/databases/database-files.ts';
import { findDatabases } from '../../../src/host/databases/find.ts';
import { DatabaseWatch } from '../../../src/jail/io/databases/watch.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';
import { jailOf } from '../../../src/policy/policy.ts';
import { databasesOf, formatJail } from '../../../src/policy/jail.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

test('parseMysqlFile() reads the sockets of server sections only', () => {
  const text = `socket = /before/a/section
[client]
socket=/client.sock
[mysqld]   # the server
  socket = "/var/lib/mysql/mysql.sock"
#socket=/commented.sock
socket-name = /no
socket=relative.sock
[mariadb-11.8]
socket=/run/mysqld/mysqld.sock # here
[mysqldump]
socket=/dump.sock
!include /etc/mysql/extra.cnf
!includedir /etc/mysql/conf.d/
`;
  assert.deepEqual(parseMysqlFile(text), {
    sockets: ['/var/lib/mysql/mysql.sock', '/run/mysqld/mysqld.sock'],
    include: ['/etc/mysql/extra.cnf'],
    includeDirectories: ['/etc/mysql/conf.d'],
  });
});

test('parsePostgresqlFile() reads the last value of directories and port', () => {
  const text = `port = 5432
#unix_socket_directories = '/commented'
unix_socket_directories = '/run/postgresql, /tmp/' # two
port 5433
unix_socket_group = 'x'
`;
  assert.deepEqual(parsePostgresqlFile(text), {
    directories: ['/run/postgresql', '/tmp'],
    port: 5433,
  });
  assert.deepEqual(parsePostgresqlFile("port = 99999\nunix_socket_directories = ''"), {
    directories: [],
    port: undefined,
  });
});

function fixture(root: string, files: Readonly<Record<string, string>>) {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return { ...pathsOf('bulkhead-test'), etc: root };
}

test('findDatabases() follows includes, and takes no account of a person for the server', () => {
  using scratch = temporaryDirectory('databases');
  const root = scratch.path;
  const paths = fixture(root, {
    passwd:
      'mysql:x:1005:1005::/home/mysql:/bin/sh\nmariadb:x:120:121::/:/bin/false\npgsql:x:1006:1006::/:/bin/sh\n',
    'my.cnf': `!includedir ${root}/d\n!include ${root}/my.cnf\n`,
    'd/b.cnf': '[mariadbd]\nsocket=/var/run/b/b.sock\n',
    'd/ignored.txt': '[mysqld]\nsocket=/ignored.sock\n',
    'd/open.cnf': '[mysqld]\nsocket=/open.sock\n',
    'd/many.cnf': '!includedir /usr/bin\n!include relative.cnf\n'.repeat(500),
    'postgresql/15/main/postgresql.conf': "unix_socket_directories='/run/postgresql'",
  });
  symlinkSync('/dev/zero', `${root}/d/endless.cnf`);
  chmodSync(`${root}/d/open.cnf`, 0o666);
  const found = findDatabases(paths);
  assert.deepEqual(
    found.map(({ at, configured }) => [at, configured]),
    [
      ['/run/b/b.sock', true],
      ['/run/mysqld/mysqld.sock', false],
      ['/var/lib/mysql/mysql.sock', false],
    ],
  );
  assert.deepEqual(found[0]?.server, { uid: 120, gid: 121 });
});

test('findDatabases() reads clusters of PostgreSQL, also if others have some, and follows no link of theirs', () => {
  using scratch = temporaryDirectory('databases');
  const root = scratch.path;
  const paths = fixture(root, {
    passwd: 'postgres:x:121:122::/:/bin/sh\n',
    'postgresql/15/main/postgresql.conf': "unix_socket_directories = '/run/a'\nport = 5432",
    'postgresql/15/main/conf.d/x.conf': 'port = 5499',
    'postgresql/15/second/postgresql.conf': 'port = 5433 # directories are the default',
    'postgresql/15/third/postgresql.conf': "unix_socket_directories = '/run/\u001b[2J'",
    'secret.conf': "unix_socket_directories = '/run/secret'",
  });
  for (const name of ['alice', 'open']) {
    mkdirSync(`${root}/postgresql/15/${name}`);
    writeFileSync(
      `${root}/postgresql/15/${name}/postgresql.conf`,
      `unix_socket_directories = '/home/${name}'`,
    );
  }
  // A cluster can be a customer's.
  if (process.getuid?.() === 0) chownSync(`${root}/postgresql/15/alice/postgresql.conf`, 1001, 0);
  else rmSync(`${root}/postgresql/15/alice/postgresql.conf`);
  chmodSync(`${root}/postgresql/15/open/postgresql.conf`, 0o666);
  mkdirSync(`${root}/postgresql/15/linked`);
  symlinkSync(`${root}/secret.conf`, `${root}/postgresql/15/linked/postgresql.conf`);
  assert.deepEqual(
    findDatabases(paths).map(({ at }) => at),
    ['/run/a/.s.PGSQL.5499', '/run/postgresql/.s.PGSQL.5433', '/run/postgresql/.s.PGSQL.5432'],
  );
});

test('DatabaseWatch notices sockets only, not what somebody else puts there', async () => {
  using scratch = temporaryDirectory('databases');
  const at = `${scratch.path}/d.sock`;
  let clock = 0;
  const watch = new DatabaseWatch(() => (clock += 60_000));
  const server = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  watch.follow([{ kind: 'mysql', at, configured: true, server }]);
  for (const mode of [0o600, 0o644]) {
    writeFileSync(at, '');
    chmodSync(at, mode);
    assert.equal(watch.hasNew(), false);
  }
});

test('databasesOf() gives a site none by default, since it has the uid of its tenant', () => {
  const jail = { profile: 'web', paths: [] } as const;
  assert.deepEqual(databasesOf(jail), ['mysql', 'postgresql']);
  assert.deepEqual(databasesOf({ ...jail, home: '/home/alice/shop' }), []);
  assert.deepEqual(databasesOf({ ...jail, home: '/home/alice/shop', databases: ['mysql'] }), [
    'mysql',
  ]);
});

test('<jail databases> lists those that are shown, none, or by default all', () => {
  const jailWith = (attribute: string) => {
    const text = `<bulkhead version="1"><tenant uid="5001"><jail profile="web"${attribute}/></tenant></bulkhead>`;
    const { document, diagnostics } = parsePolicy('p.xml', text);
    const { list } = diagnostics;
    if (document === undefined || list.length > 0) return list.map((each) => each.message).join();
    const [tenant] = resolvePolicy(document, { accounts: [], uidMin: 1000 }).tenants;
    return tenant && formatJail(jailOf(tenant));
  };
  assert.equal(jailWith(''), 'web');
  assert.equal(jailWith(' databases="none"'), 'web, no databases');
  assert.equal(jailWith(' databases="postgresql mysql"'), 'web, databases mysql postgresql');
  assert.match(
    `${jailWith(' databases="oracle"')}`,
    /"oracle" is not a database .* write mysql or postgresql, or "none"/,
  );
});
