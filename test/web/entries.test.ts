/** A real nginx enforces tenants' entries, and what serves goes on serving whatever is wrong. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { eventually } from '../../testing/patience.ts';
import { mark } from '../../src/web/core/entries/nginx-file.ts';
import { applyNginx } from '../../src/web/io/entries/nginx.ts';
import {
  stagedSuite,
  statuses,
  times,
  vhost,
  type Answer,
  type Wanted,
  type EntriesStage,
} from './entries-stage.ts';
import { uids } from './stage.ts';

const five = new Map([[uids.owner, 5]]);

await stagedSuite('entries', suite);

function suite(stage: EntriesStage): void {
  const at = (path: string) => stage.at(path);

  /** Prepares two sites of one tenant, and one of another. */
  async function threeSites(more = '', http = '', first = ''): Promise<void> {
    await stage.prepare(
      (port) =>
        [
          first,
          vhost('a.example', port, stage.root('a', uids.owner), at('owner.sock'), more),
          vhost('b.example', port, stage.root('b', uids.owner), at('owner.sock')),
          vhost('n.example', port, stage.root('n', uids.other), at('other.sock')),
        ].join('\n'),
      http,
    );
  }

  async function started(): Promise<void> {
    stage.start30();
    await stage.served(['a.example', 'b.example', 'n.example']);
  }

  async function enabled(limits: Wanted = five): Promise<void> {
    assert.equal(await stage.enabled(limits), 'reloaded');
  }

  test('web entries serves five of twelve requests, by whatever path they reach the script', async () => {
    await threeSites();
    await started();
    await enabled();
    for (const path of ['/index.php', '/', '/shop/item?x=1', '/index.php/tail']) {
      const answers = await stage.atOnce(times(12, { host: 'a.example', path }));
      assert.deepEqual(statuses(answers), { 200: 5, 508: 7 }, path);
    }
    const refused = await oneRefused('a.example');
    assert.equal(refused.headers['retry-after'], '10');
    assert.equal(refused.headers['x-limit'], 'entries 5/5');
    assert.equal((await stage.ask1({ host: 'a.example' })).headers['x-limit'], undefined);
  });

  /** Returns the answer to one more request while five run. */
  async function oneRefused(host: string, method = 'GET', path = '/'): Promise<Answer> {
    stage.shut();
    const all = times(5, { host }).map((each) => stage.ask1(each));
    await eventually('five run', () => stage.running() === 5);
    const answer = await stage.ask1({ host, method, path });
    stage.letGo();
    await Promise.all(all);
    return answer;
  }

  test("web entries shares one limit among a tenant's sites, separate from its neighbour's", async () => {
    await threeSites();
    await started();
    await enabled(new Map([...five, [uids.other, 3]]));
    const mixed = [...times(4, { host: 'a.example' }), ...times(4, { host: 'b.example' })];
    assert.deepEqual(statuses(await stage.atOnce(mixed)), { 200: 5, 508: 3 });

    stage.shut();
    const busy = times(8, { host: 'a.example' }).map((each) => stage.ask1(each));
    await eventually('five run', () => stage.running() === 5);
    const neighbour = times(3, { host: 'n.example' }).map((each) => stage.ask1(each));
    await eventually("the neighbour's three run beside them", () => stage.running() === 8);
    const files = await Promise.all(
      times(30, { host: 'a.example', path: '/file.css' }).map((each) => stage.ask1(each)),
    );
    assert.deepEqual(statuses(files), { 200: 30 }, 'files are no entries');
    stage.letGo();
    assert.deepEqual(statuses(await Promise.all(neighbour)), { 200: 3 });
    assert.deepEqual(statuses(await Promise.all(busy)), { 200: 5, 508: 3 });
  });

  test('web entries counts each stream of an HTTP/2 connection, and no idle connections', async () => {
    await threeSites('http2 on;');
    await started();
    await enabled();
    stage.shut();
    const session = connectHttp2(`http://127.0.0.1:${stage.port}`);
    const got: number[] = [];
    for (let index = 0; index < 12; index++) {
      const stream = session.request({ ':path': `/${index}`, ':authority': 'a.example' });
      stream.on('response', (headers) => got.push(Number(headers[':status'])));
      stream.resume();
    }
    await eventually('seven streams are refused', () => got.length === 7 && stage.running() === 5);
    stage.letGo();
    await eventually('all are answered', () => got.length === 12);
    session.close();
    assert.deepEqual(got.toSorted(), [...times(5, 200), ...times(7, 508)]);

    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    await Promise.all(times(8, '').map(() => keptAlive(agent)));
    assert.equal(Object.values(agent.freeSockets).flat().length > 0, true);
    const answers = await stage.atOnce(times(5, { host: 'a.example' }));
    assert.deepEqual(statuses(answers), { 200: 5 });
    agent.destroy();
  });

  const curl = spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout ?? '';
  const skip = /HTTP3/.test(curl) ? false : 'curl has no HTTP/3';
  test('web entries counts each stream of an HTTP/3 connection', { skip }, async () => {
    const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', at('key.pem'), '-out', at('cert.pem')];
    await stage.prepare((port) => {
      const made = spawnSync('openssl', ['req', '-x509', '-subj', '/CN=a.example', ...key]);
      assert.equal(made.status, 0, String(made.stderr));
      const more = `listen 127.0.0.1:${port} quic;
  ssl_certificate ${at('cert.pem')}; ssl_certificate_key ${at('key.pem')};`;
      return vhost('a.example', port, stage.root('a', uids.owner), at('owner.sock'), more);
    });
    stage.start30();
    await stage.served(['a.example']);
    await enabled();
    const words = ['-sk', '--http3-only', '--parallel', '--parallel-max', '12'];
    const name = ['--resolve', `a.example:${stage.port}:127.0.0.1`];
    const urls = times(12, '').flatMap((_, index) => [
      '-o',
      '/dev/null',
      '-w',
      '%{stderr}%{http_version} %{http_code}\n',
      `https://a.example:${stage.port}/index.php?${index}`,
    ]);
    const attempt = async () => {
      stage.shut();
      const client = spawn('curl', [...words, ...name, ...urls]);
      let text = '';
      client.stderr.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      const answered = () => text.split('\n').filter((each) => each !== '');
      await eventually('each runs or is refused', () => answered().length + stage.running() >= 12);
      const running = stage.running();
      stage.letGo();
      await eventually('all are answered', () => client.exitCode !== null);
      return { running, answered: answered().toSorted() };
    };
    // A busy machine can make curl drop a connection; nginx is not to blame.
    const { running, answered } = await eventually('no connection was given up', async () => {
      const all = await attempt();
      return !all.answered.some((each) => !each.startsWith('3 ')) && all;
    });
    assert.equal(running, 5);
    assert.deepEqual(answered, [...times(5, '3 200'), ...times(7, '3 508')]);
  });

  function keptAlive(agent: Agent): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = { host: 'a.example' };
      const options = { host: '127.0.0.1', port: stage.port, path: '/file.css', agent, headers };
      request(options, (response) => response.resume().on('end', resolve))
        .on('error', reject)
        .end();
    });
  }

  test('web entries page is sent for every method, despite rewrites and passwords', async () => {
    // The rewrite would lead the page itself to a script that nothing counts.
    const more = `include ${at('bulkhead/site-log.conf')};
  access_log ${at('a.log')};
  rewrite ^/old$ /index.php last;
  auth_basic off;
  add_header X-Own yes;`;
    await threeSites(more);
    // The vhost includes what enable is about to write.
    stage.write('bulkhead/site-log.conf', '');
    await started();
    writeFileSync(at('bulkhead/site-log.conf'), mark);
    await enabled();
    for (const [method, path] of [
      ['GET', '/old'],
      ['POST', '/'],
      ['GET', '/x.css'],
    ] as const) {
      const { status, headers, text } = await oneRefused('a.example', method, path);
      assert.equal(status, 508);
      assert.match(text, /limit is for all sites of the same owner together/);
      assert.equal(headers['content-type'], 'text/html; charset=utf-8');
      assert.equal(headers['retry-after'], '10');
      assert.equal(headers['x-limit'], 'entries 5/5');
      assert.equal(headers['cache-control'], 'no-store');
    }
    assert.match(readFileSync(at('a.log'), 'utf8'), /"POST \/ HTTP\/1\.1" 508/);
  });

  test('web entries frees the slot of an incomplete request when it times out', async () => {
    await threeSites('', 'client_body_timeout 1s;');
    await started();
    await enabled();
    const slow: Socket[] = [];
    for (let index = 0; index < 5; index++) {
      const socket = connect(stage.port, '127.0.0.1');
      socket.on('error', () => {});
      const head = 'POST /index.php HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100\r\n\r\nx';
      socket.write(head);
      slow.push(socket);
    }
    const status = async () => (await stage.ask1({ host: 'a.example' })).status;
    await eventually('the slots are held', async () => (await status()) === 508);
    await eventually('the slots are given back', async () => (await status()) === 200);
    for (const socket of slow) socket.destroy();
  });

  test('web entries frees the slot of a client that stops reading when it times out', async () => {
    await threeSites('', 'send_timeout 1s;');
    writeFileSync(at('a/index.php'), '<?php echo str_repeat("x", 40000000);');
    await started();
    await enabled();
    const slow = times(5, 0).map(() => {
      const socket = connect(stage.port, '127.0.0.1').on('error', () => {});
      socket.write('GET /index.php HTTP/1.1\r\nHost: a.example\r\n\r\n');
      return socket.pause();
    });
    const status = async () => (await stage.ask1({ host: 'b.example' })).status;
    await eventually('the slots are held', async () => (await status()) === 508);
    await eventually('the slots are given back', async () => (await status()) === 200);
    for (const socket of slow) socket.destroy();
  });

  test('web entries keeps the slots of a killed nginx worker until nginx restarts', async () => {
    await threeSites();
    await started();
    await enabled();
    stage.shut();
    const lost = times(5, { host: 'a.example' }).map((each) => stage.ask1(each));
    await eventually('five run', () => stage.running() === 5);
    const master = readFileSync(at('nginx.pid'), 'utf8').trim();
    const workers = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim();
    for (const pid of workers.split(' ')) process.kill(Number(pid), 'SIGKILL');
    await Promise.all(lost);
    stage.letGo();
    const status = async (host: string) => (await stage.ask1({ host })).status;
    await eventually('there is another worker', async () => (await status('n.example')) === 200);
    assert.equal(await status('a.example'), 508);
  });

  test("web entries enable writes next to a panel's vhost, and follows no link of the tenant", async () => {
    const home = '/home/bulkhead-entries-test';
    rmSync(home, { recursive: true, force: true });
    try {
      const conf = `${home}/conf/web/a.example`;
      mkdirSync(conf, { recursive: true });
      chownSync(home, uids.owner, uids.owner);
      await stage.prepare((port) => {
        const more = `access_log ${at('a.log')};\n  include ${conf}/nginx.conf_*;`;
        const text = vhost('a.example', port, stage.root('a', uids.owner), at('owner.sock'), more);
        writeFileSync(`${conf}/nginx.conf`, text);
        symlinkSync(`${conf}/nginx.conf`, at('hestia.conf'));
        return `include ${at('hestia.conf')};`;
      });
      stage.start30();
      await eventually('it is served', async () => {
        return (await stage.ask1({ host: 'a.example' })).status === 200;
      });
      await enabled();
      const refused = await oneRefused('a.example');
      assert.match(refused.text, /limit is for all sites of the same owner together/);
      const again = await stage.plan(five);
      assert.deepEqual(again.ok && again.value.changes, []);
      assert.match(readFileSync(`${conf}/nginx.conf_bulkhead`, 'utf8'), /site-log\.conf;\n$/);
      assert.deepEqual(await stage.disable(), { ok: true, value: 'reloaded' });
      assert.deepEqual(readdirSync(conf), ['nginx.conf']);
      assert.equal(existsSync(at('bulkhead')), false);

      // The owner of the home can replace anything in it.
      renameSync(`${home}/conf`, `${home}/conf.real`);
      symlinkSync(`${home}/conf.real`, `${home}/conf`);
      const linked = await stage.enable(five);
      assert.ok(linked.ok, linked.ok ? '' : formatProblem(linked.error));
      assert.deepEqual(readdirSync(`${home}/conf.real/web/a.example`), ['nginx.conf']);
      rmSync(`${home}/conf`);
      mkdirSync(`${home}/conf/web/a.example`, { recursive: true });
      writeFileSync(
        `${home}/conf/web/a.example/nginx.conf`,
        readFileSync(`${home}/conf.real/web/a.example/nginx.conf`),
      );
      chownSync(`${home}/conf/web/a.example`, uids.owner, uids.owner);
      const theirs = await stage.enable(five);
      assert.match(theirs.ok ? '' : formatProblem(theirs.error), /belongs to uid 64420/);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  test('web entries enforces vhosts with any server name, however odd', async () => {
    const odd = [
      '"semi;colon.example"',
      `'quo"te.example'`,
      '"a b}{.example"',
      '"dollar$host.example"',
      'back\\\\slash.example',
      'käse.example',
      '*.wild.example',
      '.dotted.example',
      '"~^re(?<x>[a-z]{2,3})\\.example$"',
      '"UPPER.example"',
      `${'long.'.repeat(60)}example`,
      '$hostname',
      '""',
      'default',
      'volatile',
      'include',
      'hostnames',
    ];
    const sites = odd.map((name) => vhost(name, 1, at('a'), at('owner.sock'))).join('\n');
    await threeSites('', 'server_names_hash_bucket_size 1024;', sites);
    const text = readFileSync(at('sites/all.conf'), 'utf8');
    writeFileSync(at('sites/all.conf'), text.replaceAll(':1;', `:${stage.port};`));
    await started();
    await enabled();
    const planned = await stage.plan(five);
    assert.equal(planned.ok && planned.value.enforcement.enforced.length, odd.length + 2);
    for (const host of [
      'semi;colon.example',
      'quo"te.example',
      'x.wild.example',
      'www.dotted.example',
      'reab.example',
      'upper.example',
      `${'long.'.repeat(60)}example`,
      'default',
    ]) {
      const answers = await stage.atOnce(times(7, { host }));
      assert.deepEqual(statuses(answers), { 200: 5, 508: 2 }, host);
    }
  });

  test('web entries status reports vhosts that override the limit or share a name as not enforced', async () => {
    const limits = 'limit_conn_zone $binary_remote_addr zone=their:64k;';
    await stage.prepare((port) => {
      const root = stage.root('a', uids.owner);
      const theirs = stage.root('n', uids.other);
      return [
        vhost('own.example', port, root, at('owner.sock'), 'limit_conn their 50;'),
        vhost('twice.example', port, root, at('owner.sock')),
        vhost('twice.example', port + 1, theirs, at('other.sock')),
        vhost('fine.example', port, root, at('owner.sock'), 'access_log off;'),
      ].join('\n');
    }, limits);
    const planned = await stage.plan(new Map([...five, [uids.other, 2]]));
    assert.ok(planned.ok);
    const { enforced, sites } = planned.value.enforcement;
    assert.deepEqual(
      enforced.map(({ name }) => name),
      ['fine.example'],
    );
    const reasons = sites.flatMap(({ site, reason }) =>
      reason === undefined ? [] : [`${site.names[0]}: ${reason}`],
    );
    assert.match(reasons[0] ?? '', /own\.example: its own limit_conn at .*all\.conf:5/);
    assert.match(reasons[1] ?? '', /twice\.example: the vhost at .* has the same first name/);
    assert.equal(reasons.length, 3);
  });

  test('web entries counts front controllers next to another limit_conn of the http level', async () => {
    await threeSites(
      '',
      'limit_conn_zone $binary_remote_addr zone=their:64k; limit_conn their 60;',
    );
    await started();
    await enabled();
    const answers = await stage.atOnce(times(12, { host: 'a.example', path: '/shop' }));
    assert.deepEqual(statuses(answers), { 200: 5, 508: 7 });
  });

  test('web entries enable reports a broken file and changes nothing; disable restores all files', async () => {
    await threeSites();
    await started();
    stage.write('sites/broken.conf', '\nserver { nonsense 1; }\n');
    const refused = await stage.enable(five);
    assert.ok(!refused.ok);
    assert.match(formatProblem(refused.error), /broken\.conf:2: unknown directive "nonsense"/);
    assert.equal(existsSync(at('conf.d/bulkhead.conf')), false);
    assert.equal(existsSync(at('bulkhead')), false);

    writeFileSync(at('sites/broken.conf'), '');
    const before = readdirSync(stage.directory).toSorted();
    await enabled();
    assert.deepEqual(await stage.enable(five), { ok: true, value: 'unchanged' });
    const disabled = await stage.disable();
    assert.deepEqual(disabled, { ok: true, value: 'reloaded' });
    assert.deepEqual(readdirSync(stage.directory).toSorted(), before);
    assert.deepEqual(readdirSync(at('conf.d')), []);
    const answers = await stage.atOnce(times(12, { host: 'a.example' }));
    assert.deepEqual(statuses(answers), { 200: 12 });
  });

  test('web entries enable --edit-vhosts edits only files that no one but root can change', async () => {
    await threeSites('error_page 404 /nowhere; access_log off;');
    mkdirSync(at('available'));
    renameSync(at('sites/all.conf'), at('available/all.conf'));
    symlinkSync(at('available/all.conf'), at('sites/all.conf'));
    chmodSync(at('available/all.conf'), 0o640);
    const own = 'server {\r\n listen 127.0.0.1:1;\r\n server_name once.example;\r\n}\r\n';
    writeFileSync(
      at('available/all.conf'),
      `${readFileSync(at('available/all.conf'), 'utf8')}${own}`,
    );
    await started();
    const before = readFileSync(at('available/all.conf'), 'utf8');

    const planned = await stage.plan(five, false, true);
    assert.ok(planned.ok);
    const edit = planned.value.changes.find(({ path }) => path === at('available/all.conf'));
    assert.equal(edit?.before, before);
    assert.deepEqual(await applyNginx(planned.value, stage.run), { ok: true, value: 'reloaded' });
    assert.equal(statSync(at('available/all.conf')).mode & 0o777, 0o640);
    assert.ok(lstatSync(at('sites/all.conf')).isSymbolicLink());
    const after = readFileSync(at('available/all.conf'), 'utf8');
    assert.equal(after.match(/^ *include \S+\/bulkhead\/site\S*\.conf;$/gm)?.length, 2);
    const again = await stage.plan(five, false, true);
    assert.deepEqual(again.ok && again.value.changes, []);
    const refused = (await stage.atOnce(times(12, { host: 'a.example' }))).find(
      ({ status }) => status === 508,
    );
    assert.match(refused?.text ?? '', /<!doctype html>/i);

    assert.deepEqual(await stage.disable(), { ok: true, value: 'reloaded' });
    assert.equal(readFileSync(at('available/all.conf'), 'utf8'), before);
    assert.equal(existsSync(at('bulkhead')), false);

    chmodSync(at('available'), 0o777);
    const unsafe = await stage.plan(five, false, true);
    assert.ok(unsafe.ok);
    assert.ok(unsafe.value.changes.every(({ path }) => path !== at('available/all.conf')));
  });

  test('web entries enable restores the previous files when nginx refuses the new ones', async () => {
    await threeSites();
    await started();
    await enabled();
    const file = readFileSync(at('conf.d/bulkhead.conf'), 'utf8');
    // A file of somebody else with a variable of ours: nginx refuses the two together.
    stage.write('conf.d/theirs.conf', 'limit_conn_zone $uri zone=bulkhead_7:64k;');
    const refused = await stage.enable(new Map([[uids.owner, 7]]));
    assert.ok(!refused.ok);
    assert.match(formatProblem(refused.error), /bulkhead_7.*everything is as before/);
    assert.equal(readFileSync(at('conf.d/bulkhead.conf'), 'utf8'), file);
    assert.deepEqual(statuses(await stage.atOnce(times(6, { host: 'a.example' }))), {
      200: 5,
      508: 1,
    });
  });

  test("web entries enable refuses to overwrite another's file, or to write where nginx does not read", async () => {
    await threeSites();
    const theirs = stage.write('conf.d/bulkhead.conf', '# mine\n');
    const refused = await stage.enable(five);
    assert.match(refused.ok ? '' : formatProblem(refused.error), /not Bulkhead's is there/);
    assert.equal(readFileSync(theirs, 'utf8'), '# mine\n');

    await stage.clear();
    await threeSites();
    writeFileSync(
      at('nginx.conf'),
      readFileSync(at('nginx.conf'), 'utf8').replace(/include .*conf\.d.*\n/, ''),
    );
    const unread = await stage.enable(five);
    assert.match(unread.ok ? '' : formatProblem(unread.error), /does not include .*conf\.d/);
    assert.deepEqual(readdirSync(at('conf.d')), []);
  });
}
