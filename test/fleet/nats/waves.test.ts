/** Whole rollouts by a centre of its own process, on real servers, and by hosts that follow as real ones do. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { ok } from '../../../packages/base/result.ts';
import { credentialText } from '../../../src/fleet/core/credential.ts';
import { namespaces } from '../../../src/fleet/core/documents.ts';
import { compareRecords } from '../../../src/fleet/core/rollout/agree.ts';
import { parseRecord, parseRecordFile } from '../../../src/fleet/core/rollout/parse-record.ts';
import type { RolloutRecord } from '../../../src/fleet/core/rollout/record.ts';
import type { RolloutWord } from '../../../src/fleet/core/rollout/steps.ts';
import { natsCentre } from '../../../src/fleet/io/nats/nats-centre.ts';
import { CentreStore } from '../../../src/fleet/io/server/centre-store.ts';
import { rolloutStatuses } from '../../../src/fleet/io/server/rollout-statuses.ts';
import { readControllerKey } from '../../../src/fleet/io/rollout/controller-key.ts';
import { lastRecord, say } from '../../../src/fleet/io/rollout/controller.ts';
import { directoryCentre } from '../../../src/fleet/io/rollout/directory-centre.ts';
import { readMemory } from '../../../src/fleet/io/rollout/memory.ts';
import { readPublished } from '../../../src/fleet/io/rollout/published.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { person, plain, trustOf } from '../people.ts';
import { Program } from './courier-stage.ts';
import { publishWaves } from './published-waves.ts';
import { skipWithoutNats, startServers, type TestServers } from './servers.ts';
import { FollowingHost } from './waves-stage.ts';

const waves = [
  ['web-1', 'web-2'],
  ['web-3', 'web-4', 'web-5', 'web-6'],
  ['web-7', 'web-8', 'web-9', 'web-10', 'web-11', 'web-12'],
];
const [canaries = [], second = []] = waves;
const day = 86_400_000;

/** Whether a centre has a record in its own directory, or a newer one. */
function isRemembered(own: string, last: RolloutRecord | undefined): boolean {
  const memory = readMemory(own);
  const file = memory.ok ? parseRecordFile(memory.value.last ?? '') : memory;
  const record = file.ok ? parseRecord(file.value.document) : file;
  return record.ok && last !== undefined && compareRecords(record.value, last) >= 0;
}

suite('rollouts led by a centre', { skip: skipWithoutNats }, () => {
  const directory = suiteDirectory('fleet-waves');
  const release = join(directory, 'release');
  const alice = person(directory, 'alice@example.org');
  const operator = person(directory, 'operator');
  const owns = ['one', 'two'].map((each) => join(directory, each));
  const controllers = owns.map((own, index) => {
    mkdirSync(own);
    const key = readControllerKey(own);
    return { name: `centre-${index}`, key: key.ok ? key.value.publicKey : assert.fail() };
  });
  const trust = trustOf(1, [alice], {
    controllers: [plain(operator), ...controllers],
    expires: new Date(Date.now() + 30 * day).toISOString(),
  });
  const end = new AbortController();
  let servers: TestServers;
  const hosts: FollowingHost[] = [];
  const running: Promise<void>[] = [];
  let centres: readonly Program[] = [];
  let bad: (host: string, generation: number) => boolean = () => false;

  const connect = () => servers.connect(servers.centre);
  const of = (names: readonly string[]) => hosts.filter(({ name }) => names.includes(name));
  const hadIt = (generation: number) =>
    hosts.filter(({ had }) => had.has(generation)).map(({ name }) => name);
  const isOn = (generation: number) =>
    hosts.filter(({ state }) => state.current?.release.generation === generation).length;
  const wordsOf = (generation: number) =>
    new Set(
      hosts.flatMap(({ words }) => words.filter((each) => each.startsWith(`${generation} `))),
    );
  const saw = (what: string) =>
    eventually(
      `all hosts hear "${what}"`,
      () => hosts.every(({ words }) => words.includes(what)),
      () => JSON.stringify(hosts.map(({ name, state, words }) => [name, words, state.current])),
    );

  async function last() {
    const record = await lastRecord(natsCentre(await connect()), trust);
    return record.ok ? record.value.record : assert.fail(JSON.stringify(record));
  }

  /** Says a word as a person does who looks at the servers first. */
  async function sayIn(word: RolloutWord): Promise<void> {
    const fleet = readPublished(release, Date.now());
    assert.ok(fleet.ok);
    const own = directoryCentre(release);
    const before = await lastRecord(own, trust);
    assert.ok(before.ok);
    const known = [before.value.record, await last()].filter((each) => each !== undefined);
    const put = await say({ word }, fleet.value, {
      centre: own,
      last: { ...before.value, record: known.toSorted(compareRecords).at(-1) },
      sign: (text) => ok(operator.sign(text, namespaces.rollout)),
      now: Date.now(),
    });
    assert.ok(put.ok && put.value !== 'conflict', JSON.stringify(put));
  }

  /** Publishes a generation, and starts its rollout. */
  async function begin(generation: number, over = waves): Promise<void> {
    const watchSeconds = 1;
    publishWaves(release, { trust, signer: alice, generation, waves: over, watchSeconds });
    await sayIn('start');
  }

  /** Lets hosts run, and waits until the centre knows them: hosts that never spoke are silent. */
  async function letIn(names: readonly string[]): Promise<void> {
    const added = await Promise.all(
      names.map(
        async (name) =>
          new FollowingHost({
            name,
            directory: join(directory, 'hosts', name),
            trust,
            connection: await servers.connect(servers.host(name)),
            isBad: (generation) => bad(name, generation),
          }),
      ),
    );
    hosts.push(...added);
    running.push(...added.map((each) => each.run(end.signal)));
    await eventually('the centre knows the hosts', () => {
      using store = new CentreStore(owns[0] ?? '');
      const known = rolloutStatuses(store);
      return known.ok && names.every((each) => known.value.has(each));
    });
  }

  before(async () => {
    servers = await startServers(1);
    const credential = join(directory, 'centre.json');
    writeFileSync(credential, credentialText(servers.centre), { mode: 0o600 });
    const times = JSON.stringify({ silentGraceMilliseconds: 2_000, gapMilliseconds: 600_000 });
    centres = owns.map((own) => new Program('centre-child.ts', credential, own, release, times));
    centres[0]?.start();
    await letIn(waves.flat());
  });
  after(async () => {
    end.abort();
    await Promise.all(centres.map((each) => each.kill()));
    await Promise.all(running);
    await servers[Symbol.asyncDispose]();
  });

  test('a release that is bad for all is taken back in the first wave, and no other host had it', async () => {
    bad = (_, generation) => generation === 1;
    await begin(1);
    await saw('1 back 1');
    await eventually('all are back', () => isOn(1) === 0);
    assert.deepEqual(hadIt(1), canaries);
    assert.match(
      (await last())?.reason ?? '',
      /^wave 1: [12] of 2 hosts failed \(.*, none allowed$/,
    );
  });

  test('one that is bad outside the canaries is taken back in the second wave, by all', async () => {
    bad = (host, generation) => generation === 2 && !canaries.includes(host);
    await begin(2);
    await saw('2 back 2');
    await eventually('all are back', () => isOn(2) === 0);
    const had = hadIt(2);
    assert.deepEqual(
      had.filter((each) => ![...canaries, ...second].includes(each)),
      [],
    );
    assert.deepEqual(
      had.filter((each) => canaries.includes(each)),
      canaries,
    );
    for (const { state } of of(canaries)) assert.equal(state.ended?.outcome, 'rolled back');
    assert.deepEqual([...wordsOf(2)], ['2 go 1', '2 go 2', '2 back 2']);
  });

  test('killed in each wave, beside another one, and with the stream purged, it ends well', async () => {
    const [one, two] = centres;
    assert.ok(one && two);
    two.start();
    await begin(3);
    for (const word of ['3 go 1', '3 go 2', '3 go 3']) {
      await eventually(word, () => hosts.some(({ words }) => words.includes(word)));
      await one.kill();
      if (word === '3 go 2') {
        // Nobody can give back what only the killed one knew: it may have opened a wave just before.
        await eventually('the other one knows the last record', async () =>
          isRemembered(owns[1] ?? '', await last()),
        );
        const manager = await jetstreamManager(await connect(), { checkAPI: false });
        await manager.streams.purge('ROLLOUT');
      }
      one.start();
    }
    await eventually(
      'all hosts have confirmed it',
      () => hosts.every(({ state }) => state.confirmed?.generation === 3),
      () => JSON.stringify(hosts.map(({ name, words }) => [name, words])),
    );
    assert.deepEqual(hadIt(3), waves.flat());
    // No host heard a number go down, or a word that has passed.
    const order = ['3 go 1', '3 go 2', '3 go 3', '3 keep 3'];
    for (const { words } of hosts) {
      const heard = words.filter((each) => each.startsWith('3 '));
      assert.deepEqual(
        heard,
        order.filter((each) => heard.includes(each)),
      );
    }
    await two.kill();
  });

  test('canaries that say nothing: it is paused, and goes on when people say so', async () => {
    const silent = ['web-13', 'web-14'];
    await begin(4, [silent, ...waves]);
    await saw('4 hold 1');
    assert.deepEqual(hadIt(4), []);
    const reason = (await last())?.reason;
    assert.equal(reason, 'wave 1: 0 of 2 hosts healthy, 2 silent (10 % allowed), 0 undecided');
    await letIn(silent);
    await sayIn('resume');
    await saw('4 keep 4');
    await eventually('all have it', () => hadIt(4).length === hosts.length);
  });
});
