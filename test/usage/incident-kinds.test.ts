/** The registry of incident kinds: what it reads, shows and hides, and the kinds of all capabilities. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { capabilities } from '../../src/capabilities.ts';
import { policyReader } from '../../src/apply/load-policy.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { attributes, findAttribute } from '../../src/limits/limits.ts';
import { parseAssignments } from '../../src/policy/assignment.ts';
import { setLimits } from '../../src/policy/edit.ts';
import { evidenceItemsMax, type EvidenceKind } from '../../src/usage/evidence.ts';
import { IncidentKinds, incidentWords, loadIncidentKinds } from '../../src/usage/incident-kinds.ts';
import type { IncidentKind } from '../../src/usage/incident-kind.ts';
import type { Snapshot } from '../../src/usage/incident.ts';

interface Knock {
  readonly at: number;
  readonly bell: string;
}

const knocks: EvidenceKind<Knock> = {
  kind: 'knocks',
  fields: { at: 'number', bell: 8 },
  describe: (items) => `${items.length} knocks.`,
  line: ({ bell }) => `knocked at ${bell}`,
  redact: (item) => ({ ...item, bell: '' }),
};
const knocking: IncidentKind<Knock> = {
  limit: 'bell.rings',
  withoutLimit: { value: 'none', from: 'the sign', because: 'because of the sign' },
  evidence: knocks,
};
const kinds = new IncidentKinds([knocking]);
const knock = { at: 1, bell: 'front' };

describe('IncidentKinds.read()', () => {
  test('returns stored evidence of a known kind as it was', () => {
    const evidence = { kind: 'knocks', items: [knock] };
    assert.deepEqual(kinds.read(JSON.parse(JSON.stringify(evidence))), evidence);
  });

  test('returns undefined for malformed evidence or an unknown kind', () => {
    const hostile = [
      undefined,
      null,
      7,
      'knocks',
      [],
      [knock],
      {},
      { kind: 'knocks' },
      { kind: 'knocks', items: 'front' },
      { kind: 'knocks', items: { length: 1, 0: knock } },
      { kind: 'knocks', items: [] },
      { kind: 'links', items: [knock] },
      { kind: 'constructor', items: [knock] },
      { kind: '__proto__', items: [knock] },
      { kind: ['knocks'], items: [knock] },
    ];
    for (const stored of hostile)
      assert.equal(kinds.read(stored), undefined, JSON.stringify(stored));
  });

  test('leaves out malformed items and unknown fields', () => {
    const malformed: unknown[] = [
      null,
      'front',
      [1, 'front'],
      { at: 1 },
      { bell: 'front' },
      { at: '1', bell: 'front' },
      { at: null, bell: 'front' },
      { at: 1, bell: { toString: 'front' } },
      { at: 1, bell: ['front'] },
    ];
    assert.equal(kinds.read({ kind: 'knocks', items: malformed }), undefined);
    const text = `{"kind":"knocks","more":1,"items":[{"at":1,"bell":"front","__proto__":{"bell":"x"},"key":"y"}]}`;
    const read = kinds.read(JSON.parse(text));
    assert.equal(JSON.stringify(read), JSON.stringify({ kind: 'knocks', items: [knock] }));
  });

  test('bounds the number of items and the length of texts', () => {
    const items = Array.from({ length: 10_000 }, () => ({ at: 1, bell: 'x'.repeat(100_000) }));
    const read = kinds.read({ kind: 'knocks', items });
    assert.equal(read?.items.length, evidenceItemsMax);
    assert.deepEqual(read.items[0], { at: 1, bell: 'xxxxxxxx' });
  });
});

test('IncidentKinds redacts and describes only items of a known kind', () => {
  const known = { kind: 'knocks', items: [knock] };
  const unknown = { kind: 'links', items: [{ link: '/secret' }] };
  assert.deepEqual(kinds.lines(known), ['knocked at front']);
  assert.deepEqual(kinds.redact(known), { kind: 'knocks', items: [{ at: 1, bell: '' }] });
  assert.deepEqual(kinds.lines(unknown), []);
  assert.deepEqual(kinds.redact(unknown), { kind: 'links', items: [] });
});

test('IncidentKinds.itemsOf() returns only items of the incident’s own kind', () => {
  const snapshots = [
    { evidence: { kind: 'knocks', items: [knock] } },
    {},
    { evidence: { kind: 'links', items: [{ link: '/secret' }] } },
    { evidence: { kind: 'knocks', items: [{ ...knock, at: 2 }] } },
  ] as unknown as readonly Snapshot[];
  assert.deepEqual(kinds.itemsOf({ limit: 'bell.rings' }, snapshots), [knock, { ...knock, at: 2 }]);
  assert.deepEqual(kinds.itemsOf({ limit: 'cpu.limit' }, snapshots), []);
});

test('IncidentKinds throws when a limit or a kind of evidence occurs twice', () => {
  assert.throws(() => new IncidentKinds([knocking, { limit: knocking.limit }]), /bell\.rings/);
  assert.throws(
    () => new IncidentKinds([knocking, { limit: 'bell.other', evidence: { ...knocks } }]),
    /knocks/,
  );
  const shared = new IncidentKinds([knocking, { limit: 'bell.other', evidence: knocks }]);
  assert.ok(shared.get('bell.other'));
});

const all = await loadIncidentKinds(capabilities);
const words = incidentWords(capabilities);

describe('loadIncidentKinds() with all capabilities', () => {
  test('has one word for each key that is not a limit, and no other', async () => {
    assert.deepEqual([...words.values()].flat().sort(), [...all.keysWithoutLimit()].sort());
    for (const [word, keys] of words) {
      assert.equal(findAttribute(word), undefined, word);
      for (const key of keys) assert.ok(!attributes.has(key), key);
    }
    for (const { incidents } of capabilities)
      for (const { limit, withoutLimit } of (await incidents?.load()) ?? [])
        assert.equal(withoutLimit === undefined, attributes.has(limit), limit);
  });

  test('has words that parsePolicy() and setLimits() accept in alert rules', async () => {
    const limits = `cpu ${[...words.keys()].join(' ')} protection`;
    const body = `<agent><alerts><mail to="administrator" limits="${limits}"/></alerts></agent>`;
    const text = `<bulkhead version="1">${body}<tenant uid="1001"/></bulkhead>`;
    const reader = await policyReader(capabilities);
    const { policy, diagnostics } = reader.resolve('p.xml', text, pathsOf('bulkhead-test'));
    assert.deepEqual(diagnostics, []);
    assert.deepEqual(policy?.agent.alerts.rules[0]?.limits, [
      'cpu.limit',
      ...[...words.values()].flat(),
      'host.protection',
    ]);
    const assignments = parseAssignments(['memory=1GiB']);
    assert.ok(assignments.ok);
    assert.ok(setLimits(text, { kind: 'defaults' }, assignments.value).ok);
  });

  test('has advice and a sentence for each key that is not a limit', () => {
    assert.ok(words.size > 0);
    for (const key of [...words.values()].flat()) {
      const kind = all.get(key);
      assert.ok(kind?.topic !== undefined && kind.topic.advice.length > 20, key);
      assert.match(kind.happened?.({ severity: 'refused', faults: 3 }, []) ?? '', /3 times/, key);
    }
  });

  test('reads back stored evidence, and redacts paths, clients and URLs', () => {
    const examples = {
      links: { at: 1, program: 'nginx', link: '/h/a', target: '/h/b', targetOwner: 'ben' },
      tries: { at: 1, program: 'nosy', tried: 'tried to make a user namespace' },
      requests: { at: 1, site: 'a.example', client: '::1', method: 'GET', url: '/secret' },
    };
    for (const [kind, item] of Object.entries(examples)) {
      const evidence = { kind, items: [item] };
      assert.deepEqual(all.read(JSON.parse(JSON.stringify(evidence))), evidence);
      const redacted = all.redact(evidence);
      assert.deepEqual(all.read(redacted), redacted);
      const [whole = '', less = ''] = [evidence, redacted].flatMap((each) => all.lines(each));
      assert.notEqual(whole, less);
      assert.doesNotMatch(JSON.stringify([redacted, less]), /\/h\/|tried to|::1|GET|secret/);
    }
  });
});
