/** Controllers on a real server: of two, only one advances; lost records come back; people have the last word. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { ok } from '../../../packages/base/result.ts';
import { namespaces } from '../../../src/fleet/core/documents.ts';
import { documentText } from '../../../src/fleet/core/parse.ts';
import type { Centre, RolloutStatus } from '../../../src/fleet/core/rollout/centre.ts';
import { recordFileText } from '../../../src/fleet/core/rollout/parse-record.ts';
import type { RolloutRecord } from '../../../src/fleet/core/rollout/record.ts';
import type { RolloutWord } from '../../../src/fleet/core/rollout/steps.ts';
import { natsCentre } from '../../../src/fleet/io/nats/nats-centre.ts';
import { ensureStreams } from '../../../src/fleet/io/nats/streams.ts';
import { readControllerKey } from '../../../src/fleet/io/rollout/controller-key.ts';
import { lastRecord, putNext, say } from '../../../src/fleet/io/rollout/controller.ts';
import { directoryCentre } from '../../../src/fleet/io/rollout/directory-centre.ts';
import { Leader } from '../../../src/fleet/io/rollout/leader.ts';
import { readMemory, writeMemory } from '../../../src/fleet/io/rollout/memory.ts';
import { readPublished } from '../../../src/fleet/io/rollout/published.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { person, plain, trustOf, type Person } from '../people.ts';
import { publishWaves } from './published-waves.ts';
import { skipWithoutNats, startServers, type TestServers } from './servers.ts';

const waves = [1, 2, 3].map((wave) => [`web-${wave}1`, `web-${wave}2`]);
const hosts = waves.flat();
const day = 86_400_000;

suite('controllers on a real server', { skip: skipWithoutNats }, () => {
  const directory = suiteDirectory('fleet-leader');
  const alice = person(directory, 'alice@example.org');
  const operator = person(directory, 'operator');
  const [mallory, other] = ['mallory', 'other'].map((each) => person(directory, each)) as [
    Person,
    Person,
  ];
  const places = ['a', 'b'].map((each) => {
    const [release, own] = [join(directory, each, 'release'), join(directory, each, 'own')];
    mkdirSync(own, { recursive: true });
    const key = readControllerKey(own);
    assert.ok(key.ok);
    return { name: `centre-${each}`, release, own, key: key.value };
  });
  const [a, b] = places as [(typeof places)[0], (typeof places)[0]];
  const trust = trustOf(1, [alice], {
    controllers: [
      plain(operator),
      ...places.map(({ name, key }) => ({ name, key: key.publicKey })),
    ],
    expires: new Date(Date.now() + 30 * day).toISOString(),
  });
  let servers: TestServers;
  let connection: NatsConnection;
  let centre: Centre;
  let generation = 0;
  let root = '';
  let told: Partial<RolloutStatus> = {};
  const warnings: string[] = [];

  const statuses = () =>
    ok(
      new Map(
        hosts.map((name) => [
          name,
          {
            state: 'healthy',
            generation,
            newest: generation,
            root,
            receivedAt: Date.now(),
            ...told,
          } as const,
        ]),
      ),
    );
  const leaderOf = ({ release, own, key }: (typeof places)[0]) =>
    new Leader({
      release,
      directory: own,
      key,
      statuses,
      log: { info: () => undefined, warn: (text) => warnings.push(text) },
    });
  /** Steps until the leader has read what is published. */
  async function stepTwice(leader: Leader, now = Date.now()): Promise<void> {
    for (let each = 0; each < 2; each++) {
      const done = await leader.step(centre, now);
      assert.ok(done.ok, JSON.stringify(done));
    }
  }
  const publish = (next: number) => {
    generation = next;
    for (const { release } of places)
      root = publishWaves(release, { trust, signer: alice, generation: next, waves });
  };

  /** Says a word as a person does: in the directory, after the record that is known there. */
  async function sayIn(to: string, word: RolloutWord, after?: RolloutRecord) {
    const now = Date.now();
    const fleet = readPublished(to, now);
    assert.ok(fleet.ok);
    const own = directoryCentre(to);
    const last = await lastRecord(own, trust);
    assert.ok(last.ok);
    const sign = (text: string) => ok(operator.sign(text, namespaces.rollout));
    const known = { ...last.value, ...(after && { record: after }) };
    const put = await say({ word }, fleet.value, { centre: own, last: known, sign, now });
    assert.ok(put.ok && put.value !== 'conflict', JSON.stringify(put));
    return put.value.record;
  }

  const there = async (): Promise<RolloutRecord | undefined> => {
    const last = await lastRecord(centre, trust);
    return last.ok ? last.value.record : assert.fail(JSON.stringify(last));
  };
  const shown = (record: RolloutRecord | undefined) =>
    record && `${record.release.generation} ${record.verdict} ${record.wave}`;
  const memoryOf = (own: string) => {
    const memory = readMemory(own);
    return memory.ok ? memory.value : assert.fail(JSON.stringify(memory));
  };
  const manager = () => jetstreamManager(connection, { checkAPI: false });
  /** The number of records that the stream has ever stored. */
  const storedEver = async () => (await (await manager()).streams.info('ROLLOUT')).state.last_seq;

  before(async () => {
    servers = await startServers(1);
    connection = await servers.connect(servers.centre);
    centre = natsCentre(connection);
  });
  after(async () => {
    await servers[Symbol.asyncDispose]();
  });

  test('its key is read by its account only, and signs as ssh-keygen does', () => {
    assert.equal(statSync(join(a.own, 'controller')).mode & 0o777, 0o600);
    const again = readControllerKey(a.own);
    assert.equal(again.ok && again.value.publicKey, a.key.publicKey);
    const signature = join(directory, 'signature');
    writeFileSync(signature, a.key.sign('a record'));
    writeFileSync(join(directory, 'signers'), `centre ${a.key.publicKey}\n`);
    const args = ['-Y', 'verify', '-f', 'signers', '-I', 'centre', '-n', namespaces.rollout];
    execFileSync('ssh-keygen', [...args, '-s', signature], {
      cwd: directory,
      input: 'a record',
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    writeFileSync(join(directory, 'controller'), 'no key');
    assert.match(JSON.stringify(readControllerKey(directory)), /it is damaged.*remove it/);
  });

  test('without a record nothing is led, and a person begins', async () => {
    publish(1);
    await stepTwice(leaderOf(a));
    assert.deepEqual([await storedEver(), warnings], [0, []]);
    told = { state: 'watching' };
    const started = await sayIn(a.release, 'start');
    cpSync(join(a.release, 'rollout.json'), join(b.release, 'rollout.json'));
    await stepTwice(leaderOf(a));
    assert.deepEqual(await there(), started);
  });

  test('two controllers at the same time: each wave is opened once', async () => {
    told = {};
    const leaders = [leaderOf(a), leaderOf(b), leaderOf(b)];
    const from = await storedEver();
    for (let round = 0; round < 8; round++)
      for (const done of await Promise.all(leaders.map((each) => each.step(centre, Date.now()))))
        assert.ok(done.ok, JSON.stringify(done));
    assert.equal(shown(await there()), '1 keep 3');
    // Wave 2, wave 3, and the end: not one more.
    assert.equal(await storedEver(), from + 3);
    assert.equal(memoryOf(a.own).last, memoryOf(b.own).last);
  });

  test('a failure in the first wave: all go back, by one record', async () => {
    publish(2);
    told = { state: 'rolled back' };
    await sayIn(a.release, 'start');
    const from = await storedEver();
    const leaders = [leaderOf(a), leaderOf(b)];
    for (let round = 0; round < 4; round++)
      await Promise.all(leaders.map((each) => each.step(centre, Date.now())));
    assert.equal(shown(await there()), '2 back 1');
    assert.match((await there())?.reason ?? '', /wave 1: 2 of 2 hosts failed \(100 %\), none/);
    assert.equal(await storedEver(), from + 2);
    assert.match(warnings.join(), /Rollout of generation 2: back, wave 1: wave 1: 2 of 2 hosts/);
  });

  test('servers that lost "back", or went back in time, get it again', async () => {
    told = {};
    const back = await there();
    const stream = await manager();
    await stream.streams.purge('ROLLOUT');
    await stepTwice(leaderOf(a));
    assert.deepEqual(await there(), back);
    await stream.streams.delete('ROLLOUT');
    const gone = await leaderOf(a).step(centre, Date.now());
    assert.match(JSON.stringify(gone), /ENOENT/);
    await ensureStreams(connection, 1);
    await stepTwice(leaderOf(a));
    assert.deepEqual(await there(), back);
    // The record of before, as after a power cut, is put back by somebody.
    const restore = async (verdict: 'go' | 'keep', wave: number, sequence: number) => {
      const last = await lastRecord(centre, trust);
      assert.ok(last.ok && back);
      const put = await putNext('restore', { ...back, verdict, wave, opened: back.opened }, trust, {
        centre,
        last: { ...last.value, record: sequence === 0 ? undefined : back },
        sign: (text) => ok(b.key.sign(text)),
        now: sequence === 0 ? Date.parse(back.issued) - 1000 : Date.now(),
      });
      assert.ok(put.ok && put.value !== 'conflict', JSON.stringify(put));
    };
    await restore('go', 1, 0);
    await stepTwice(leaderOf(a));
    assert.deepEqual(await there(), back);
    // Another controller that knew nothing of it has gone on, with larger numbers.
    await restore('go', 3, 1);
    await stepTwice(leaderOf(a));
    const again = await there();
    assert.equal(shown(again), '2 back 3');
    assert.ok(again && back && again.sequence > back.sequence);
    // The other way round: the directory has lost it, and the servers have not.
    rmSync(join(a.own, 'rollout.json'));
    await stepTwice(leaderOf(a));
    assert.deepEqual(await there(), again);
    assert.notEqual(memoryOf(a.own).last, null);
  });

  test('a record of somebody who is not a controller counts for nothing, and is replaced', async () => {
    const last = await there();
    const stored = await centre.record();
    assert.ok(stored.ok && stored.value && last);
    const put = await centre.put('{"format":1}', stored.value.sequence);
    assert.ok(put.ok && put.value.kind === 'stored');
    await stepTwice(leaderOf(a));
    assert.deepEqual(await there(), last);
    assert.equal(memoryOf(a.own).last, stored.value.text);
  });

  test('a record is said again before hosts count it no more', async () => {
    const last = await there();
    await stepTwice(leaderOf(a), Date.now() + 7 * 3_600_000);
    const next = await there();
    assert.deepEqual([next?.verdict, next?.reason], [last?.verdict, last?.reason]);
    assert.ok((next?.sequence ?? 0) > (last?.sequence ?? 0));
  });

  test('people pause, resume, open the next wave and go back; a pause holds until they end it', async () => {
    publish(3);
    told = { state: 'watching' };
    const leader = leaderOf(a);
    await sayIn(a.release, 'start');
    await stepTwice(leader);
    await sayIn(a.release, 'pause');
    await stepTwice(leader);
    told = {};
    for (let round = 0; round < 3; round++) await stepTwice(leader);
    assert.equal(shown(await there()), '3 hold 1');
    // A timer that says it again adds nothing. A controller that begins anew knows which ones it has followed.
    await sayIn(a.release, 'renew');
    await stepTwice(leaderOf(a));
    assert.equal(shown(await there()), '3 hold 1');
    await sayIn(a.release, 'resume');
    const other = leaderOf(a);
    await stepTwice(other);
    assert.equal(shown(await there()), '3 go 2');
    told = { state: 'watching' };
    // A person who has not heard of wave 2, and one who has.
    await sayIn(a.release, 'pause');
    await stepTwice(other);
    assert.equal(shown(await there()), '3 hold 2');
    await sayIn(a.release, 'resume', await there());
    await stepTwice(other);
    await sayIn(a.release, 'next', await there());
    await stepTwice(other);
    assert.equal(shown(await there()), '3 go 3');
    await sayIn(a.release, 'back');
    await stepTwice(other);
    assert.equal(shown(await there()), '3 back 3');
    // Older words in the other directory lead nowhere.
    await stepTwice(leaderOf(b));
    assert.equal(shown(await there()), '3 back 3');
  });

  test('a record of before a pause, handed in by somebody without a key, does not end it', async () => {
    publish(8);
    told = { state: 'watching' };
    await sayIn(a.release, 'start', await there());
    await stepTwice(leaderOf(a));
    told = {};
    await stepTwice(leaderOf(a));
    assert.equal(shown(await there()), '8 go 2');
    const open = await centre.record();
    told = { state: 'watching' };
    publish(9);
    await stepTwice(leaderOf(a));
    assert.equal(shown(await there()), '8 hold 2');
    assert.match((await there())?.reason ?? '', /generation 9 was published while generation 8/);
    writeFileSync(join(a.release, 'rollout.json'), (open.ok && open.value?.text) || '');
    for (let round = 0; round < 2; round++) await stepTwice(leaderOf(a));
    assert.equal(shown(await there()), '8 hold 2');
  });

  test('a release that is published in part: it goes back all the same, and is paused after a time', async () => {
    const part = () => rmSync(join(a.release, 'hosts', 'web-11.json'));
    told = { state: 'watching' };
    publish(13);
    await sayIn(a.release, 'start', await there());
    const leader = leaderOf(a);
    await stepTwice(leader);
    part();
    for (let each = 0; each < 2; each++) await leader.step(centre, Date.now());
    assert.equal(shown(await there()), '13 go 1');
    told = { state: 'rolled back' };
    const broken = await leader.step(centre, Date.now());
    assert.match(JSON.stringify(broken), /it has 5 of 6 hosts/);
    assert.equal(shown(await there()), '13 back 1');
    told = { state: 'healthy' };
    publish(14);
    await sayIn(a.release, 'start', await there());
    part();
    // One that was started just now knows no release.
    const other = leaderOf(a);
    for (let each = 0; each < 3; each++) await other.step(centre, Date.now());
    assert.equal(shown(await there()), '14 go 1');
    await other.step(centre, Date.now() + 3_600_000);
    assert.equal(shown(await there()), '14 hold 1');
    assert.match((await there())?.reason ?? '', /no whole release/);
  });

  test('another trust in the published directory, with keys of somebody else, leads nothing', async () => {
    const before = await centre.record();
    const theirs = trustOf(1, [mallory], {
      controllers: [...trust.controllers, plain(other)],
      expires: trust.expires,
    });
    publishWaves(a.release, { trust: theirs, signer: mallory, generation: 14, waves });
    const last = await there();
    assert.ok(last);
    const document = documentText({ ...last, verdict: 'go', wave: 3, sequence: last.sequence + 1 });
    const signatures = [other.sign(document, namespaces.rollout)];
    writeFileSync(join(a.release, 'rollout.json'), recordFileText({ document, signatures }));
    const refused = await leaderOf(a).step(centre, Date.now());
    assert.match(JSON.stringify(refused), /follow the trust that is published/);
    assert.deepEqual(await centre.record(), before);
    publishWaves(a.release, { trust, signer: alice, generation: 14, waves });
    await stepTwice(leaderOf(a));
    assert.deepEqual(await centre.record(), before);
  });

  test('what nobody has kept is begun again by the word of people as it was signed', async () => {
    publish(15);
    told = { state: 'watching' };
    const started = await sayIn(a.release, 'start', await there());
    const leader = leaderOf(a);
    await stepTwice(leader);
    const memory = memoryOf(a.own);
    told = {};
    await leader.step(centre, Date.now());
    assert.equal(shown(await there()), '15 go 2');
    // Killed before it wrote that down, and then the servers lose it.
    writeMemory(a.own, memory);
    await (await manager()).streams.purge('ROLLOUT');
    told = { state: 'watching' };
    const restarted = leaderOf(a);
    await stepTwice(restarted);
    // Hosts that have heard of wave 2 do not take it: they hear of wave 1 no more.
    assert.deepEqual(await there(), started);
    told = {};
    await restarted.step(centre, Date.now());
    assert.equal(shown(await there()), '15 go 2');
  });

  test('a record by a clock that was ahead is said anew, and hosts of its wave have their time', async () => {
    publish(16);
    told = { state: 'watching' };
    await sayIn(a.release, 'start', await there());
    const leader = leaderOf(a);
    const ahead = Date.now() + 5 * day;
    await stepTwice(leader, ahead);
    told = { state: 'watching', receivedAt: ahead + 9 * 3_600_000 };
    await stepTwice(leader, ahead + 9 * 3_600_000);
    const future = await there();
    assert.ok(future && Date.parse(future.issued) > Date.now() + 4 * day);
    told = { state: 'watching' };
    await stepTwice(leader);
    const now = await there();
    assert.ok(now && now.sequence > future.sequence);
    assert.ok(Date.parse(now.issued) <= Date.now() && Date.parse(now.opened) <= Date.now());
  });

  test('a server that is killed ends no controller, and it goes on', async () => {
    const [server] = servers.servers;
    assert.ok(server);
    publish(17);
    told = {};
    await sayIn(a.release, 'start');
    await server.kill();
    const leader = leaderOf(a);
    const lost = await leader.step(natsCentre(connection, 200), Date.now());
    assert.equal(lost.ok, false);
    await connection.close();
    const closed = await leader.step(centre, Date.now());
    assert.match(JSON.stringify(closed), /closed connection/);
    server.start();
    await servers.healthy();
    connection = await servers.connect(servers.centre);
    centre = natsCentre(connection);
    await eventually('generation 17 is complete', async () => {
      const done = await leader.step(centre, Date.now());
      return done.ok && shown(await there()) === '17 keep 3';
    });
  });

  test('without its key in the trust, it brings the records of people, and says nothing', async () => {
    publish(18);
    const key = readControllerKey(suiteDirectory('fleet-leader-other'));
    assert.ok(key.ok);
    const leader = leaderOf({ ...a, key: key.value });
    const started = await sayIn(a.release, 'start', await there());
    for (let round = 0; round < 3; round++) await stepTwice(leader);
    assert.deepEqual(await there(), started);
  });
});
