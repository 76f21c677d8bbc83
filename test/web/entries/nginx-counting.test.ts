/** A real nginx enforces tenants' entries: which requests count, which are refused, and when a slot is free again. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { mark } from '../../../src/web/core/entries/nginx-file.ts';
import { stagedSuite, statuses, times, vhost, type EntriesStage } from '../entries-stage.ts';
import { uids } from '../stage.ts';
import { five, nginxSites } from './nginx-stage.ts';

await stagedSuite('entries', suite);

function suite(stage: EntriesStage): void {
  const { at, threeSites, started, enabled, oneRefused } = nginxSites(stage);

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
}
