/** Parts of the agent by themselves. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { InFlight } from '../../src/agent/api/in-flight.ts';
import { PeerConnections } from '../../src/agent/api/server/peers.ts';
import type { HttpResult } from '../../src/agent/api/http-result.ts';
import { errorBody, problemIn } from '../../src/agent/api/error-body.ts';
import { Ticker } from '../../src/agent/ticker.ts';
import { followFiles } from '../../src/sys/files/follow-files.ts';
import { serviceNotifier } from '../../src/sys/sockets/systemd-notify.ts';
import { eventually } from '../../testing/patience.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { readSecret } from '../../src/sys/files/secret-file.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const directory = suiteDirectory('parts');

describe('readSecret()', () => {
  const path = join(directory, 'token');
  const error = () => {
    const read = readSecret(path);
    return read.ok ? 'none' : formatProblem(read.error);
  };

  test('returns a secret that only root can read', () => {
    writeFileSync(path, 'a-secret-of-some-length\n', { mode: 0o600 });
    assert.deepEqual(readSecret(path), { ok: true, value: 'a-secret-of-some-length' });
  });

  test('refuses a secret that others can read, that is short, missing or a link', () => {
    chmodSync(path, 0o644);
    assert.match(error(), /others can read it; chmod 600 it/);
    rmSync(path);
    assert.match(error(), /does not exist; make one: /);
    writeFileSync(path, 'short', { mode: 0o600 });
    assert.match(error(), /shorter than 16 characters/);
    rmSync(path);
    symlinkSync('/etc/shadow', path);
    assert.match(error(), /symbolic link/);
  });
});

test('problemIn() returns the problem that errorBody() wrote, and nothing else', () => {
  const problem = { action: 'show tenant', object: 'bob\u001b', reason: 'there is none' };
  const error = { ...problem, status: 404 as const, retryAfterSeconds: 3 };
  const body = errorBody(error);
  const message = 'Cannot show tenant "bob\\u{1b}": there is none';
  assert.deepEqual(body, { error: message, ...problem });
  assert.deepEqual(problemIn(JSON.parse(JSON.stringify(body))), problem);
  for (const other of [undefined, null, 'text', {}, { error: message }, { action: 1, reason: 2 }]) {
    assert.equal(problemIn(other), undefined);
  }
});

describe('InFlight', () => {
  const leave = (turn: HttpResult<Disposable>) => {
    assert.ok(turn.ok);
    turn.value[Symbol.dispose]();
  };

  test('enter() admits two requests of a tenant, queues 16, and never limits root', async () => {
    const inFlight = new InFlight();
    const caller = { kind: 'uid', uid: 1001 } as const;
    const turns = [await inFlight.enter(caller), await inFlight.enter(caller)];
    const waiting = Array.from({ length: 16 }, () => inFlight.enter(caller));
    const refused = await inFlight.enter(caller);
    assert.ok(!refused.ok);
    assert.equal(refused.error.status, 429);
    assert.match(refused.error.reason, /are waiting/);
    for (let index = 0; index < 100; index++) leave(await inFlight.enter({ kind: 'uid', uid: 0 }));
    leave(await inFlight.enter({ kind: 'uid', uid: 1002 }));
    // A slot that is given up early is given up once.
    for (const turn of [...turns, ...turns]) leave(turn);
    for (const each of waiting) leave(await each);
    leave(await inFlight.enter(caller));
  });
});

test('InFlight.enter() admits 128 requests of all tenants, then in turn, and never makes root wait', async () => {
  const inFlight = new InFlight();
  const ask = (uid: number) => inFlight.enter({ kind: 'uid', uid });
  const turns: Disposable[] = [];
  for (let uid = 1; uid <= 64; uid++)
    for (const turn of [await ask(uid), await ask(uid)]) if (turn.ok) turns.push(turn.value);
  assert.equal(turns.length, 128);
  const order: number[] = [];
  const waiting = [65, 65, 65, 66].map(async (uid) => {
    const turn = await ask(uid);
    order.push(uid);
    if (turn.ok) turn.value[Symbol.dispose]();
  });
  assert.ok((await ask(0)).ok);
  assert.deepEqual(order, []);
  turns[0]?.[Symbol.dispose]();
  await Promise.all(waiting);
  assert.deepEqual(order, [65, 65, 66, 65], 'the third waits for its own uid, not before others');
});

test('InFlight.enter() lets a jail ask once, then pauses, and delays nobody outside', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const inFlight = new InFlight();
  const jailed = { kind: 'jailed', uid: 1001 } as const;
  const first = await inFlight.enter(jailed);
  let entered = 0;
  const next = inFlight.enter(jailed).then((turn) => {
    entered++;
    return turn;
  });
  for (const caller of [
    { kind: 'uid', uid: 1001 },
    { kind: 'jailed', uid: 1002 },
    { kind: 'uid', uid: 0 },
  ] as const) {
    const turn = await inFlight.enter(caller);
    assert.ok(turn.ok);
    turn.value[Symbol.dispose]();
  }
  assert.ok(first.ok);
  first.value[Symbol.dispose]();
  first.value[Symbol.dispose]();
  t.mock.timers.tick(99);
  await Promise.resolve();
  assert.equal(entered, 0);
  t.mock.timers.tick(1);
  assert.ok((await next).ok);
});

describe('PeerConnections', () => {
  /** Opens connections, and counts those that each uid still has. */
  class Opened {
    now = 0;
    readonly #connections = new PeerConnections(() => this.now);
    readonly #open = new Map<object, { readonly kind: string; readonly uid: number }>();

    open(kind: 'uid' | 'jailed', uid: number, tries = 1): number {
      const turns = Array.from({ length: tries }, () => {
        const key = {};
        const turn = this.#connections.enter(kind, uid, () => this.#open.delete(key));
        if (turn !== undefined) this.#open.set(key, { kind, uid });
        return turn;
      });
      return turns.filter((turn) => turn !== undefined).length;
    }

    count(kind: 'uid' | 'jailed', uid?: number): number {
      const all = [...this.#open.values()].filter((each) => each.kind === kind);
      return all.filter((each) => uid === undefined || each.uid === uid).length;
    }
  }

  test('enter() bounds each uid, and gives root none in jails', () => {
    const opened = new Opened();
    assert.equal(opened.open('jailed', 0), 0);
    assert.equal(opened.open('jailed', 1001, 20), 8);
    assert.equal(opened.open('uid', 1001, 20), 8, 'the rest of its 16');
  });

  test('enter() lets 24 uids fill the connections of jails, and still another one in', () => {
    const opened = new Opened();
    for (let uid = 1001; uid <= 1024; uid++) assert.equal(opened.open('jailed', uid, 20), 8);
    assert.equal(opened.count('jailed'), 192);
    assert.equal(opened.open('jailed', 2000, 7), 7, 'as many as the others have then');
    assert.equal(opened.open('jailed', 2000), 0, 'and no more than they have');
    assert.equal(opened.count('jailed'), 192);
    assert.equal(opened.open('uid', 2000), 1);
  });

  test('enter() drops the oldest for a newcomer after a second when each uid has one', () => {
    const opened = new Opened();
    for (let uid = 1001; uid <= 1192; uid++) assert.equal(opened.open('jailed', uid), 1);
    assert.equal(opened.open('jailed', 2000), 0);
    opened.now = 1000;
    assert.equal(opened.open('jailed', 2000), 1);
    assert.equal(opened.count('jailed', 1001), 0);
    assert.equal(opened.open('jailed', 2000), 0, 'its second');
    assert.equal(opened.count('jailed'), 192);
  });

  test('enter() keeps 128 connections for root, whatever all others have', () => {
    const opened = new Opened();
    for (let uid = 1001; uid < 1100; uid++) {
      opened.open('jailed', uid, 20);
      opened.open('uid', uid, 20);
    }
    assert.equal(opened.count('uid') + opened.count('jailed'), 384);
    assert.equal(opened.open('uid', 0, 1000), 128);
    assert.equal(opened.open('uid', 2000), 1, 'a tenant gets its connection all the same');
    assert.equal(opened.count('uid', 0), 128);
  });

  test('enter() counts no connection that was closed', () => {
    const connections = new PeerConnections();
    const enter = () => connections.enter('jailed', 1001, () => {});
    const turns = Array.from({ length: 8 }, enter);
    assert.equal(enter(), undefined);
    turns[0]?.[Symbol.dispose]();
    turns[0]?.[Symbol.dispose]();
    assert.notEqual(enter(), undefined);
    assert.equal(enter(), undefined);
  });
});

test('Ticker ticks at its interval, also after setInterval()', async () => {
  let ticks = 0;
  using ticker = new Ticker(() => ticks++);
  ticker.start(3_600_000);
  assert.equal(ticks, 1);
  ticker.setInterval(10);
  await eventually('five ticks', () => ticks > 5);
});

test('followFiles() calls back when a file was written, replaced or removed', async () => {
  const path = join(directory, 'followed');
  let changes = 0;
  using _follower = followFiles([path], () => changes++);
  writeFileSync(path, 'one');
  await eventually('it is written', () => changes === 1);
  writeFileSync(path, 'two two');
  await eventually('it is written again', () => changes === 2);
  writeFileSync(join(directory, 'another'), 'x');
  rmSync(path);
  await eventually('it is removed', () => changes === 3);
});

test('serviceNotifier() notifies systemd, and hides its address from children', async () => {
  const path = join(directory, 'notify');
  // Node.js has no datagrams on paths, so another program listens.
  const listener = spawn(
    'perl',
    [
      '-MSocket',
      '-e',
      `socket(S,AF_UNIX,SOCK_DGRAM,0);bind(S,sockaddr_un($ARGV[0]));$|=1;print "ready\\n";recv(S,$m,999,0);print $m`,
      path,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  listener.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await eventually('somebody listens', () => said.includes('ready'));
  const environment = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '30000000' };
  using notifier = serviceNotifier(environment);
  assert.equal(notifier.watchdogMilliseconds, 30_000);
  assert.ok(!('NOTIFY_SOCKET' in environment));
  notifier.notify('READY=1', 'STATUS=3 tenants');
  await eventually('it is told', () => said.includes('READY=1\nSTATUS=3 tenants'));
  using none = serviceNotifier({});
  none.notify('READY=1');
});
