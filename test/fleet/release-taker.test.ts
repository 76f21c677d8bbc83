/** A host's memory of releases that it does not take: neither old ones nor removed people count again. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { FleetEngine } from '../../src/agent/fleet/fleet-agent.ts';
import type { ReleaseHead } from '../../src/fleet/core/documents.ts';
import { held, newState, type HostState } from '../../src/fleet/core/states.ts';
import { HostStore } from '../../src/fleet/io/host-store.ts';
import { ReleaseTaker } from '../../src/fleet/io/release-taker.ts';
import { ok } from '../../packages/base/result.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { at, bundles, person, signedTrust, start, trustOf, type Person } from './people.ts';

const now = { boot: 'a', uptime: 1, at: start + 1000 };
const host = 'web-001';

suite('what a host remembers of a release', () => {
  const directory = suiteDirectory('fleet-taker');
  const alice = person(directory, 'alice@example.org');
  const bob = person(directory, 'bob@example.org');
  const first = signedTrust(trustOf(1, [alice, bob]), alice);
  const second = signedTrust(trustOf(2, [alice]), alice);
  let stores = 0;

  const bundle = (head: Partial<ReleaseHead>, signer: Person, chain = [first]) =>
    bundles({ chain, signers: [signer], head: { issued: at(0), ...head } }).get(host) ?? '';

  /** A host under trust version 1, and the answers of its check. */
  const hostWith = () => {
    const store = new HostStore(join(directory, `host-${stores++}`));
    assert.ok(store.create().ok);
    assert.ok(store.writeTrust({ given: 'by root', document: first.document }).ok);
    let state: HostState = newState('example', host, now);
    const problems: string[] = [];
    const taker = new ReleaseTaker(store);
    const engine = { check: () => Promise.resolve(ok({ problems })) } as unknown as FleetEngine;
    return {
      store,
      problems,
      change: (next: (before: HostState) => HostState) => (state = next(state)),
      take: async (text: string): Promise<string> => {
        const taken = await taker.take(text, {
          isAnyWave: false,
          engine,
          settings: { name: 'example', host },
          state: () => state,
          enter: (next) => (state = next),
          now: () => now,
        });
        if (!taken.ok) return `${taken.error.status} ${taken.error.reason}`;
        return taken.value === undefined ? 'in force' : `take ${taken.value.head.generation}`;
      },
    };
  };
  const newer = bundle({ generation: 7, trust: 2 }, alice, [first, second]);

  test('a release that was refused by the host still ends older ones, and people who were removed', async () => {
    const { take, problems } = hostWith();
    problems.push('an error of the policy');
    assert.equal(await take(newer), '422 an error of the policy');
    problems.pop();
    assert.match(await take(bundle({ generation: 5 }, alice)), /^422 .*older/);
    const byBob = bundle({ generation: 8, trust: 2 }, bob, [first, second]);
    assert.match(await take(byBob), /^422 .*sign/);
    assert.match(await take(bundle({ generation: 8 }, bob)), /^422/);
    assert.equal(await take(newer), 'take 7');
  });

  test('so does one that came while root held the host', async () => {
    const { take, change } = hostWith();
    change((state) => held(state, 3600, 'a test', now));
    assert.match(await take(newer), /^409 root holds/);
    change(({ hold: _hold, ...state }) => state);
    assert.match(await take(bundle({ generation: 6 }, alice)), /^422 .*older/);
  });

  test('a new trust around the release in force counts, and the number stays', async () => {
    const { take, change, store } = hostWith();
    const release = { trust: 1, generation: 7 };
    assert.equal(await take(bundle({ generation: 7 }, alice)), 'take 7');
    change((state) => ({
      ...state,
      current: {
        release,
        phase: 'healthy',
        since: 0,
        watch: { ...now, seconds: 0 },
        watchSeconds: 1,
        tries: 1,
        rounds: 0,
        known: [],
        reasons: [],
      },
    }));
    assert.equal(await take(bundle({ generation: 7 }, alice, [first, second])), 'in force');
    const trust = store.readTrust();
    assert.equal(trust.ok && trust.value?.document, second.document);
    assert.match(await take(bundle({ generation: 6 }, alice)), /^422/);
    assert.match(await take(bundle({ generation: 6 }, alice, [first, second])), /^422 .*older/);
  });

  test('only another trust from root begins the numbers anew', async () => {
    const { take, store } = hostWith();
    assert.equal(await take(newer), 'take 7');
    const carol = person(directory, `carol-${stores}@example.org`);
    const other = signedTrust(trustOf(1, [carol]), carol);
    const chain = [other];
    assert.ok(store.writeTrust({ given: 'by root again', document: other.document }).ok);
    assert.match(await take(newer), /^422/);
    assert.equal(await take(bundle({ generation: 1 }, carol, chain)), 'take 1');
  });

  test('a text with a million parts is not parsed', async () => {
    const { take } = hostWith();
    for (const part of ['{},', '[', '"a":1,'])
      assert.match(
        await take(`{"format":1,"x":[${part.repeat(1_000_000)}`),
        /^422 it has too many/,
      );
  });

  test('nothing is noted of a release whose trust cannot be kept', async () => {
    const { take, store } = hostWith();
    assert.ok(store.remove().ok);
    assert.match(await take(newer), /^503/);
  });
});
