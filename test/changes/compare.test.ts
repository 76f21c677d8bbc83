/** The comparison of policies, and the undo of a change in a text that was edited since. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatProblemOrCause } from '../../packages/base/problem.ts';
import { comparePolicies } from '../../src/policy/changes/compare.ts';
import { describeChange, valueChanges } from '../../src/policy/changes/describe.ts';
import { undoChange } from '../../src/policy/changes/undo.ts';
import { removeTarget, rootOf } from '../../src/policy/edit.ts';
import { anyPolicy } from '../policy/any-policy.ts';
import {
  assignments,
  defaults,
  pack,
  policy,
  reseller,
  set,
  tenant,
} from '../policy/edit-targets.ts';

const changesOf = (before: string, after: string) =>
  valueChanges(comparePolicies(rootOf(before), rootOf(after))).map(describeChange);

function undo(now: string, before: string, after: string): string {
  const undone = undoChange(now, { before, after });
  if (!undone.ok) assert.fail(undone.error.map(formatProblemOrCause).join('\n'));
  return undone.value;
}

const conflicts = (now: string, before: string, after: string) => {
  const undone = undoChange(now, { before, after });
  return undone.ok ? [] : undone.error.map(formatProblemOrCause);
};

const base = policy(
  '  <!-- for everybody -->',
  '  <defaults><cpu limit="100%"/></defaults>',
  '',
  '  <package name="gold"><memory limit="1GiB"/></package>',
  '  <tenant user="alice" package="gold">',
  '    <cpu limit="50%"/> <!-- hers -->',
  '    <site name="a.example"><cpu limit="20%"/></site>',
  '  </tenant>',
  '  <reseller user="acme"><tenant uid="1005"/></reseller>',
);

describe('comparePolicies()', () => {
  test('names the element, the setting, and both values', () => {
    const after = base
      .replace('"50%"', '"150%"')
      .replace('"1GiB"', '"2GiB" soft="1GiB"')
      .replace('package="gold"', '')
      .replace('"20%"', '"30%"')
      .replace('<tenant uid="1005"/>', '')
      .replace('<defaults>', '<tenant user="bob"><io read="1MiB/s"/></tenant><defaults>');
    assert.deepEqual(changesOf(base, after).toSorted(), [
      'package "gold": memory.limit 1GiB → 2GiB',
      'package "gold": memory.soft set to 1GiB',
      'site "a.example" of tenant "alice": cpu.limit 20% → 30%',
      'tenant "alice": cpu.limit 50% → 150%',
      'tenant "alice": package gold removed',
      'tenant "bob": added',
      'tenant "bob": io.read set to 1MiB/s',
      'tenant uid 1005 of reseller "acme": removed',
    ]);
  });

  test('finds nothing in comments, layout, quotes and the order of attributes', () => {
    const after = base
      .replace('<!-- hers -->', '')
      .replace('<tenant user="alice" package="gold">', "<tenant package='gold'\n user='alice'>")
      .replace('    <cpu', '<cpu');
    assert.deepEqual(changesOf(base, after), []);
  });

  test('reports another order, and pairs equal elements without a name', () => {
    const rules = (...limits: string[]) =>
      policy(
        '<agent><alerts>',
        ...limits.map((each) => `<mail to="${each}"/>`),
        '</alerts></agent>',
      );
    assert.deepEqual(changesOf(rules('a', 'b'), rules('b')), ['<agent>: alerts.mail.to a removed']);
    assert.deepEqual(changesOf(rules('a', 'b'), rules('b', 'a')), ['<agent>: other order']);
  });
});

describe('undoChange()', () => {
  test('keeps later changes, comments and layout', () => {
    const after = set(base, tenant('alice'), 'cpu=150% memory=1GiB');
    const later = set(after, pack('gold'), 'memory=3GiB').replace('<!-- hers -->', '<!-- more -->');
    assert.equal(
      undo(later, base, after),
      set(base, pack('gold'), 'memory=3GiB').replace('<!-- hers -->', '<!-- more -->'),
    );
  });

  test('gives back an element that was removed, with its comments, where it was', () => {
    const removed = removeTarget(base, tenant('alice'));
    assert.ok(removed.ok);
    assert.equal(undo(removed.value, base, removed.value), base);
  });

  test('gives back several attributes of one element', () => {
    const before = policy(
      '<tenant user="a" package="p"><io read="1MiB/s" write="2MiB/s"/></tenant>',
    );
    const after = policy(
      '<tenant user="a"><io writeops="9" write="3MiB/s" readops="10000000"/></tenant>',
    );
    const now = after.replace('"a"', '"a"  ').replace('"3MiB/s"', "'3MiB/s' ");
    assert.deepEqual(changesOf(before, undo(now, before, after)), []);
    assert.match(undo(now, before, after), /write='2MiB\/s'/);
  });

  test('changes nothing if a value was changed since, and names each', () => {
    const after = set(base, tenant('alice'), 'cpu=150% memory=1GiB');
    const later = set(after, tenant('alice'), 'cpu=200% memory=2GiB');
    assert.deepEqual(conflicts(later, base, after), [
      '"tenant "alice": cpu.limit 50% → 150%" cannot be undone: it is "200%" now',
      '"tenant "alice": memory.limit set to 1GiB" cannot be undone: it was changed since',
    ]);
    const removed = removeTarget(after, tenant('alice'));
    assert.ok(removed.ok);
    assert.match(
      conflicts(removed.value, base, after).join('\n'),
      /the element is no longer there/,
    );
  });

  test('changes nothing if it cannot tell apart the elements that it had changed', () => {
    const before = policy('<x a="20"/><x a="3"/>');
    const after = policy('<x a="100"/><x a="100"/>');
    const now = after.replace('</bulkhead>', '<!-- later --></bulkhead>');
    assert.match(conflicts(now, before, after).join(), /there are several such elements now/);
  });

  test('tells paths of a jail apart by their place', () => {
    const jail = (...paths: string[]) =>
      policy(`<tenant user="a"><jail profile="default">${paths.join('')}</jail></tenant>`);
    const one = '<path at="/srv/one" access="read"/>';
    const two = '<path at="/srv/two" access="read"/>';
    const before = jail(one, two);
    const after = jail(one, two.replace('read', 'write'));
    const now = jail(two.replace('read', 'write'), one.replace('read', 'none'));
    assert.equal(undo(now, before, after), jail(two, one.replace('read', 'none')));
    assert.match(
      conflicts(before.replace(two, ''), before, after).join(),
      /path "\/srv\/two" of <jail> of tenant "a": access read → write/,
    );
  });

  test('undoing twice changes nothing more', () => {
    const after = set(base, tenant('alice'), 'cpu=150% memory=1GiB package=');
    assert.equal(undo(base, base, after), base);
    const removed = removeTarget(base, tenant('alice'));
    assert.ok(removed.ok);
    assert.equal(undo(base, base, removed.value), base);
  });

  test('says so if only comments changed, or a text is not XML', () => {
    const other = base.replace('<!-- hers -->', '');
    assert.match(conflicts(other, base, other).join(), /only comments and layout/);
    assert.match(conflicts(base, '<bulk', base).join(), /not XML/);
  });

  const targets = [
    defaults,
    pack('p1'),
    reseller('r1'),
    tenant('t1'),
    tenant('new'),
    pack('other'),
  ];
  const words = fc.constantFrom(
    'cpu=25%',
    'memory=3GiB io.read=1MiB/s',
    'processes=7 memory.soft=1GiB',
  );
  const edit = fc.record({ target: fc.constantFrom(...targets), words, remove: fc.boolean() });

  test('gives back the former meaning in any layout, and keeps an edit of something else', () => {
    let kept = 0;
    fc.assert(
      fc.property(anyPolicy, edit, edit, (before, first, second) => {
        const apply = (text: string, { target, words: limits, remove }: typeof first) => {
          if (!remove) return set(text, target, limits);
          const removed = removeTarget(text, target, { withTenants: true });
          return removed.ok ? removed.value : text;
        };
        assert.ok(assignments(first.words).length > 0);
        const after = apply(before, first);
        if (after === before) return;
        const isSame = (left: string, right: string) =>
          assert.deepEqual(changesOf(left, right), [], `${left}\n${right}`);
        isSame(before, undo(after, before, after));
        const places = [first.target, second.target];
        if (first.target === second.target || places.includes(targets[2] ?? defaults)) return;
        const later = apply(after, second);
        isSame(apply(before, second), undo(later, before, after));
        kept++;
      }),
      { numRuns: 500 },
    );
    assert.ok(kept > 50);
  });
});
