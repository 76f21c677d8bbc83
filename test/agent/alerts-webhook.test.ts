/** Alerts by webhook, and receivers that fail or hang. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { Member } from '../../src/usage/member.ts';
import { eventually } from '../../testing/patience.ts';
import { considered, hook, mailServer, make, noon, ruleOf, secret, whoOf } from './alerts-stage.ts';

/** Starts a server that treats each connection as it is told. */
async function rawServer(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dispose = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { smtp: { host: '127.0.0.1', port }, sockets, [Symbol.asyncDispose]: dispose };
}

describe('Alerts by webhook', () => {
  test('sends JSON without command lines, also to the administrator', async () => {
    await using receiver = await hook();
    const rule = ruleOf({ by: 'webhook', address: receiver.url });
    const who = (member: Member) => whoOf(member, { reseller: 'acme', package: 'basic' });
    await using made = make([rule], {}, { who });
    made.alerts.consider(noon, [considered()]);
    await eventually('the ledger', () => made.ledger.sent.size === 1);
    const [body] = receiver.bodies as [{ alerts: Record<string, unknown>[] }];
    assert.equal(receiver.headers[0]?.['content-type'], 'application/json');
    assert.partialDeepStrictEqual(body, { version: 1, kind: 'alert', omitted: 0, notices: [] });
    assert.partialDeepStrictEqual(body.alerts, [
      {
        id: 1,
        name: 't1001',
        uid: 1001,
        kind: 'tenant',
        reseller: 'acme',
        package: 'basic',
        limit: 'cpu.limit',
        value: '100%',
        severity: 'throttled',
        inferred: false,
        begin: noon - 60_000,
        end: noon,
        faults: 5,
      },
    ]);
    const explanation = body.alerts[0]?.['explanation'];
    assert.ok(Array.isArray(explanation) && explanation.length >= 3);
    assert.ok(!JSON.stringify(body).includes(secret));
  });

  test('retries after 503 and 429, and not after 403', async () => {
    await using receiver = await hook();
    receiver.statuses = [503, 429, 204];
    await using made = make([ruleOf({ by: 'webhook', address: receiver.url })]);
    made.alerts.consider(noon, [considered()]);
    await eventually('the third attempt', () => made.ledger.sent.size === 1);
    assert.ok(![...made.ledger.sent.keys()].some((key) => key.includes('127.0.0.1')));
    assert.equal(receiver.bodies.length, 3);
    assert.equal(new Set(receiver.bodies.map((each) => each['id'])).size, 1);
    receiver.statuses = [403];
    made.alerts.consider(noon, [considered({ member: 'u1002' })]);
    await eventually('the end', () =>
      made.log.some((line) => /the response is 403; given up after 1 attempt/.test(line)),
    );
    assert.equal(receiver.bodies.length, 4);
  });

  test('does not follow a redirect', async () => {
    await using receiver = await hook();
    receiver.statuses = [307];
    await using made = make([ruleOf({ by: 'webhook', address: receiver.url })]);
    const [result] = await made.alerts.test();
    assert.match(result?.problem ?? '', /redirect \(307\), which is not followed/);
    assert.equal(receiver.bodies.length, 1);
  });

  test('needs only the status of the response, and fails when it is late', async () => {
    const server = createHttpServer((request, response) => {
      if (request.url === '/silent') return;
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.on('close', () => clearInterval(timer));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const rules = ['endless', 'silent'].map((path) =>
      ruleOf({ by: 'webhook', address: `http://127.0.0.1:${port}/${path}` }),
    );
    await using made = make(rules, {}, { timing: { sendMilliseconds: 5000 } });
    const results = await made.alerts.test();
    assert.equal(results[0]?.ok, true);
    assert.match(results[1]?.problem ?? '', /no response in time|took too long/);
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  test('keeps a body of 500 alerts within 256 KiB', async () => {
    await using receiver = await hook();
    await using made = make(
      [ruleOf({ by: 'webhook', address: receiver.url })],
      {},
      {
        who: (member) => whoOf(member, { name: 'ü'.repeat(200), package: 'p'.repeat(64) }),
      },
    );
    const many = Array.from({ length: 500 }, (_, index) =>
      considered({ member: `u${2000 + index}` }),
    );
    made.alerts.consider(noon, many);
    await eventually('the ledger', () => made.ledger.sent.size === 500);
    const [body] = receiver.bodies as [{ alerts: unknown[]; omitted: number }];
    assert.equal(body.alerts.length + body.omitted, 500);
    assert.ok(Buffer.byteLength(JSON.stringify(body)) <= 256 * 1024);
  });
});

describe('Alerts with a failing receiver', () => {
  test('gives up after three attempts when down, and does not retry at each tick', async () => {
    await using closed = await mailServer();
    await closed[Symbol.asyncDispose]();
    await using made = make([ruleOf()], { smtp: closed.smtp });
    made.alerts.consider(noon, [considered()]);
    await eventually('giving up', () =>
      made.log.some((line) => line.includes('given up after 3 attempts')),
    );
    assert.equal(made.log.length, 2, made.log.join('\n'));
    assert.equal(made.ledger.sent.size, 0);
    made.alerts.consider(Date.now(), [considered()]);
    // Closing sends what is still to be sent, or says that it was not.
    await made.alerts[Symbol.asyncDispose]();
    assert.equal(made.log.length, 2, made.log.join('\n'));
  });

  test('sends again after a temporary refusal, and not after a permanent one', async () => {
    await using server = await mailServer();
    Object.assign(server.refuse, { code: 451, times: 1 });
    await using made = make([ruleOf()], { smtp: server.smtp });
    made.alerts.consider(noon, [considered()]);
    await eventually('the second attempt', () => made.ledger.sent.size === 1);
    Object.assign(server.refuse, { code: 554, times: 1 });
    made.alerts.consider(noon, [considered({ member: 'u1002' })]);
    await eventually('the end', () =>
      made.log.some((line) => line.includes('given up after 1 attempt')),
    );
    assert.equal(server.mails.length, 1);
  });

  const bad: readonly (readonly [string, (socket: Socket) => void])[] = [
    ['never answers', () => undefined],
    ['answers garbage', (socket) => socket.write('\u001b[2J\u0000\u00ff'.repeat(1000))],
    ['answers garbage by lines', (socket) => socket.write('\u001b[31mno\r\n'.repeat(1000))],
    ['hangs up', (socket) => socket.destroy()],
    [
      'answers a byte a moment',
      (socket) => {
        const timer = setInterval(() => socket.write('2'), 20);
        socket.on('close', () => clearInterval(timer));
      },
    ],
  ];
  for (const [what, behave] of bad) {
    test(`does not block when it ${what}`, async () => {
      await using server = await rawServer(behave);
      await using made = make(
        [ruleOf()],
        { smtp: server.smtp },
        { timing: { sendMilliseconds: 400 } },
      );
      made.alerts.consider(noon, [considered()]);
      assert.deepEqual(made.log, [], 'considering waited for the receiver');
      await eventually('giving up', () => made.log.some((line) => line.includes('given up')));
      assert.match(made.log.join(''), /^[\u0020-\u007e…]*$/u);
      const [result] = await made.alerts.test();
      assert.equal(result?.ok, false);
      assert.match(result?.problem ?? '', /^[\u0020-\u007e…]*$/u);
    });
  }

  test('stops in time when it never answers', async () => {
    await using server = await rawServer(() => undefined);
    const made = make(
      [ruleOf()],
      { smtp: server.smtp },
      { timing: { gatherMilliseconds: 1, closeMilliseconds: 500 } },
    );
    made.alerts.consider(noon, [considered()]);
    await eventually('the connection', () => server.sockets.size === 1);
    made.alerts.consider(noon, [considered({ member: 'u1002' })]);
    await made.alerts[Symbol.asyncDispose]();
    assert.match(made.log.join('\n'), /2 alerts were not sent: Bulkhead is stopping/);
    assert.equal(made.ledger.sent.size, 0);
    await eventually('the end of its connections', () =>
      [...server.sockets].every((each) => each.destroyed || each.readableEnded),
    );
  });
});
