/** The centre asks hosts over a real server: each answers for itself, and nobody else can ask, or answer. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { NatsConnection } from '@nats-io/transport-node';
import type { FleetEngine } from '../../../src/agent/fleet/fleet-agent.ts';
import type {
  FleetRoomJson,
  FleetTopJson,
  FleetUsageJson,
} from '../../../src/fleet/commands/centre/json.ts';
import type { Question } from '../../../src/fleet/core/ask/question.ts';
import {
  askSubject,
  docRequest,
  docSubject,
  eventsSubject,
  statusSubject,
} from '../../../src/fleet/core/subjects.ts';
import { hostNamespaces, type HostNamespace } from '../../../src/fleet/core/told/signed.ts';
import { Answerer } from '../../../src/fleet/io/ask/answerer.ts';
import { QuestionDesk } from '../../../src/fleet/io/courier/question-desk.ts';
import { askHosts } from '../../../src/fleet/io/nats/ask-hosts.ts';
import { readHostKey, type HostKey } from '../../../src/fleet/io/outbox/host-key.ts';
import { CentreStore } from '../../../src/fleet/io/server/centre-store.ts';
import { centreFile } from '../../../src/fleet/io/server/server-files.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { mainFile } from '../../../testing/program.ts';
import { gibibyte, roomEngine } from '../room-engine.ts';
import { toldHost } from '../told/snapshots.ts';
import { skipWithoutNats, startServers, testFleet, type TestServers } from './servers.ts';

const honest = ['web-1', 'web-2', 'web-3'];
const question: Question = {
  format: 1,
  nonce: 'abc',
  seconds: 3600,
  metrics: ['cpu'],
  tenant: null,
  count: 20,
};

suite('a centre that asks', { skip: skipWithoutNats }, () => {
  const directory = suiteDirectory('fleet-ask');
  const place = join(directory, 'centre');
  let fleet: TestServers;
  let centre: NatsConnection;
  let mallory: NatsConnection;
  const said: string[] = [];

  const placeOf = (host: string) => {
    mkdirSync(join(directory, host), { recursive: true });
    return join(directory, host);
  };
  const keyOf = (host: string): HostKey => {
    const key = readHostKey(placeOf(host));
    return key.ok ? key.value : assert.fail(key.error.reason);
  };
  const publicKeyOf = (host: string) => keyOf(host).sign(hostNamespaces.answer, '').key;
  /** The hosts with their keys, as the centre has pinned them. */
  const asked = (...hosts: readonly string[]) =>
    hosts.map((host) => ({ host, key: publicKeyOf(host) }));

  /** A host whose courier answers with the part of a real agent. */
  const connectHost = async (host: string) => {
    const answerer = new Answerer(placeOf(host));
    const engine = roomEngine() as unknown as FleetEngine;
    const desk = new QuestionDesk(
      {
        answer: async (text) => {
          const shown = { state: 'healthy', fleet: testFleet, host, problems: [] } as const;
          const answer = await answerer.answer(shown, engine, text);
          return answer.ok ? answer : { ok: false, error: { ...answer.error, action: 'answer' } };
        },
      },
      (text) => void said.push(text),
    );
    const connection = await fleet.connect(fleet.host(host));
    desk.open(connection, host);
    await connection.flush();
    return connection;
  };

  before(async () => {
    fleet = await startServers(1);
    centre = await fleet.connect(fleet.centre);
    for (const host of honest) await connectHost(host);
    mallory = await fleet.connect(fleet.host('mallory'));
    using store = new CentreStore(place);
    for (const host of [...honest, 'web-4', 'mallory']) store.pinned(host, publicKeyOf(host));
  });
  after(() => fleet[Symbol.asyncDispose]());

  const ask = (
    hosts: readonly string[],
    changed: Partial<Question> = {},
    timeout = patienceMilliseconds,
  ) => askHosts(centre, testFleet, asked(...hosts), { ...question, ...changed }, timeout);
  const cli = async (...args: readonly string[]) => {
    const credential = ['--credential', centreFile(fleet.directory), '--directory', place];
    const child = spawn(
      process.execPath,
      [mainFile, 'fleet', args[0] ?? '', ...credential, ...args.slice(1)],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const [out, err] = await Promise.all([
      child.stdout.toArray(),
      child.stderr.toArray(),
      once(child, 'exit'),
    ]);
    const [stdout, stderr] = [out, err].map((all) =>
      Buffer.concat(all as Buffer[]).toString('utf8'),
    );
    return { status: child.exitCode, stdout: stdout ?? '', stderr: stderr ?? '' };
  };

  test('commands merge what each host answers, and name those that do not', async () => {
    const { stdout } = await cli('top', '--json', '-n', '5');
    const { tenants, hosts, unanswered, truncated, more } = jsonOf<FleetTopJson>(
      'fleet top',
      stdout,
    );
    assert.deepEqual([hosts, more, truncated], [3, 3 * 30 - 5, []]);
    assert.deepEqual(unanswered, [
      { host: 'mallory', why: 'it is not connected' },
      { host: 'web-4', why: 'it is not connected' },
    ]);
    assert.deepEqual(
      tenants.map(({ name, use }) => [name, use.average, use.max, use.limit]),
      [1029, 1029, 1029, 1028, 1028].map((uid) => [`t${uid}`, uid / 1000, expectedMax(uid), 4]),
    );
    assert.deepEqual(new Set(tenants.map(({ host }) => host)), new Set(honest));
    const text = await cli('top', '--host', 'web-1', '--host', 'web-4', '-n', '1');
    assert.match(
      text.stdout,
      /^cpu in the last 1h, 1 of 2 hosts\nHOST .*\nweb-1 +t1029 +business .*\n… and 29 more not shown, which used less\n/,
    );
    assert.match(
      text.stdout,
      /\nNot known: 1 host without an answer \(web-4: it is not connected\)\n$/,
    );
    const nobody = await cli('usage', 'nobody', '--host', 'web-2');
    assert.equal(nobody.status, 1);
    assert.match(nobody.stdout, /^None of 1 host that answered has a tenant nobody\n$/);
    assert.equal((await cli('top', '--host', 'web-4')).status, 1);
    const usage = await cli('usage', 't1007', '--host', 'web-2', '--json');
    const { rows } = jsonOf<FleetUsageJson>('fleet usage', usage.stdout);
    assert.deepEqual(
      rows.map(({ host, name, use }) => [host, name, use.map(({ metric }) => metric)]),
      [['web-2', 't1007', ['cpu']]],
    );
  });

  test('room for a tenant like another counts what that one used, as its host says', async () => {
    const used = (has: number, p95: number) => ({
      has,
      promised: has,
      unlimited: 0,
      p95,
      peak: p95,
    });
    {
      using store = new CentreStore(place);
      for (const [each, host] of honest.entries()) {
        const room = {
          measuredSeconds: 600_000,
          cpu: used(8, 2 + 3 * each),
          memory: used(64 * gibibyte, 30 * gibibyte),
          pressure: { cpu: 0, memory: 0, io: 0 },
        };
        const { status } = toldHost(host, Date.now(), { fleet: testFleet, room });
        assert.ok(store.status(host, status ?? '', Date.now() + 3_600_000).ok);
      }
    }
    const { stdout } = await cli('room', '--json', '--like', 't1010@web-2');
    const { like, hosts } = jsonOf<FleetRoomJson>('fleet room', stdout);
    assert.deepEqual(like, {
      tenant: 't1010',
      host: 'web-2',
      need: { cpu: { promised: 4, p95: 2.02 }, memory: { promised: null, p95: used6 } },
    });
    assert.deepEqual(
      hosts.slice(0, 3).map(({ host, fits, tightest, after }) => [host, fits, tightest, after]),
      [
        ['web-1', true, 'cpu', 4.02 / 8],
        ['web-2', true, 'cpu', 7.02 / 8],
        ['mallory', null, null, null],
      ],
    );
    const last = hosts.find(({ host }) => host === 'web-3');
    assert.deepEqual([last?.fits, last?.why], [false, 'cpu']);
    const many = await cli('room', '--like', 't1010');
    assert.equal(many.status, 1);
    assert.match(many.stderr, /web-1, web-2, web-3 have a tenant "t1010"; .*--like t1010@web-1/);
    const nobody = await cli('room', '--like', 'nobody@web-1');
    assert.match(nobody.stderr, /no host that answered has a tenant "nobody"/);
  });

  test('a host that is connected and gets no questions is not called away', async () => {
    const one = join(directory, 'one');
    {
      using store = new CentreStore(one);
      for (const host of ['web-1', 'web-4']) {
        store.pinned(host, publicKeyOf(host));
        const { status } = toldHost(host, Date.now(), { fleet: testFleet });
        assert.ok(store.status(host, status ?? '', Date.now() + 3_600_000).ok);
      }
    }
    const { stdout } = await cli('top', '--json', '--directory', one);
    const { unanswered } = jsonOf<FleetTopJson>('fleet top', stdout);
    assert.deepEqual(
      unanswered.map(({ host }) => host),
      ['web-4'],
    );
    assert.match(unanswered[0]?.why ?? '', /it tells its status and gets no questions: update/);
  });

  test('a host whose tenants would have used more than it has is in no list', async () => {
    const small = join(directory, 'small');
    const used = { has: 16, promised: 16, unlimited: 0, p95: 1, peak: 1 };
    {
      using store = new CentreStore(small);
      for (const [host, has] of [
        ['web-1', 2],
        ['web-2', 64],
      ] as const) {
        const room = {
          measuredSeconds: 600_000,
          cpu: { ...used, has },
          memory: { ...used, has: 64 * gibibyte },
          pressure: { cpu: 0, memory: 0, io: 0 },
        };
        store.pinned(host, publicKeyOf(host));
        const { status } = toldHost(host, Date.now(), { fleet: testFleet, room });
        assert.ok(store.status(host, status ?? '', Date.now() + 3_600_000).ok);
      }
    }
    const { stdout } = await cli('top', '--json', '--directory', small);
    const { tenants, hosts, unanswered } = jsonOf<FleetTopJson>('fleet top', stdout);
    assert.deepEqual([hosts, unanswered.length], [1, 1]);
    assert.match(
      unanswered[0]?.why ?? '',
      /not believable: its tenants would have used 10\.\d times the CPU that it has/,
    );
    assert.ok(tenants.length > 0 && tenants.every(({ host }) => host === 'web-2'));
  });

  test('an answer that the host has not signed, to this question, is none', async () => {
    const answer = {
      format: 1,
      fleet: testFleet,
      host: 'mallory',
      nonce: 'abc',
      measuredSeconds: 3600,
      tenants: 1,
      busy: 1,
      rows: [
        {
          member: 'u1',
          name: 'alice',
          package: null,
          use: [{ metric: 'cpu', average: 1, p95: 1, max: 1, limit: null }],
        },
      ],
    };
    const [row] = answer.rows;
    const [use] = row?.use ?? [];
    const sign = (
      document: unknown,
      host = 'mallory',
      namespace: HostNamespace = hostNamespaces.answer,
    ) => JSON.stringify(keyOf(host).sign(namespace, JSON.stringify(document)));
    let text = '';
    const subscription = mallory.subscribe(askSubject('mallory'), {
      callback: (_error, message) => void message.respond(text),
    });
    await mallory.flush();
    for (const [reply, reason] of [
      [sign(answer), undefined],
      ['', /could not answer/],
      ['{"format":1}', /message of a host/],
      [sign(answer, 'web-1'), /own key/],
      [sign(answer, 'mallory', hostNamespaces.status), /own key/],
      [sign({ ...answer, host: 'web-1' }), /another host/],
      [sign({ ...answer, fleet: 'other' }), /another fleet/],
      [sign({ ...answer, nonce: 'abd' }), /another question/],
      [sign({ ...answer, rows: [{ ...row, name: '\u001b[2Jalice' }] }), /wrong "rows"/],
      [
        sign({ ...answer, rows: [{ ...row, use: [{ ...use, average: 1e9 }] }] }),
        /no host can have/,
      ],
      [sign({ ...answer, rows: [{ ...row, use: [{ ...use, metric: 'read' }] }] }), /nobody asked/],
      [sign({ ...answer, rows: Array.from({ length: 21 }, () => row) }), /0 to 20 entries/],
      [sign({ ...answer, rows: [row, row] }), /more tenants than asked/],
      [sign({ ...answer, busy: -1 }), /wrong "busy"/],
    ] as const) {
      text = reply;
      const [got] = await ask(['mallory'], { count: 1 });
      if (reason === undefined) assert.ok(got?.answer.ok, JSON.stringify(got));
      else assert.match(got?.answer.ok === false ? got.answer.error.reason : 'it is taken', reason);
    }
    subscription.unsubscribe();
    await mallory.flush();
  });

  test('a host cannot hear, answer or ask for another', async () => {
    const heard: string[] = [];
    const spy = await fleet.connect(fleet.host('spy'));
    for (const subject of [
      askSubject('web-1'),
      askSubject('*'),
      'fleet.>',
      '_R_.>',
      '_INBOX.centre.>',
    ])
      spy.subscribe(subject, {
        callback: (error, message) => {
          if (error !== null) return;
          heard.push(message.subject);
          message.respond('forged');
        },
      });
    await spy.flush().catch(() => undefined);
    const answers = await ask(honest);
    assert.ok(
      answers.every(({ answer }) => answer.ok),
      JSON.stringify(answers),
    );
    assert.deepEqual(heard, []);
    const asking = JSON.stringify(question);
    for (const subject of [askSubject('web-1'), askSubject('spy')])
      await assert.rejects(spy.request(subject, asking, { timeout: 1_000 }), subject);
    const [still] = await ask(['web-1'], { nonce: 'again' });
    assert.ok(still?.answer.ok);
  });

  test('an answer of the streams that is sent to another host is not taken as a question', async () => {
    const spy = await fleet.connect(fleet.host('spy'));
    await centre.request(docSubject('spy'), JSON.stringify(question));
    const before = said.length;
    for (const subject of [docRequest('spy'), statusSubject('spy'), eventsSubject('spy')])
      spy.publish(subject, '', { reply: askSubject('web-1') });
    await spy.flush();
    await spy.request(docRequest('spy'), '', { timeout: patienceMilliseconds });
    const [answer] = await ask(['web-1'], { nonce: 'after' });
    assert.ok(answer?.answer.ok);
    assert.equal(said.length, before);
  });

  test('a host may answer a question once, and nothing else', async () => {
    const many = await fleet.connect(fleet.host('many'));
    many.subscribe(askSubject('many'), {
      callback: (_error, message) => {
        for (let copy = 0; copy < 5; copy++) message.respond('not signed');
        many.publish('_INBOX.centre.any', 'forged');
      },
    });
    await many.flush();
    const [got] = await ask(['many']);
    assert.equal(got?.answer.ok, false);
    const [later] = await ask(['web-1'], { nonce: 'later' });
    assert.ok(later?.answer.ok);
  });
});

/** Answers have six digits. */
const used6 = Number((2 * gibibyte).toPrecision(6));
const expectedMax = (uid: number) => Number(((3 * uid) / 1000).toPrecision(6));
