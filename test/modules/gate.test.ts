import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { gateEventStruct, parseGateEvent } from '../../src/modules/core/gate/gate-event.ts';
import {
  changesOf,
  gateListOf,
  gateListText,
  listedDigests,
  parseGateList,
  type GateList,
} from '../../src/modules/core/gate/gate-list.ts';
import { formatGateList, unjudged } from '../../src/modules/core/gate/list-text.ts';
import type { ModuleReport, ScanReport } from '../../packages/modules/core/reports/report.ts';

const digest = (byte: number) => byte.toString(16).padStart(2, '0').repeat(32);

const module = (name: string, byte: number, more: Partial<ModuleReport> = {}) =>
  ({
    file: `/lib/modules/6.1/${name}.ko.xz`,
    name,
    sha256: digest(byte),
    trustLevel: 'unsupported',
    evidence: [],
    deniedReason: null,
    accepted: null,
    undecidedReason: null,
    ...more,
  }) as unknown as ModuleReport;

const listOf = (...modules: readonly ModuleReport[]): GateList =>
  gateListOf({ kernel: { release: '6.1' }, modules } as unknown as ScanReport);

suite('gate list', () => {
  test('gateListOf() lists accepted modules, and the reason for each refused one', () => {
    const proof = {
      check: 'license-nul',
      weight: 'proof',
      message: 'a NUL in its license',
    } as const;
    const list = listOf(
      module('plain', 1),
      module('accepted', 2, { accepted: true }),
      module('denied', 3, { deniedReason: 'claims GPL, no source', accepted: true }),
      module('low', 4, { accepted: false }),
      module('unclear', 5, { undecidedReason: 'the exports are not known' }),
      module('liar', 6, { trustLevel: 'contradicted', evidence: [proof] }),
    );
    assert.deepEqual(
      list.modules.map(({ name, refusedReason }) => [name, refusedReason]),
      [
        ['plain', null],
        ['accepted', null],
        ['denied', 'claims GPL, no source'],
        ['low', 'the policy requires more than "unsupported"'],
        ['unclear', 'whether the policy accepts it is not known: the exports are not known'],
        ['liar', 'it is contradicted: a NUL in its license'],
      ],
    );
    assert.deepEqual(listedDigests(list), [digest(1), digest(2)]);
  });

  test('changesOf() compares modules by digest', () => {
    const before = listOf(module('a', 1), module('b', 2));
    const after = listOf(module('a', 1), module('b', 3), module('copy', 1));
    const { added, removed } = changesOf(before, after);
    assert.deepEqual(
      [added.map((each) => each.sha256), removed.map((each) => each.sha256)],
      [[digest(3)], [digest(2)]],
    );
    assert.deepEqual(changesOf(undefined, before).removed, []);
  });

  test('formatGateList() prints each reason once, and one line when no module may load', () => {
    const refused = { accepted: false } as const;
    const text = (list: GateList) => formatGateList(list, changesOf(undefined, list));
    const many = Array.from({ length: 11 }, (_, index) => module(`m${index}`, index, refused));
    assert.equal(
      text(listOf(module('plain', 50), ...many, module('denied', 60, { deniedReason: 'no' }))),
      [
        'Linux 6.1: 1 module may load, 12 may not',
        '  refused  11 modules: the policy requires more than "unsupported"',
        '  refused  denied: no',
      ].join('\n'),
    );
    const none = listOf(...many);
    assert.equal(
      text(none),
      'Linux 6.1: none of 11 modules may load: the policy requires more than "unsupported"',
    );
    assert.equal(unjudged(listOf(module('plain', 1))), undefined);
    assert.equal(unjudged(listOf()), undefined);
  });

  test('parseGateList() reads back what gateListText() writes, for any file names', () => {
    const modules = fc.array(
      fc.record(
        {
          file: fc.string(),
          name: fc.string(),
          sha256: fc.integer({ min: 0, max: 255 }).map(digest),
          refusedReason: fc.option(fc.string()),
        },
        { noNullPrototype: true },
      ),
    );
    fc.assert(
      fc.property(modules, (all) => {
        const list = { release: '6.1', modules: all };
        assert.deepEqual(parseGateList(gateListText(list), 'list'), { ok: true, value: list });
      }),
    );
  });

  test('parseGateList() fails when the list is cut or has an invalid line', () => {
    const text = gateListText(listOf(module('a', 1), module('b', 2)));
    for (let length = 0; length < text.length; length++)
      assert.equal(parseGateList(text.slice(0, length), 'list').ok, false, `${length} bytes`);
    for (const wrong of [
      '',
      '{}\n',
      '{"format":2,"release":"6.1"}\n',
      text.replace(digest(2), 'no'),
    ])
      assert.equal(parseGateList(wrong, 'list').ok, false);
  });
});

test('parseGateEvent() reads all fields, and escapes control characters in names', () => {
  const bytes = new Uint8Array(gateEventStruct.size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 5n, true);
  [7, 1001, 1, 1].forEach((value, index) => view.setUint32(8 + 4 * index, value, true));
  view.setInt32(24, -95, true);
  view.setUint32(28, 1, true);
  bytes.set(new TextEncoder().encode('insmod'), 64);
  bytes.set(new TextEncoder().encode('a\u001b[2J.ko'), 80);
  assert.deepEqual(parseGateEvent(bytes), {
    nanoseconds: 5n,
    pid: 7,
    uid: 1001,
    from: 'memory',
    mode: 'on',
    refused: true,
    algorithm: undefined,
    unstable: false,
    digest: '00'.repeat(32),
    command: 'insmod',
    name: 'a\\u{1b}[2J.ko',
  });
  assert.equal(parseGateEvent(bytes.subarray(1)), undefined);
  view.setInt32(24, -15, true);
  assert.equal(parseGateEvent(bytes)?.unstable, true);
});
