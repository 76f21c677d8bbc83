/** Many pages with live data: a customer has a bounded share of them, and everybody else keeps theirs. */
import assert from 'node:assert/strict';
import { request, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { eventually } from '../../testing/patience.ts';
import { ServedConsole } from './served.ts';
import { uids } from './stage.ts';

/** The most sessions of an account; a new one ends the oldest. */
const sessionsMax = 8;
const perSessionMax = 2;

/** A page that shows live data, as a process of some account opens it. */
class Stream implements Disposable {
  readonly response: IncomingMessage;
  text = '';

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    response.on('error', () => {});
  }

  static open({ socket: socketPath }: ServedConsole, token: string, uid = 0): Promise<Stream> {
    const headers = { host: 'localhost', authorization: `Bearer ${token}` };
    const path = '/v1/console/stream';
    process.seteuid?.(uid);
    try {
      return new Promise((resolve, reject) => {
        const sent = request({ socketPath, path, headers, agent: false });
        sent.once('response', (response) => resolve(new Stream(response)));
        sent.once('error', reject);
        sent.end();
      });
    } finally {
      process.seteuid?.(0);
    }
  }

  get isOpen(): boolean {
    return this.response.statusCode === 200;
  }

  got(at: number): Promise<true> {
    return eventually(`a frame of ${at}`, () => this.text.includes(`"at":${at},`));
  }

  [Symbol.dispose](): void {
    this.response.destroy();
  }
}

/** Opens a stream, and tries again while the place of one that has just ended is still taken. */
const openWhenFree = (served: ServedConsole, uid: number, token: string): Promise<Stream> =>
  eventually('there is room for a stream', async () => {
    const stream = await Stream.open(served, token, uid);
    if (stream.isOpen) return stream;
    stream[Symbol.dispose]();
    return undefined;
  });

test('T13: a customer who opens 200 streams gets a few, and others get theirs', async () => {
  await using served = await ServedConsole.start();
  const { stage } = served;
  stage.tick(1, {});
  const tokens: string[] = [];
  for (let login = 0; login < 10; login++) tokens.push((await stage.login(uids.bob)).token);
  const opened: Stream[] = [];
  for (let at = 0; at < 200; at++)
    opened.push(await Stream.open(served, tokens[at % tokens.length] ?? '', uids.bob));
  const granted = opened.filter(({ isOpen }) => isOpen);
  assert.equal(granted.length, sessionsMax * perSessionMax);
  using root = await Stream.open(served, (await stage.login(0)).token);
  using carol = await Stream.open(served, (await stage.login(uids.carol)).token, uids.carol);
  stage.tick(2, {});
  for (const each of [root, carol, ...granted]) await each.got(2);
  for (const each of opened) each[Symbol.dispose]();
});

test('50 dashboards of many customers get each tick, and give their places back', async () => {
  await using served = await ServedConsole.start();
  const { stage } = served;
  const customers = Array.from({ length: 25 }, (_, at) => 6001 + at);
  const accounts = customers.map((uid) => [`c${uid}`, uid] as const);
  stage.haveAccounts({ root: 0, ...Object.fromEntries(accounts) });
  stage.adopt(accounts.map(([name]) => `<tenant user="${name}"/>`).join(''));
  const usage = (cpu: number) => Object.fromEntries(customers.map((uid) => [uid, cpu]));
  stage.tick(1, usage(0.25));
  const tokens = new Map<number, string>();
  for (const uid of customers) tokens.set(uid, (await stage.login(uid)).token);
  for (const tick of [2, 4]) {
    const dashboards: (readonly [uid: number, stream: Stream])[] = [];
    for (const [uid, token] of [...tokens, ...tokens])
      dashboards.push([uid, await openWhenFree(served, uid, token)]);
    stage.tick(tick, usage(tick));
    for (const [uid, stream] of dashboards) {
      await stream.got(tick);
      assert.deepEqual([...new Set(stream.text.match(/"u\d+"/g))], [`"u${uid}"`]);
      stream[Symbol.dispose]();
    }
  }
});
