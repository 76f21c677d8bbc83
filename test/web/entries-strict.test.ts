/**
 * The effect of `--strict` at a real nginx on programs whose visitors have disconnected, and what neither it nor nginx
 * can count.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { test } from 'node:test';
import { eventually } from '../../testing/patience.ts';
import { stagedSuite, statuses, times, vhost, type EntriesStage } from './entries-stage.ts';
import { uids } from './stage.ts';

const three = new Map([[uids.owner, 3]]);

await stagedSuite('strict entries', suite);

function suite(stage: EntriesStage): void {
  async function started(strict: boolean, more = ''): Promise<void> {
    const socket = stage.at('owner.sock');
    await stage.prepare((port) =>
      vhost('a.example', port, stage.root('a', uids.owner), socket, more),
    );
    stage.start30();
    await stage.served(['a.example']);
    await stage.enabled(three, strict);
    stage.shut();
  }

  const one = { host: 'a.example' };

  /** Lets visitors use all entries and then disconnect; their scripts go on. */
  async function leave(): Promise<void> {
    const all = times(3, '').map(() => {
      const socket = connect(stage.port, '127.0.0.1').on('error', () => {});
      socket.write('GET /index.php HTTP/1.1\r\nHost: a.example\r\n\r\n');
      return socket;
    });
    await eventually('three run', () => stage.running() === 3);
    for (const socket of all) socket.destroy();
  }

  test('web entries without --strict frees the slot of an aborted request while its script runs', async () => {
    await started(false);
    await leave();
    const again: Promise<unknown>[] = [];
    await eventually('more run than there are entries', () => {
      if (again.length < 60) again.push(stage.ask1(one));
      return stage.running() >= 6;
    });
    stage.letGo();
    await Promise.all(again);
  });

  test('web entries --strict keeps the slot of an aborted request until its script ends', async () => {
    await started(true);
    await leave();
    const refused = await Promise.all(times(20, one).map((each) => stage.ask1(each)));
    assert.deepEqual(statuses(refused), { 508: 20 });
    assert.equal(stage.running(), 3);
    stage.letGo();
    await eventually('they are given back', async () => (await stage.ask1(one)).status === 200);
    assert.deepEqual(statuses(await stage.atOnce(times(5, one))), { 200: 3, 508: 2 });
  });

  test('web entries --strict keeps the slot of a reset HTTP/2 stream', async () => {
    await started(true, 'http2 on;');
    const session = connectHttp2(`http://127.0.0.1:${stage.port}`).on('error', () => {});
    const streams = times(3, '').map((_, index) =>
      session.request({ ':path': `/${index}`, ':authority': 'a.example' }).on('error', () => {}),
    );
    await eventually('three run', () => stage.running() === 3);
    for (const stream of streams) stream.close(8);
    const status = () =>
      new Promise<number>((resolve) => {
        const stream = session.request({ ':path': '/x', ':authority': 'a.example' });
        stream.on('response', (headers) => resolve(Number(headers[':status']))).resume();
      });
    for (let count = 0; count < 10; count++) assert.equal(await status(), 508);
    assert.equal(stage.running(), 3);
    session.destroy();
    assert.equal((await stage.ask1(one)).status, 508, 'nor when the whole connection has gone');
  });

  /** Opens streams on two connections, forty at a time, and resets each within a few milliseconds. */
  async function resetMany(count: number): Promise<void> {
    const open = () => connectHttp2(`http://127.0.0.1:${stage.port}`).on('error', () => {});
    const sessions = [open(), open()];
    const reset = (index: number) =>
      new Promise((resolve) => {
        const headers = { ':path': `/${index}`, ':authority': 'a.example' };
        const stream = sessions[index % 2]!.request(headers).on('error', () => {});
        // Nobody waits for the end of a reset stream: nginx may keep its connection for a minute.
        const leave = () => {
          stream.close(8);
          resolve(undefined);
        };
        stream.on('ready', () => setTimeout(leave, index % 8));
        stream.on('close', resolve).resume();
      });
    for (let done = 0; done < count; done += 40)
      await Promise.all(times(40, '').map((_, index) => reset(done + index)));
    for (const session of sessions) session.destroy();
  }

  test('web entries without --strict lets reset HTTP/2 streams run more than the limit', async () => {
    await started(false, 'http2 on;');
    await eventually('more run', async () => {
      await resetMany(80);
      return stage.running() >= 6;
    });
    stage.letGo();
  });

  test('web entries --strict lets reset HTTP/2 streams run no more than the limit', async () => {
    await started(true, 'http2 on;');
    await resetMany(800);
    await eventually('three run', () => stage.running() === 3);
    assert.equal((await stage.ask1(one)).status, 508);
    assert.equal(stage.running(), 3);
    stage.letGo();
    await eventually('they are given back', async () => (await stage.ask1(one)).status === 200);
    assert.deepEqual(statuses(await stage.atOnce(times(5, one))), { 200: 3, 508: 2 });
  });

  test('web entries takes one slot for an X-Accel-Redirect to another script', async () => {
    await started(false);
    writeFileSync(stage.at('a/accel.php'), '<?php header("X-Accel-Redirect: /index.php");');
    const answers = await stage.atOnce(times(9, { ...one, path: '/accel.php' }));
    assert.deepEqual(statuses(answers), { 200: 3, 508: 6 });
  });

  test('web entries takes one slot for a page with SSI, whatever it includes', async () => {
    await started(true, 'ssi on;');
    const include = '<!--# include virtual="/index.php" -->';
    writeFileSync(stage.at('a/ssi.php'), `<?php echo '${include.repeat(8)}';`);
    const page = stage.ask1({ ...one, path: '/ssi.php' });
    await eventually('eight run of one request', () => stage.running() === 8);
    stage.letGo();
    assert.equal((await page).status, 200);
  });

  test('nginx refuses max_conns for sockets that vhosts name directly', async () => {
    await stage.prepare((port) =>
      vhost('a.example', port, stage.root('a', uids.owner), stage.at('owner.sock')),
    );
    // The only name that nginx would take for the socket's, which it then refuses.
    const socket = stage.at('owner.sock');
    const group = `upstream ${socket} { zone u 64k; server unix:${socket} max_conns=3; }`;
    stage.write('conf.d/group.conf', `${group}\n`);
    const tested = spawnSync('/usr/sbin/nginx', ['-t', '-c', stage.at('nginx.conf')], {
      encoding: 'utf8',
    });
    assert.notEqual(tested.status, 0);
    assert.match(tested.stderr, /owner\.sock" may not have port 0 in .*all\.conf/);
  });
}
