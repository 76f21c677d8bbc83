/** Attacks with a host's own credential on real servers. The administrator reads back what they did to others. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { signClaims } from '../../../src/fleet/io/server/jwt.ts';
import { keyOf } from '../../../src/fleet/io/server/accounts.ts';
import { connectWith } from '../../../src/fleet/io/nats/connect.ts';
import {
  docHintSubject,
  docRequest,
  docSubject,
  eventsSubject,
  hostMessageBytesMax,
  markRequest,
  markSubject,
  recordHintSubject,
  recordRequest,
  recordSubject,
  statusSubject,
  storeBytesMax,
  waitingEventsMax,
  type StreamName,
} from '../../../src/fleet/core/subjects.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { skipWithoutNats, startServers, type TestServers } from './servers.ts';

suite('a host that attacks', { skip: skipWithoutNats }, () => {
  let fleet: TestServers;
  let centre: NatsConnection;
  let manager: JetStreamManager;
  let attacker: NatsConnection;
  let victim: NatsConnection;

  before(async () => {
    fleet = await startServers(1);
    centre = await fleet.connect(fleet.centre);
    manager = await jetstreamManager(centre);
    attacker = await fleet.connect(fleet.host('mallory'));
    victim = await fleet.connect(fleet.host('web-1'));
    for (const host of ['mallory', 'web-1']) {
      await centre.request(docSubject(host), `document of ${host}`);
      await centre.request(markSubject(host), `mark of ${host}`);
    }
    await centre.request(recordSubject, 'record');
    await victim.request(statusSubject('web-1'), 'status of web-1');
    await victim.request(eventsSubject('web-1'), 'event of web-1');
  });
  after(() => fleet[Symbol.asyncDispose]());

  /** The last message of a subject, by the administrator. */
  const last = async (stream: StreamName, subject: string) =>
    (await manager.streams.getMessage(stream, { last_by_subj: subject }))?.string();
  const messages = async (stream: StreamName) =>
    (await manager.streams.info(stream)).state.messages;
  /** Waits until the server has seen, and the streams have stored, all that the attacker sent before. */
  async function settled() {
    await attacker.flush();
    for (const subject of [
      statusSubject('mallory'),
      eventsSubject('mallory'),
      docRequest('mallory'),
    ])
      await attacker.request(subject, '', { timeout: patienceMilliseconds });
    await centre.flush();
  }
  /** The answer to a request of the attacker, or undefined if it is refused. */
  const asked = (subject: string, payload = '') =>
    attacker.request(subject, payload, { timeout: 2000 }).then(
      (answer) => answer.string(),
      () => undefined,
    );

  test('what is its own works', async () => {
    assert.equal(await asked(docRequest('mallory')), 'document of mallory');
    assert.equal(await asked(markRequest('mallory')), 'mark of mallory');
    assert.equal(await asked(recordRequest), 'record');
    assert.match((await asked(eventsSubject('mallory'), 'event of mallory')) ?? '', /"EVENTS"/);
    assert.equal(await last('EVENTS', eventsSubject('mallory')), 'event of mallory');
  });

  for (const [name, subject, payload] of [
    ["another's document", docRequest('web-1'), ''],
    ["another's mark", markRequest('web-1'), ''],
    ['any document, by a wildcard', docRequest('*'), ''],
    ['any document, by a longer wildcard', docRequest('>'), ''],
    ['a document named in the request', '$JS.API.DIRECT.GET.DOCS', '{"last_by_subj":"doc.web-1"}'],
    ["another's status", '$JS.API.DIRECT.GET.STATUS.status.web-1', ''],
    ["another's events", '$JS.API.STREAM.MSG.GET.EVENTS', '{"last_by_subj":"events.web-1"}'],
  ] as const)
    test(`cannot read ${name}`, async () => {
      const answer = await asked(subject, payload);
      assert.doesNotMatch(answer ?? '', /web-1/);
    });

  test("reads its own document if it asks for another's in the request", async () => {
    const body = '{"last_by_subj":"doc.web-1","multi_last":["doc.*"],"seq":1}';
    assert.doesNotMatch((await asked(docRequest('mallory'), body)) ?? '', /of web-1/);
  });

  test('cannot hear others', async () => {
    const heard: string[] = [];
    const subjects = ['>', 'status.*', 'events.>', '_INBOX.>', '_INBOX.web-1.>', 'hint.>'];
    for (const subject of [...subjects, docHintSubject('web-1'), '$SYS.>', '$JS.>', 'doc.*'])
      attacker.subscribe(subject, {
        callback: (error, message) => void (error ?? heard.push(message.subject)),
      });
    await settled();
    await victim.request(statusSubject('web-1'), 'status of web-1');
    await centre.request(docSubject('web-1'), 'document of web-1');
    await victim.request(docRequest('web-1'));
    await settled();
    assert.deepEqual(heard, []);
  });

  for (const [stream, subject] of [
    ['STATUS', statusSubject('web-1')],
    ['EVENTS', eventsSubject('web-1')],
    ['DOCS', docSubject('web-1')],
    ['DOCS', docSubject('mallory')],
    ['MARKS', markSubject('mallory')],
    ['ROLLOUT', recordSubject],
  ] as const)
    test(`cannot write to ${subject}`, async () => {
      const before = await last(stream, subject);
      attacker.publish(subject, 'forged');
      await settled();
      assert.equal(await last(stream, subject), before);
    });

  test('reaches no function of the streams or the system', async () => {
    const before = await messages('EVENTS');
    for (const call of [
      '$JS.API.STREAM.PURGE.EVENTS',
      '$JS.API.STREAM.DELETE.EVENTS',
      '$JS.API.STREAM.INFO.EVENTS',
      '$JS.API.STREAM.NAMES',
      '$JS.API.STREAM.MSG.DELETE.EVENTS',
      '$JS.API.CONSUMER.CREATE.EVENTS.x',
      '$JS.API.ACCOUNT.PURGE.x',
      '$JS.API.INFO',
      '$SYS.REQ.SERVER.PING',
      '$SYS.REQ.CLAIMS.UPDATE',
    ])
      assert.equal(await asked(call), undefined, call);
    assert.equal(await messages('EVENTS'), before);
  });

  /** The server acknowledges to whatever subject a client names, without asking whether it may publish there. */
  for (const reply of [
    statusSubject('web-1'),
    eventsSubject('web-1'),
    docSubject('web-1'),
    markSubject('web-1'),
    recordSubject,
    '$JS.API.STREAM.PURGE.EVENTS',
    '$JS.API.STREAM.DELETE.EVENTS',
  ])
    test(`cannot have an answer sent to ${reply}`, async () => {
      const streams = ['STATUS', 'EVENTS', 'DOCS', 'MARKS', 'ROLLOUT'] as const;
      const state = async () =>
        JSON.stringify([
          await last('STATUS', statusSubject('web-1')),
          await last('EVENTS', eventsSubject('web-1')),
          await last('DOCS', docSubject('web-1')),
          await last('MARKS', markSubject('web-1')),
          await last('ROLLOUT', recordSubject),
          (await manager.streams.names().next()).length,
        ]);
      const before = await state();
      for (const subject of [
        statusSubject('mallory'),
        eventsSubject('mallory'),
        docRequest('mallory'),
        recordRequest,
      ])
        attacker.publish(subject, 'deputy', { reply });
      await settled();
      assert.equal(await state(), before);
      for (const stream of streams) assert.ok((await messages(stream)) > 0, stream);
    });

  test("cannot make another's event vanish by its message id", async () => {
    const id = headers();
    id.set('Nats-Msg-Id', 'web-1:77');
    await attacker.request(eventsSubject('mallory'), 'squat', {
      headers: id,
      timeout: patienceMilliseconds,
    });
    // Hosts send no ids: the event counts whatever ids others use.
    await victim.request(eventsSubject('web-1'), 'the real event 77');
    assert.equal(await last('EVENTS', eventsSubject('web-1')), 'the real event 77');
  });

  test('cannot roll up a stream', async () => {
    const before = await messages('STATUS');
    for (const value of ['all', 'sub']) {
      const rollup = headers();
      rollup.set('Nats-Rollup', value);
      attacker.publish(statusSubject('mallory'), 'all mine', { headers: rollup });
    }
    await settled();
    assert.ok((await messages('STATUS')) >= before);
    assert.equal(await last('STATUS', statusSubject('web-1')), 'status of web-1');
  });

  test('fills no more than its own part of the store', async () => {
    const large = new Uint8Array(hostMessageBytesMax - 512);
    const options = { timeout: patienceMilliseconds };
    const batch = 100;
    let refusals = 0;
    for (let sent = 0; sent < waitingEventsMax + batch; sent += batch) {
      const answers = await Promise.all(
        Array.from({ length: batch }, () =>
          attacker.request(eventsSubject('mallory'), large, options),
        ),
      );
      refusals += answers.filter((each) => 'error' in each.json<object>()).length;
    }
    assert.ok(refusals > 0);
    for (const [connection, subject] of [
      [victim, eventsSubject('web-1')],
      [victim, statusSubject('web-1')],
      [centre, recordSubject],
      [centre, docSubject('web-1')],
    ] as const) {
      const answer = await connection.request(subject, 'after the flood', options);
      assert.ok(!('error' in answer.json<object>()), subject);
    }
    // Many hosts together leave half of the store to the centre.
    let bytes = 0;
    for (const stream of ['EVENTS', 'STATUS'] as const)
      bytes += (await manager.streams.info(stream)).config.max_bytes;
    assert.ok(bytes > 0 && bytes < 0.6 * storeBytesMax);
  });

  test('is cut off for a message that is too large, and nothing else is', async () => {
    const own = await fleet.connect(fleet.host('greedy'), { reconnect: false });
    // The client itself keeps to the limit that the server tells it.
    Object.assign(own.info ?? {}, { max_payload: 2 * hostMessageBytesMax });
    own.publish(statusSubject('greedy'), new Uint8Array(hostMessageBytesMax + 1));
    assert.match(String(await own.closed()), /payload/i);
    await victim.request(statusSubject('web-1'), 'status of web-1');
  });

  test('cannot make a credential with more rights', async () => {
    const host = fleet.host('maker');
    const own = keyOf(host.seed);
    const claims = JSON.parse(
      Buffer.from(host.jwt.split('.')[1] ?? '', 'base64url').toString(),
    ) as { readonly sub: string; readonly nats: object };
    const forged = signClaims(
      own,
      { sub: claims.sub, name: 'web-1', nats: claims.nats as Record<string, unknown> },
      Math.floor(Date.now() / 1000),
    );
    await assert.rejects(
      connectWith({ ...host, jwt: forged }, { reconnect: false }),
      /authorization/i,
    );
  });

  test('can have another host hear an answer that says nothing, as a hint', async () => {
    const heard: string[] = [];
    victim.subscribe(recordHintSubject, {
      callback: (_error, message) => void heard.push(message.string()),
    });
    await victim.flush();
    attacker.publish(eventsSubject('mallory'), 'x', { reply: recordHintSubject });
    attacker.publish(docRequest('mallory'), '', { reply: recordHintSubject });
    await settled();
    await victim.flush();
    // It is a hint to ask, whatever it says; documents are signed.
    assert.ok(heard.every((each) => !each.includes('web-1')));
  });
});

suite('a server that is none', () => {
  test('gets nothing of a credential in plain text', { skip: skipWithoutNats }, async () => {
    await using fleet = await startServers(1);
    const heard: Buffer[] = [];
    const sockets: Socket[] = [];
    // It says that it can do without TLS, as somebody between client and server could.
    const info =
      '{"server_id":"x","version":"2.10.27","proto":1,"headers":true,"max_payload":1048576,"nonce":"abc"}';
    const fake = createServer((socket) => {
      sockets.push(socket);
      socket.on('data', (data: Buffer) => heard.push(data)).on('error', () => undefined);
      socket.write(`INFO ${info}\r\n`);
    }).listen(0, '127.0.0.1');
    await once(fake, 'listening');
    const { port } = fake.address() as AddressInfo;
    const credential = { ...fleet.host('web-1'), servers: [`tls://localhost:${port}`] };
    await assert.rejects(connectWith(credential, { reconnect: false }));
    for (const socket of sockets) socket.destroy();
    fake.close();
    await once(fake, 'close');
    assert.doesNotMatch(Buffer.concat(heard).toString('latin1'), /CONNECT|eyJ/);
    assert.equal(Buffer.concat(heard)[0], tlsHandshake);
  });

  test(
    'is refused with a certificate of another authority',
    { skip: skipWithoutNats },
    async () => {
      await using fleet = await startServers(1);
      await using other = await startServers(1);
      const credential = { ...fleet.host('web-1'), servers: other.centre.servers };
      await assert.rejects(connectWith(credential, { reconnect: false }), /certificate/i);
    },
  );
});

/** The first byte of a TLS record with a handshake. */
const tlsHandshake = 22;
