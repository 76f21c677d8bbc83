/** The threats to a release on its way to a host, each with real signatures of `ssh-keygen`. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import {
  namespaces,
  type Envelope,
  type HostBundle,
  type ReleaseHead,
} from '../../src/fleet/core/documents.ts';
import { parseHead } from '../../src/fleet/core/parse.ts';
import { verifyBundle, type Known } from '../../src/fleet/io/verify/verify-bundle.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import {
  at,
  bundles,
  day,
  fleet,
  hardwarePerson,
  person,
  policyOf,
  signed,
  signedTrust,
  start,
  trustOf,
  type Person,
} from './people.ts';

const host = 'web-001';

suite('verifyBundle()', () => {
  const directory = suiteDirectory('bundles');
  const alice = person(directory, 'alice@example.org');
  const bob = person(directory, 'bob@example.org', 'ecdsa');
  const carol = hardwarePerson('carol@example.org', 'ed25519');
  const mallory = person(directory, 'mallory@example.org');

  const first = trustOf(1, [alice, bob, carol]);
  const known: Known = { fleet, host, trust: first, newest: undefined };
  const chain = [signedTrust(first)];
  const plain = { chain, signers: [alice] };

  const bundleOf = (made: Parameters<typeof bundles>[0], of = host) =>
    bundles(made).get(of) as string;
  const changed = (bundle: string, change: (bundle: Mutable) => void): string => {
    const parsed = JSON.parse(bundle) as Mutable;
    change(parsed);
    return JSON.stringify(parsed);
  };
  const outcome = (bundle: string, about: Partial<Known> = {}, now = start) => {
    const verified = verifyBundle(bundle, { ...known, ...about }, now);
    return verified.ok ? 'accepted' : verified.error.code;
  };
  const headOf = (bundle: string): ReleaseHead => {
    const parsed = parseHead((JSON.parse(bundle) as HostBundle).head.document);
    assert.ok(parsed.ok);
    return parsed.value;
  };

  test('accepts a signed release at each of its hosts, and returns its plain policy', () => {
    for (const [name, bundle] of bundles(plain)) {
      const verified = verifyBundle(bundle, { ...known, host: name }, start);
      assert.ok(verified.ok);
      assert.equal(verified.value.policy, policyOf(name));
      assert.equal(verified.value.host.host, name);
      assert.equal(verified.value.head.generation, 1);
      assert.equal(verified.value.trust.version, 1);
      assert.equal(verified.value.bundle, bundle);
    }
  });

  test('accepts a release of one host, and an empty policy', () => {
    assert.equal(outcome(bundleOf({ ...plain, hosts: [host] })), 'accepted');
    assert.equal(outcome(bundleOf({ ...plain, policy: () => '' })), 'accepted');
  });

  test('rollback: an older generation is refused, and the same one again is not', () => {
    const second = bundleOf({ ...plain, head: { generation: 2 } });
    const newest = headOf(second);
    assert.equal(outcome(second, { newest }), 'accepted');
    assert.equal(outcome(bundleOf(plain), { newest }), 'older');
  });

  test('fork: another release of the same generation is refused', () => {
    const newest = headOf(bundleOf(plain));
    assert.equal(outcome(bundleOf({ ...plain, policy: () => 'other' }), { newest }), 'fork');
  });

  test('freeze: what has expired is refused, also if the clock was set back', () => {
    const bundle = bundleOf({ ...plain, head: { generation: 9 } });
    assert.equal(outcome(bundle, {}, start + 89 * day), 'accepted');
    assert.equal(outcome(bundle, {}, start + 90 * day), 'expired');
    const later = headOf(bundleOf({ ...plain, head: { issued: at(100), expires: at(190) } }));
    assert.equal(outcome(bundle, { newest: later }), 'expired');
    const long = bundleOf({ ...plain, head: { expires: at(999) } });
    assert.equal(outcome(long, {}, start + 365 * day), 'trust-expired');
  });

  test('a time that is none, or in the future, is refused', () => {
    for (const head of [{ expires: '2027-99-99T00:00:00.000Z' }])
      assert.equal(outcome(bundleOf({ ...plain, head })), 'expired');
    for (const issued of ['2027-99-99T00:00:00.000Z', at(2)])
      assert.equal(outcome(bundleOf({ ...plain, head: { issued } })), 'future');
  });

  test("mix and match: another host's document, or an old policy, under this head", () => {
    const all = bundles(plain);
    const [mine, other] = [host, 'web-002'].map((name) => JSON.parse(all.get(name) ?? '')) as [
      HostBundle,
      HostBundle,
    ];
    assert.equal(outcome(all.get('web-002') ?? ''), 'another-host');
    assert.equal(outcome(JSON.stringify({ ...mine, host: other.host })), 'another-host');
    assert.equal(outcome(JSON.stringify({ ...mine, policy: other.policy })), 'policy-differs');
    const document = { ...mine.host, document: other.host.document };
    assert.equal(outcome(JSON.stringify({ ...mine, host: document })), 'not-in-release');
    const old = JSON.parse(bundleOf({ ...plain, policy: () => 'old' })) as HostBundle;
    assert.equal(outcome(JSON.stringify({ ...mine, host: old.host })), 'not-in-release');
    const next = JSON.parse(bundleOf({ ...plain, head: { generation: 2 } })) as HostBundle;
    assert.equal(outcome(JSON.stringify({ ...mine, head: next.head })), 'not-in-release');
  });

  test('fast-forward: a new trust ends what stolen keys did to the numbers, without a rollback', () => {
    const stolen = bundleOf({ ...plain, head: { generation: Number.MAX_SAFE_INTEGER } });
    assert.equal(outcome(stolen), 'accepted');
    const newest = headOf(stolen);
    const second = trustOf(2, [bob, carol]);
    const next = [...chain, signedTrust(second, bob)];
    const again = { chain: next, signers: [bob], head: { generation: 2, trust: 2 } };
    assert.equal(outcome(bundleOf(again), { newest }), 'accepted');
    const old = { ...again, head: { generation: 2, trust: 1 } };
    assert.equal(outcome(bundleOf(old), { newest }), 'older');
    // What was signed under the trust before cannot follow it.
    const afterwards = { newest: headOf(bundleOf(again)), trust: second };
    assert.equal(outcome(bundleOf({ ...old, head: { generation: 7 } }), afterwards), 'older');
    const third = { ...again, head: { generation: 3, trust: 3 } };
    assert.equal(outcome(bundleOf(third), { newest }), 'trust-gap');
  });

  test('too few people: one short, the same one twice, and one with two signatures', () => {
    const two = trustOf(1, [alice, bob, carol], { threshold: 2 });
    const about = { trust: two };
    const made = { chain: [signedTrust(two)] };
    assert.equal(outcome(bundleOf({ ...made, signers: [alice] }), about), 'signatures');
    assert.equal(outcome(bundleOf({ ...made, signers: [alice, alice] }), about), 'signatures');
    assert.equal(outcome(bundleOf({ ...made, signers: [alice, mallory] }), about), 'signatures');
    assert.equal(outcome(bundleOf({ ...made, signers: [alice, carol] }), about), 'accepted');
    const mixed = { ...made, signers: [mallory, alice, alice, bob] };
    assert.equal(outcome(bundleOf(mixed), about), 'accepted');
    const none = bundleOf({ ...made, signers: [] });
    const refused = verifyBundle(none, { ...known, ...about }, start);
    assert.equal(
      refused.ok || refused.error.reason,
      'it is signed by 0 people of the trust, version 1, and 2 must sign',
    );
  });

  test('a key that is listed twice makes the trust malformed', () => {
    const key = alice.key.split(' ')[1] ?? '';
    for (const twice of [
      [alice, { ...bob, key: alice.key }],
      [alice, { ...bob, key: `ssh-other ${key}` }],
      [alice, { ...bob, name: alice.name }],
    ]) {
      const trust = trustOf(2, twice, { threshold: 2 });
      const next = [...chain, signedTrust(trust, alice)];
      assert.equal(outcome(bundleOf({ chain: next, signers: [alice] })), 'malformed');
    }
  });

  test('another fleet and another namespace are refused', () => {
    assert.equal(outcome(bundleOf({ ...plain, head: { fleet: 'other' } })), 'another-fleet');
    const other = trustOf(1, [alice], { fleet: 'other' });
    const foreign = { ...plain, chain: [signedTrust(other)] };
    assert.equal(outcome(bundleOf(foreign)), 'another-fleet');
    for (const namespace of [namespaces.trust, 'git', 'file'])
      assert.equal(outcome(bundleOf({ ...plain, namespace })), 'signatures');
  });

  test('a signer who was removed no longer counts, and cannot sign further trust', () => {
    const second = trustOf(2, [bob, carol]);
    const next = [...chain, signedTrust(second, alice, bob)];
    assert.equal(outcome(bundleOf({ chain: next, signers: [alice] })), 'signatures');
    assert.equal(outcome(bundleOf({ chain: next, signers: [bob] })), 'accepted');
    const third = [...next, signedTrust(trustOf(3, [alice]), alice)];
    assert.equal(outcome(bundleOf({ chain: third, signers: [alice] })), 'trust-signatures');
  });

  test('new trust needs the people before it and its own', () => {
    const two = { threshold: 2 };
    const from = trustOf(1, [alice, bob], two);
    const about = { trust: from };
    const to = trustOf(2, [bob, mallory], two);
    const by = (...signers: readonly Person[]) =>
      outcome(
        bundleOf({
          chain: [signedTrust(from), signedTrust(to, ...signers)],
          signers: [bob, mallory],
        }),
        about,
      );
    assert.equal(by(alice, bob), 'trust-signatures');
    assert.equal(by(bob, mallory), 'trust-signatures');
    assert.equal(by(alice, mallory), 'trust-signatures');
    assert.equal(by(alice, bob, mallory), 'accepted');
  });

  test('trust that is older, another one, or does not follow is refused', () => {
    const second = trustOf(2, [bob]);
    const about = { trust: second };
    assert.equal(outcome(bundleOf(plain), about), 'trust-older');
    const fork = signedTrust(trustOf(2, [alice]), alice);
    assert.equal(outcome(bundleOf({ ...plain, chain: [...chain, fork] }), about), 'trust-fork');
    const fourth = signedTrust(trustOf(4, [alice]), alice);
    assert.equal(outcome(bundleOf({ ...plain, chain: [fourth] }), about), 'trust-gap');
    assert.equal(outcome(bundleOf({ ...plain, chain: [...chain, fourth] })), 'malformed');
    // A chain may begin with the next version.
    const next = [signedTrust(second, alice, bob)];
    assert.equal(outcome(bundleOf({ chain: next, signers: [bob] })), 'accepted');
  });

  test('more than one form of a document is refused', () => {
    const bundle = bundleOf(plain);
    const { document } = (JSON.parse(bundle) as HostBundle).head;
    const forms = [
      ` ${document}`,
      document.replace(',', ', '),
      document.replace('{', '{"generation":9,'),
      document.replace('"large":false', '"large":false,"more":1'),
      document.replace('"generation":1', '"generation":1.0'),
      document.replace('"generation":1', '"generation":1e300'),
      document.replace('"failed":0.02', '"failed":1.02'),
    ];
    for (const form of forms) {
      const head = signed(form, [alice], namespaces.release);
      assert.equal(outcome(changed(bundle, (each) => (each.head = head))), 'malformed', form);
    }
    assert.equal(outcome(changed(bundle, (each) => (each.more = 1))), 'malformed');
    const proto = bundle.replace(',', ',"__proto__":{"format":1},');
    assert.equal(outcome(proto), 'malformed');
    // The puller hands over first what claims to be the newest: a part that is there twice would let an old one do so.
    const twice = bundle.replace(
      ',"trust"',
      `,"head":${JSON.stringify({ document: document.replace('"generation":1', '"generation":99'), signatures: [] })},"trust"`,
    );
    assert.equal(outcome(twice), 'malformed');
  });

  test('a later format is refused with the remedy', () => {
    const later = changed(bundleOf(plain), (each) => (each.format = 2));
    const refused = verifyBundle(later, known, start);
    assert.equal(refused.ok || refused.error.hint, 'update Bulkhead');
  });

  test('bombs are refused: what unpacks to more than was signed, and nested or endless texts', () => {
    const bundle = bundleOf(plain);
    const packed = (content: Buffer | string) => zstdCompressSync(content).toString('base64');
    const bomb = packed(Buffer.alloc(300 * 2 ** 20));
    assert.ok(bomb.length < 100_000);
    const before = process.memoryUsage().arrayBuffers;
    assert.equal(outcome(changed(bundle, (each) => (each.policy = bomb))), 'policy-differs');
    assert.ok(process.memoryUsage().arrayBuffers - before < 100 * 2 ** 20);
    const same = policyOf(host);
    for (const policy of [`${same} `, same.slice(1), same.replace('alice', 'admin')])
      assert.equal(
        outcome(changed(bundle, (each) => (each.policy = packed(policy)))),
        'policy-differs',
      );
    for (const text of [
      '['.repeat(10_000_000),
      `{"format":1,"x":[${'{},'.repeat(7_000_000)}{}]}`,
      `{"format":1,"x":[${'[],'.repeat(500_000)}[]],"policy":""}`,
      `{"format":1,"x":${'['.repeat(1_000_000)},"policy":""}`,
      `{"format":1,${Array.from({ length: 60_000 }, (_, each) => `"${each}":1`).join()},"policy":""}`,
      '{"a":'.repeat(1_000_000),
      `{"format":1,"trust":[${'{},'.repeat(1_000_000)}{}]}`,
      ' '.repeat(41 * 2 ** 20),
      '',
      'null',
      '[]',
    ])
      assert.equal(outcome(text), 'malformed');
  });

  test('a policy that is not UTF-8 is refused', () => {
    const bytes = Buffer.from('caf\u00e9', 'latin1').toString('latin1');
    const bundle = changed(bundleOf({ ...plain, policy: () => bytes }), (each) => {
      each.policy = zstdCompressSync(Buffer.from(bytes, 'latin1')).toString('base64');
    });
    assert.equal(outcome(bundle), 'policy-differs');
  });

  test('10,000 damaged bundles: none is accepted that says anything else, and none throws', () => {
    const second = trustOf(2, [alice, bob], { threshold: 2 });
    const bundle = bundleOf({
      chain: [...chain, signedTrust(second, alice, bob)],
      signers: [alice, bob],
      head: { trust: 2 },
    });
    const expected = verifyBundle(bundle, known, start);
    assert.ok(expected.ok);
    const said = ({ head, host: own, policy, trust }: typeof expected.value) =>
      JSON.stringify([head, own, policy, trust]);
    const random = randomOf(20_270_101);
    let accepted = 0;
    for (let round = 0; round < 10_000; round += 1) {
      const verified = verifyBundle(damage(bundle, random), known, start);
      if (!verified.ok) continue;
      accepted += 1;
      assert.equal(said(verified.value), said(expected.value));
    }
    assert.ok(accepted < 1000, `${accepted} were accepted`);
  });
});

type Mutable = { -readonly [Key in keyof HostBundle]: HostBundle[Key] | number } & {
  more?: number;
  head: Envelope;
};

/** Returns numbers below a bound, the same ones in each run. Source: Lehmer, "minstd". */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

/** Changes a text in one of several ways: a character, a cut, a part left out, doubled, or exchanged. */
function damage(text: string, random: (below: number) => number): string {
  const from = random(text.length);
  const to = Math.min(text.length, from + 1 + random(40));
  const part = text.slice(from, to);
  const before = text.slice(0, from);
  switch (random(6)) {
    case 0:
      return before + String.fromCharCode(random(128)) + text.slice(from + 1);
    case 1:
      return before;
    case 2:
      return before + text.slice(to);
    case 3:
      return before + part + part + text.slice(to);
    case 4: {
      const other = random(text.length);
      return before + text.slice(other, other + part.length) + text.slice(to);
    }
    default:
      return before + String(random(10)) + text.slice(from + 1);
  }
}
