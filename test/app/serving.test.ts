/** Applications behind a socket of systemd: entry/serve.c, with real Node and Python programs. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { suite, test } from 'node:test';
import { busyAt, express, Serving, servingSkip, until } from './serving-stage.ts';

/** Takes the socket of systemd. */
const inherited = `import os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def address_string(self): return '-'
    def do_GET(self):
        self.send_response(200); self.end_headers()
        mine = os.environ['LISTEN_PID'] == str(os.getpid()) and os.environ['LISTEN_FDS'] == '1'
        self.wfile.write(b'%r %s' % (mine, ','.join(sorted(os.listdir('/proc/self/fd'))).encode()))
class Inherited(HTTPServer):
    address_family = socket.AF_UNIX
    def __init__(self):
        HTTPServer.__init__(self, '', Handler, False)
        self.socket = socket.socket(fileno=3)
Inherited().serve_forever()
`;

suite('applications behind a socket', { skip: servingSkip }, () => {
  test('a program that listens at PORT is served, from the first request', async () => {
    await using app = new Serving();
    app.start(app.script(express));
    assert.equal(await app.get(), '200 hello 0');
    assert.equal(await app.get('/', 'x'.repeat(1_000_000)), '200 hello 1000000');
    assert.equal((await app.get('/big')).length, 3_000_004);
    const many = await Promise.all(Array.from({ length: 50 }, () => app.get('/', 'abc')));
    assert.deepEqual(new Set(many), new Set(['200 hello 3']));
    assert.match(app.log(), /^listening at .*\/\.bulkhead\/blog\.sock$/m);
    assert.equal(statSync(`${app.home}/.bulkhead`).mode & 0o777, 0o700);
  });

  test('a program that takes descriptor 3 gets a socket, and no other descriptor', async () => {
    await using app = new Serving();
    writeFileSync(`${app.home}/app.py`, inherited);
    app.start(['python3', 'app.py'], { takes: 'descriptor' });
    // 4 and 5: the connection, and the directory that it lists.
    assert.equal(await app.get(), '200 True 0,1,2,3,4,5');
  });

  test('it ends with its program, and tells why', async () => {
    for (const [path, status, reason] of [
      ['/exit', 7, 'ended with status 7'],
      ['/abort', 134, 'was ended by signal 6'],
    ] as const) {
      await using app = new Serving();
      app.start(app.script(express));
      await app.get();
      await assert.rejects(app.get(path));
      assert.equal(await app.ended(), status);
      assert.match(app.stderr, new RegExp(`The application "blog" ${reason}`));
      assert.match(app.log(), new RegExp(`The application "blog" ${reason}`));
      assert.ok(!existsSync(`${app.home}/.bulkhead/blog.sock`));
    }
  });

  test('a program that does not exist is reported to the tenant', async () => {
    await using app = new Serving();
    app.start(['no-such-program']);
    assert.equal(await app.ended(), 127);
    assert.match(app.log(), /Cannot execute "no-such-program": No such file/);
  });

  test('a visitor that comes while it starts waits', async () => {
    await using app = new Serving();
    app.start(app.script(`setTimeout(() => { ${express} }, 700)`));
    assert.equal(await app.get(), '200 hello 0');
  });

  test('it ends when it is idle, and not before', async () => {
    await using app = new Serving();
    app.start(app.script(express), { idleSeconds: 1 });
    await app.get();
    // A connection without a byte is one all the same.
    const open = await app.open();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.equal(app.process?.exitCode, null);
    open.destroy();
    assert.equal(await app.ended(), 0);
    assert.doesNotMatch(app.stderr, /application/);
  });

  test('visitors who leave do not keep it', async () => {
    await using app = new Serving();
    app.start(app.script(express), { idleSeconds: 1 });
    await app.get();
    for (let each = 0; each < 20; each++) {
      const socket = await app.open();
      socket.write('GET /hang HTTP/1.0\r\n\r\n');
      socket.end();
      socket.destroy();
    }
    assert.equal(await app.ended(), 0);
  });

  test('a busy application refuses visitors, and goes on', async () => {
    await using app = new Serving();
    app.start(app.script(busyAt('path')), { isImpatient: true });
    assert.equal(await app.get(), '200 hello 0');
    const blocked = app.get('/block');
    await until(() => existsSync(`${app.home}/blocked`));
    const others = await Promise.all(Array.from({ length: 8 }, () => app.open()));
    await Promise.race(others.map((each) => once(each.resume(), 'close')));
    writeFileSync(`${app.home}/go`, '');
    assert.equal(await blocked, '200 hello 0');
    assert.equal(await app.get(), '200 hello 0');
    assert.match(
      app.log(),
      /A visitor of the application "blog" was refused: the application is busy/,
    );
    for (const each of others) each.destroy();
  });

  test('one that never listens is ended, and its visitor is told so', async () => {
    await using app = new Serving();
    app.start(['sleep', '600'], { isImpatient: true });
    await assert.rejects(app.get());
    assert.equal(await app.ended(), 1);
    assert.match(app.log(), /does not listen at \$PORT/);
  });

  test('a visitor who leaves before it listens does not wait for it', async () => {
    await using app = new Serving();
    app.start(['sleep', '600'], { idleSeconds: 1 });
    (await app.open()).destroy();
    assert.equal(await app.ended(), 0);
  });

  test('a directory that others could have is refused', async () => {
    for (const make of [
      (home: string) => symlinkSync('/tmp', `${home}/.bulkhead`),
      (home: string) => writeFileSync(`${home}/.bulkhead`, ''),
      (home: string) => {
        mkdirSync(`${home}/.bulkhead`);
        chownSync(`${home}/.bulkhead`, 65_534, 65_534);
      },
    ]) {
      await using app = new Serving();
      make(app.home);
      app.start(app.script(express));
      assert.equal(await app.ended(), 1);
      assert.match(app.stderr, /Cannot (?:open|use) the directory/);
      assert.ok(!existsSync(`${app.home}/.bulkhead/blog.sock`));
    }
  });

  test('an answer before the end of a request arrives', async () => {
    await using app = new Serving();
    app.start(app.script(express));
    assert.match(await app.get('/refuse', 'x'.repeat(200)), /^413 no/);
  });

  test('SIGTERM ends it and all that it has left behind', async () => {
    await using app = new Serving();
    const daemon = `const { spawn } = require('node:child_process');
      const child = spawn('sh', ['-c', 'trap "" TERM; setsid sleep 600 & echo $! >pids; exec sleep 600'], { detached: true, stdio: 'ignore' });
      child.unref(); ${express}`;
    app.start(app.script(daemon));
    await app.get();
    await until(() => existsSync(`${app.home}/pids`));
    const left = Number(readFileSync(`${app.home}/pids`, 'utf8'));
    app.process?.kill('SIGTERM');
    assert.equal(await app.ended(), 0);
    await until(() => !existsSync(`/proc/${left}`));
  });

  test('variables come from a file, and PORT and LISTEN_FDS do not', async () => {
    await using app = new Serving();
    writeFileSync(
      `${app.home}/.env`,
      '# mine\nA=1\nexport B="two words"\n C = \'x\' \nPORT=99\nnot a line\n=\nHOME=/elsewhere\nA=3\n',
    );
    app.start(app.script(express), { environment: `${app.home}/.env` });
    const env = JSON.parse((await app.get('/env')).slice(4)) as Record<string, string>;
    assert.deepEqual(
      [env['A'], env['B'], env['C'], env['HOME']],
      ['3', 'two words', 'x', '/elsewhere'],
    );
    assert.match(env['PORT'] ?? '', /blog\.sock$/);
    assert.match(app.log(), /Line 6 of .*\.env is not NAME=VALUE/);
    assert.match(app.log(), /Line 7 of/);
  });

  test('a file of variables that is none, or too large, is refused', async () => {
    for (const make of [
      (path: string) => mkdirSync(path),
      (path: string) => symlinkSync('/dev/zero', path),
      (path: string) => writeFileSync(path, 'A=1\n'.repeat(30_000)),
      () => undefined,
    ]) {
      await using app = new Serving();
      const environment = `${app.home}/.env`;
      make(environment);
      app.start(app.script(express), { environment });
      assert.equal(await app.ended(), 1);
      assert.match(app.log(), /Cannot read the environment file/);
    }
  });

  test('the log has a bound, and is never another file than the own one', async () => {
    await using app = new Serving();
    app.start(
      app.script(
        `${express} setInterval(() => console.log('y'.repeat(20000) + '\\n' + Date.now()), 10)`,
      ),
    );
    await until(() => existsSync(`${app.home}/.bulkhead/blog.log.1`));
    assert.ok(app.log('blog.log.1').length <= 2 ** 19);
    await until(() => statSync(`${app.home}/.bulkhead/blog.log`).size < 2 ** 20);

    await using other = new Serving();
    const victim = `${other.home}/victim`;
    writeFileSync(victim, 'untouched');
    mkdirSync(`${other.home}/.bulkhead`);
    symlinkSync(victim, `${other.home}/.bulkhead/blog.log`);
    other.start(other.script(express));
    await other.get();
    assert.equal(readFileSync(victim, 'utf8'), 'untouched');
  });

  test('a home whose path is too long for a socket is refused', async () => {
    await using app = new Serving();
    const home = `${app.home}/${'h'.repeat(90)}`;
    mkdirSync(home);
    Object.defineProperty(app, 'home', { value: home });
    app.start(['true']);
    assert.equal(await app.ended(), 1);
    assert.match(app.stderr, /the path of its socket in .* is too long/);
  });
});
