/** The threats to a rollout record on its way to a host, each with real signatures of `ssh-keygen`. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { FleetEngine } from '../../../src/agent/fleet/fleet-agent.ts';
import { namespaces, type TrustDocument } from '../../../src/fleet/core/documents.ts';
import { documentText } from '../../../src/fleet/core/parse.ts';
import type { RolloutRecord } from '../../../src/fleet/core/rollout/record.ts';
import { begun, newState, type HostState } from '../../../src/fleet/core/states.ts';
import { HostStore } from '../../../src/fleet/io/host-store.ts';
import { RecordTaker } from '../../../src/fleet/io/record-taker.ts';
import { ReleaseTaker } from '../../../src/fleet/io/release-taker.ts';
import { verifyRecord, type KnownRollout } from '../../../src/fleet/io/verify/verify-record.ts';
import { ok } from '../../../packages/base/result.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { at, bundles, fleet, person, plain, signedTrust, start, trustOf } from '../people.ts';
import { hours, recordFile, recordOf } from './records.ts';

const host = 'web-001';

suite('rollout records', () => {
  const directory = suiteDirectory('rollout-records');
  const alice = person(directory, 'alice@example.org');
  const controller = person(directory, 'controller');
  const other = person(directory, 'other');
  const led = (version = 1, more: Partial<TrustDocument> = {}) =>
    trustOf(version, [alice], { controllers: [plain(controller)], ...more });
  const known: KnownRollout = { fleet, trust: led(), newest: undefined, record: undefined };
  const outcome = (text: string, more: Partial<KnownRollout> = {}, now = start) => {
    const verified = verifyRecord(text, { ...known, ...more }, now);
    return verified.ok ? 'accepted' : verified.error.code;
  };

  test('a controller of the trust signs, and nobody else', () => {
    assert.equal(outcome(recordFile({}, controller)), 'accepted');
    for (const each of [alice, other]) assert.equal(outcome(recordFile({}, each)), 'signatures');
    const none = { trust: trustOf(1, [alice]) };
    assert.equal(outcome(recordFile({}, controller), none), 'no-controllers');
    for (const namespace of [namespaces.release, namespaces.trust, 'file'])
      assert.equal(outcome(recordFile({}, controller, namespace)), 'signatures');
    const removed = { trust: led(2, { controllers: [plain(other)] }) };
    assert.equal(outcome(recordFile({}, controller), removed), 'signatures');
  });

  test('another fleet, a changed word, and a trust that is not known', () => {
    assert.equal(outcome(recordFile({ fleet: 'other' }, controller)), 'another-fleet');
    const hold = recordFile({ verdict: 'hold' }, controller);
    assert.equal(outcome(hold.replace('hold', 'keep')), 'signatures');
    assert.equal(outcome(recordFile({ trust: 2 }, controller)), 'trust-gap');
    assert.equal(outcome(recordFile({}, controller), { trust: led(2) }), 'accepted');
  });

  test('an older record, another one of the same number, and a new trust that begins anew', () => {
    const record = recordOf({ sequence: 5 });
    const on = (more: Partial<RolloutRecord>, of: Partial<KnownRollout> = {}) =>
      outcome(recordFile(more, controller), { record, ...of });
    assert.equal(on({ sequence: 4 }), 'older');
    assert.equal(on({ sequence: 5 }), 'accepted');
    assert.equal(on({ sequence: 5, verdict: 'back' }), 'fork');
    assert.equal(on({ sequence: 6 }), 'accepted');
    // Stolen keys can use up the numbers only until the next version of the trust.
    const last = recordOf({ sequence: Number.MAX_SAFE_INTEGER });
    const two = { trust: led(2), record: last };
    assert.equal(on({ sequence: 6 }, two), 'older');
    assert.equal(on({ sequence: 1, trust: 2 }, two), 'accepted');
    assert.equal(on({ sequence: 7 }, { trust: led(2), record: recordOf({ trust: 2 }) }), 'older');
  });

  test('an expired record, also if the clock was set back, and one from the future', () => {
    const file = recordFile({}, controller);
    assert.equal(outcome(file, {}, Date.parse(hours(24)) - 1), 'accepted');
    assert.equal(outcome(file, {}, Date.parse(hours(24))), 'expired');
    const later = { newest: { issued: at(30) } };
    assert.equal(outcome(file, later), 'expired');
    assert.equal(outcome(file, { record: recordOf({ sequence: 0, issued: at(2) }) }), 'expired');
    const future = recordFile({ opened: at(2), issued: at(2), expires: at(3) }, controller);
    assert.equal(outcome(future), 'future');
    assert.equal(outcome(file, { trust: led(1, { expires: at(-1) }) }), 'trust-expired');
  });

  test('a record that is good for more than a day, or whose times are none', () => {
    const wrong: readonly Partial<RolloutRecord>[] = [
      { expires: hours(25) },
      { expires: at(-1) },
      { opened: at(1) },
      { issued: '2027-02-31T99:00:00.000Z' },
      { wave: 0 },
      { verdict: 'stop' as 'hold' },
      { reason: 'x'.repeat(501) },
    ];
    for (const each of wrong)
      assert.equal(outcome(recordFile(each, controller)), 'malformed', JSON.stringify(each));
  });

  test('whatever the file says, nothing throws', () => {
    const file = recordFile({}, controller);
    let state = 1;
    const random = (max: number) => (state = (state * 48_271) % 2_147_483_647) % max;
    for (let round = 0; round < 2000; round++) {
      const from = random(file.length);
      const text = file.slice(0, from) + '{"\\[,0'.charAt(random(6)) + file.slice(from + random(4));
      const is = outcome(text);
      assert.ok(is !== 'accepted' || JSON.parse(text), text);
    }
    for (const text of ['', '{}', '[]', 'null', '{"format":2}', 'x'.repeat(70_000)])
      assert.equal(outcome(text), 'malformed');
  });

  /** A host under a trust with controllers, and the answers of its takers. */
  const hostWith = (trust: TrustDocument) => {
    const store = new HostStore(join(directory, `host-${Math.random()}`));
    assert.ok(store.create().ok);
    assert.ok(store.writeTrust({ given: 'by root', document: documentText(trust) }).ok);
    let now = { boot: 'a', uptime: 10, at: start + 10_000 };
    let held: HostState = newState(fleet, host, now);
    const [releases, records] = [new ReleaseTaker(store), new RecordTaker(store)];
    const engine = {
      check: () => Promise.resolve(ok({ problems: [] })),
    } as unknown as FleetEngine;
    const settings = { name: fleet, host };
    return {
      state: () => held,
      later: (seconds: number) => {
        now = { ...now, uptime: now.uptime + seconds, at: now.at + seconds * 1000 };
      },
      begin: (generation: number) => {
        held = begun(held, { trust: 1, generation }, { watchSeconds: 60 }, now);
      },
      take: async (bundle: string, isAnyWave = false): Promise<string> => {
        const taken = await releases.take(bundle, {
          isAnyWave,
          engine,
          settings,
          state: () => held,
          enter: (next) => (held = next),
          now: () => now,
        });
        if (!taken.ok) return `${taken.error.status} ${taken.error.reason}`;
        return taken.value === undefined ? 'in force' : `take ${taken.value.head.generation}`;
      },
      follow: (text: string, isRoot = true): string => {
        const taken = records.take(text, { isRoot, settings, now }, held);
        if (!taken.ok) return `${taken.error.status} ${taken.error.reason}`;
        held = taken.value;
        return held.current?.phase ?? 'none';
      },
    };
  };
  const release = (generation: number, trust = led()) => {
    const bundle =
      bundles({
        chain: [signedTrust(trust, alice)],
        signers: [alice],
        head: { generation, issued: at(0) },
      }).get(host) ?? '';
    const { root } = JSON.parse(JSON.parse(bundle).head.document as string) as { root: string };
    return { bundle, release: { trust: 1, generation, root } };
  };

  test('a host takes a release once a record opens its wave', async () => {
    const on = hostWith(led());
    const seven = release(7);
    assert.match(await on.take(seven.bundle), /^409 .*waits for a record/);
    assert.equal(on.follow(recordFile({ release: seven.release }, controller)), 'none');
    assert.equal(await on.take(seven.bundle), 'take 7');
    const hold = { release: seven.release, sequence: 2, verdict: 'hold' } as const;
    assert.equal(on.follow(recordFile(hold, controller)), 'none');
    assert.match(await on.take(seven.bundle), /^409 .*paused/);
    assert.match(on.follow(recordFile({ release: seven.release }, controller)), /^422 .*older/);
    assert.equal(await on.take(seven.bundle, true), 'take 7');
  });

  test('root takes a release before its wave, but none that the fleet goes back from', async () => {
    const on = hostWith(led());
    const seven = release(7);
    await on.take(seven.bundle);
    assert.equal(await on.take(seven.bundle, true), 'take 7');
    const back = recordFile({ release: seven.release, verdict: 'back' }, controller);
    assert.equal(on.follow(back), 'none');
    assert.match(await on.take(seven.bundle, true), /^409 .*goes back from generation 7/);
  });

  test('a file has one form: no other text claims to be the same record', () => {
    const file = recordFile({}, controller);
    const others = [
      file.replace('"signatures":[', '"signatures":["\\"sequence\\":99,",'),
      file.replace('{"document"', '{"signatures":[],"document"'),
      file.replace('"format":1,', '"format": 1,'),
      `${file} `,
    ];
    for (const each of others) {
      assert.notEqual(each, file);
      assert.notEqual(outcome(each), 'accepted', each.slice(0, 60));
    }
  });

  test('the record counts no more after a day, and nothing begins then', async () => {
    const on = hostWith(led());
    const seven = release(7);
    await on.take(seven.bundle);
    assert.equal(on.follow(recordFile({ release: seven.release }, controller)), 'none');
    on.later(86_400);
    assert.match(await on.take(seven.bundle), /^409 .*waits for a record/);
  });

  test('"back" is done when it comes', () => {
    const on = hostWith(led());
    const { release: seven } = release(7);
    on.begin(7);
    assert.equal(
      on.follow(recordFile({ release: seven, verdict: 'back' }, controller)),
      'going back',
    );
  });

  test('a host whose trust lists no controllers takes releases as they come, and no record', async () => {
    const trust = trustOf(1, [alice]);
    const on = hostWith(trust);
    assert.equal(await on.take(release(7, trust).bundle), 'take 7');
    assert.match(on.follow(recordFile({}, controller)), /^422 .*no-controllers/);
    assert.equal(on.state().isLed, false);
  });

  test('the courier has a pace, and root has none', () => {
    const on = hostWith(led());
    const file = recordFile({}, controller);
    const answers = Array.from({ length: 12 }, () => on.follow(file, false));
    assert.ok(answers.some((each) => each.startsWith('429')));
    assert.equal(on.follow(file), 'none');
  });
});
