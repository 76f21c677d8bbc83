/** A tenant's own database server: a real MariaDB behind the launcher, with the script of its unit. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutComments } from '../../src/app/core/database-server.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { mariadbMissing } from '../../testing/mariadb.ts';
import { Serving, servingSkip, until } from './serving-stage.ts';

/** The server looks the account up by its uid. */
const account = { uid: 65_534, name: 'nobody' };
const client = fileURLToPath(new URL('database-client.ts', import.meta.url));
const script = withoutComments(readFileSync(packageFile('libexec/bulkhead-mariadb'), 'utf8'));

interface Answer {
  readonly rows?: unknown;
  readonly problem?: string;
}

/** Asks as an account of the host. */
function ask(
  { socket }: Serving,
  statement: string,
  user = account.name,
  uid = account.uid,
): Promise<Answer> {
  const args = [client, socket, user, statement];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { uid, gid: uid, cwd: '/' }, (error, stdout, stderr) => {
      resolve(error === null ? { rows: JSON.parse(stdout) } : { problem: stderr });
    });
  });
}

function start(server: Serving, idleSeconds = 0): void {
  server.start(['/bin/sh', '-c', script], { takes: 'private', account, idleSeconds });
}

/** Starts it with the next connection, which systemd does on a host. */
function startAgain(server: Serving, idleSeconds = 0): void {
  rmSync(server.socket);
  start(server, idleSeconds);
}

const place = (server: Serving, name = '') => `${server.home}/.bulkhead/mariadb/${name}`;

suite("a tenant's own database server", { skip: servingSkip || mariadbMissing }, () => {
  test('the first connection makes it, and the tenant has all rights in it', async () => {
    await using server = new Serving();
    start(server);
    await server.listening();
    const made = await ask(server, 'CREATE DATABASE shop');
    assert.deepEqual(made, { rows: [] }, server.log());
    await ask(server, 'CREATE TABLE shop.t AS SELECT 7 AS seven');
    assert.deepEqual(await ask(server, 'SELECT CURRENT_USER(), seven FROM shop.t'), {
      rows: [['nobody@localhost', '7']],
    });
    assert.deepEqual(readdirSync(place(server)).sort(), ['data', 'my.cnf', 'pid', 'tmp']);
    assert.equal(lstatSync(place(server, 'data')).uid, account.uid);
    assert.deepEqual(await ask(server, 'SELECT @@skip_networking, @@innodb_buffer_pool_size'), {
      rows: [['1', String(8 << 20)]],
    });

    // Nobody else: not by the name of another account, and with another uid not even to the server.
    assert.match((await ask(server, 'SELECT 1', 'root')).problem ?? '', /Access denied/);
    const other = await ask(server, 'SELECT 1', account.name, 0);
    assert.match(other.problem ?? '', /closed|end/i);
    assert.match(server.log(), /was refused: it belongs to another account/);

    // The data are there after a kill, too.
    server.process?.kill('SIGKILL');
    await server.ended();
    startAgain(server);
    await server.listening();
    assert.deepEqual(await ask(server, 'SELECT seven FROM shop.t'), { rows: [['7']] });
  });

  test('it stops when it is idle, and the next connection finds its data', async () => {
    await using server = new Serving();
    start(server);
    await server.listening();
    assert.deepEqual(await ask(server, 'CREATE DATABASE shop'), { rows: [] });
    server.process?.kill('SIGTERM');
    assert.equal(await server.ended(), 0);
    assert.match(server.log(), /Shutdown complete/);
    startAgain(server, 1);
    assert.equal(await server.ended(), 0);
    startAgain(server);
    await server.listening();
    assert.deepEqual(await ask(server, "SHOW DATABASES LIKE 'shop'"), { rows: [['shop']] });
  });

  test('settings are written once, and no other option file is read', async () => {
    await using server = new Serving();
    mkdirSync(place(server), { recursive: true });
    writeFileSync(place(server, 'my.cnf'), '[mysqld]\nmax_connections = 12\nskip_networking = 0\n');
    writeFileSync(`${server.home}/.my.cnf`, '[mysqld]\nmax_connections = 13\n');
    chownAll(server);
    start(server);
    await server.listening();
    assert.deepEqual(await ask(server, 'SELECT @@max_connections, @@skip_networking'), {
      rows: [['12', '1']],
    });
  });

  test('an interrupted start is repeated, and one that fails leaves nothing behind', async () => {
    await using server = new Serving();
    mkdirSync(place(server, 'new/mysql'), { recursive: true });
    writeFileSync(place(server, 'my.cnf'), '[mysqld]\nno_such_option = 1\n');
    chownAll(server);
    start(server);
    assert.notEqual(await server.ended(), 0);
    assert.match(server.log(), /no_such_option/);
    assert.match(server.log(), /The data directory could not be made; see above/);
    assert.deepEqual(readdirSync(place(server)).sort(), ['my.cnf', 'tmp']);
    rmSync(place(server, 'my.cnf'));
    startAgain(server);
    await server.listening();
    assert.deepEqual(await ask(server, 'SELECT 1'), { rows: [['1']] });
  });

  test('whatever the tenant puts in place of its files is reached as the tenant only', async () => {
    await using server = new Serving();
    const kept = `${server.home}-root`;
    mkdirSync(kept, { mode: 0o700 });
    writeFileSync(`${kept}/file`, 'kept');
    using _kept = { [Symbol.dispose]: () => rmSync(kept, { recursive: true }) };
    mkdirSync(place(server), { recursive: true });
    symlinkSync(kept, place(server, 'data'));
    symlinkSync(`${kept}/file`, place(server, 'my.cnf'));
    chownAll(server);
    start(server);
    assert.notEqual(await server.ended(), 0);
    assert.deepEqual(readdirSync(kept), ['file']);
    assert.equal(readFileSync(`${kept}/file`, 'utf8'), 'kept');

    // A link to a place of its own is its own business.
    for (const each of ['data', 'my.cnf']) rmSync(place(server, each));
    startAgain(server);
    await server.listening();
    assert.deepEqual(await ask(server, 'CREATE DATABASE moved'), { rows: [] });
    server.process?.kill('SIGTERM');
    assert.equal(await server.ended(), 0);
    renameSync(place(server, 'data'), `${server.home}/elsewhere`);
    symlinkSync('../../elsewhere', place(server, 'data'));
    startAgain(server);
    await server.listening();
    assert.deepEqual(await ask(server, "SHOW DATABASES LIKE 'moved'"), { rows: [['moved']] });
  });

  test('a tenant that stops its server harms itself, and its end is not awaited for ever', async () => {
    await using server = new Serving();
    start(server);
    await server.listening();
    assert.deepEqual(await ask(server, 'SELECT 1'), { rows: [['1']] });
    const pid = Number(readFileSync(place(server, 'pid'), 'utf8'));
    process.kill(pid, 'SIGSTOP');
    server.process?.kill('SIGTERM');
    await server.ended();
    await until(() => !existsSync(`/proc/${pid}`));
  });
});

/** Gives the tenant what the test has made below its home. */
function chownAll(server: Serving): void {
  const names = readdirSync(place(server), { recursive: true, encoding: 'utf8' });
  for (const each of [
    `${server.home}/.bulkhead`,
    place(server),
    ...names.map((name) => place(server, name)),
  ])
    lchownSync(each, account.uid, account.uid);
}
