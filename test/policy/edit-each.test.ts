/** Many edits at once make the same text as one after another, and parse a large policy a few times only. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { withChange } from '../../src/apply/edits/wanted-change.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { setLimits, withLimits, type EditTarget } from '../../src/policy/edit.ts';
import { editEach, type ElementEdit } from '../../src/policy/elements/edit-each.ts';
import { anyPolicy } from './any-policy.ts';
import { assignments, defaults, pack, policy, reseller, tenant } from './edit-targets.ts';

const nobody = tenant('nobody');
const byUid: EditTarget = { kind: 'tenant', name: { kind: 'uid', uid: 1005 } };
const targets = [defaults, pack('p1'), reseller('r1'), tenant('t1'), byUid, nobody];
const words = ['cpu=70%', 'cpu=', 'memory.soft=', 'memory.limit=2GiB', 'io.read=', 'processes=5'];
const anyEdit = fc.record({
  target: fc.constantFrom(...targets),
  assignments: fc
    .uniqueArray(fc.constantFrom(...words), {
      minLength: 1,
      maxLength: 3,
      selector: (word) => word.split('=')[0],
    })
    .map((some) => assignments(some.join(' '))),
});

function oneAfterAnother(text: string, edits: readonly ElementEdit[]) {
  let now = text;
  for (const { target, assignments: made } of edits) {
    const edited = withLimits(now, target, made);
    if (!edited.ok) return edited;
    now = edited.value;
  }
  return now;
}

test('editEach() makes the text that single edits make, or leaves them to be made singly', () => {
  let together = 0;
  fc.assert(
    fc.property(anyPolicy, fc.array(anyEdit, { minLength: 1, maxLength: 4 }), (text, edits) => {
      const made = editEach(text, edits);
      if (made === undefined) return;
      together++;
      assert.deepEqual(made.ok ? made.value : made, oneAfterAnother(text, edits));
    }),
    { numRuns: 2000 },
  );
  assert.ok(together > 200, `${together}`);
});

test('editEach() refuses what single edits refuse', () => {
  const text = policy('  <tenant user="t1"/>', '  <tenant user="t2"/>');
  const edits = [
    { target: tenant('t1'), assignments: assignments('cpu=10%') },
    { target: tenant('t2'), assignments: assignments('package=none') },
  ];
  assert.deepEqual(editEach(text, edits), oneAfterAnother(text, edits));
});

/** Counts the texts that are parsed, and their characters. */
function countingParses<T>(work: () => T): { readonly value: T; readonly characters: number } {
  // oxlint-disable-next-line typescript/unbound-method -- it is called with its object
  const { write } = SaxesParser.prototype;
  let characters = 0;
  SaxesParser.prototype.write = function (this: SaxesParser, chunk) {
    if (typeof chunk === 'string') characters += chunk.length;
    return write.call(this, chunk);
  };
  try {
    return { value: work(), characters };
  } finally {
    SaxesParser.prototype.write = write;
  }
}

test('a hundred edits of a large policy parse about as much as one', () => {
  const users = Array.from({ length: 2_000 }, (_, index) => `u${index}`);
  const text = policy(
    ...users.flatMap((user) => [
      `  <tenant user="${user}">`,
      '    <cpu limit="10%"/>',
      '  </tenant>',
    ]),
  );
  const edits = users.slice(0, 100).map((user) => ({
    target: `tenant ${user}`,
    set: [
      ['cpu', '20%'],
      ['memory', '1GiB'],
    ] as const,
    unset: [],
    remove: false,
  }));
  const paths = pathsOf('bulkhead-edit-each');
  const { value, characters } = countingParses(() =>
    withChange(text, { kind: 'edits', edits }, paths),
  );
  assert.ok(value.ok);
  assert.ok(characters < 2 * text.length, `${characters} of ${text.length} characters`);
  const single = countingParses(() =>
    setLimits(text, tenant('u7'), assignments('cpu=20% io.read=')),
  );
  assert.ok(single.value.ok);
  assert.ok(single.characters < 4 * text.length, `${single.characters}`);
});
