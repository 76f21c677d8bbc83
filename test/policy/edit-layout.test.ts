/** Edits of a policy in any layout change nothing else in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatProblemOrCause } from '../../packages/base/problem.ts';
import type { LimitBlock, TenantElement } from '../../src/policy/document.ts';
import { removeTarget, type EditTarget } from '../../src/policy/edit.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { xmlAttribute, type XmlElement } from '../../src/policy/xml.ts';
import { defaults, pack, reseller, set, tenant } from './edit-targets.ts';
import { anyPolicy } from './any-policy.ts';

/** Returns the meaning of a policy, regardless of how it is written. */
function meaning(text: string) {
  const { document, diagnostics } = parsePolicy('', text);
  assert.ok(document !== undefined && !diagnostics.failed, JSON.stringify(diagnostics.list));
  const values = ({ values }: LimitBlock) =>
    Object.fromEntries([...values].map(([key, { value }]) => [key, value] as const).sort());
  const one = (each: TenantElement) => ({
    name: each.name.value,
    package: each.package?.value,
    values: values(each),
  });
  return {
    defaults: document.defaults && values(document.defaults),
    packages: document.packages.map((each) => [each.name.value, values(each)]),
    tenants: document.tenants.map(one),
    resellers: document.resellers.map((each) => ({
      name: each.name.value,
      package: each.package?.value,
      values: values(each),
      tenants: each.tenants.map(one),
    })),
    deny: document.modules?.deny.map((each) => each.reason),
  };
}

const comments = (text: string) => text.match(/<!--[\s\S]*?-->/g) ?? [];

/** Returns the first element of the text that the target could be. */
function elementOf(text: string, target: EditTarget): XmlElement | undefined {
  const root = parsePolicy('', text).document?.root;
  const all = root?.children.flatMap((each) => [each, ...each.children]) ?? [];
  return all.find((each) => {
    if (each.name !== target.kind) return false;
    if (target.kind === 'defaults') return true;
    if (target.kind === 'package' || target.kind === 'site')
      return xmlAttribute(each, 'name')?.value === target.name;
    return target.name.kind === 'user'
      ? xmlAttribute(each, 'user')?.value === target.name.user
      : xmlAttribute(each, 'uid')?.value === String(target.name.uid);
  });
}

const anyTarget = fc.constantFrom<EditTarget>(
  defaults,
  pack('p1'),
  pack('new'),
  reseller('r1'),
  reseller('r2'),
  tenant('t1'),
  tenant('t2'),
  { kind: 'tenant', name: { kind: 'uid', uid: 1005 } },
);

const anyWords = fc.uniqueArray(
  fc.constantFrom(
    'cpu=77%',
    'cpu.weight=7',
    'memory=7GiB',
    'memory.soft=6GiB',
    'io.read=7MiB/s',
    'entries=7',
    'disk.files=7',
  ),
  { minLength: 1, maxLength: 4 },
);

function assertSameOutside(before: string, after: string, target: EditTarget): void {
  const element = elementOf(before, target);
  if (element === undefined) return assertInserted(before, after);
  assert.equal(after.slice(0, element.start), before.slice(0, element.start));
  assert.ok(after.endsWith(before.slice(element.end)));
}

/** Checks that `after` is `before` with an insertion at one place. */
function assertInserted(before: string, after: string): void {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same++;
  assert.ok(after.endsWith(before.slice(same)) && after.length >= before.length);
}

test('setLimits() changes the given values and not a byte elsewhere', () => {
  fc.assert(
    fc.property(anyPolicy, anyTarget, anyWords, (text, target, words) => {
      const after = set(text, target, words.join(' '));
      assertSameOutside(text, after, target);
      assert.deepEqual(comments(after), comments(text));
      const edited = elementOf(after, target);
      for (const word of words) {
        const [key = '', value] = word.split('=');
        const [limit, attribute = 'limit'] = key.split('.');
        const element = edited?.children.find((each) => each.name === limit);
        assert.equal(element && xmlAttribute(element, attribute)?.value, value);
      }
      assert.equal(set(after, target, words.join(' ')), after);
      if (!text.replaceAll('\r\n', '').includes('\n')) {
        if (text.includes('\r\n')) assert.ok(!after.replaceAll('\r\n', '').includes('\n'));
      }
    }),
    { numRuns: 1500 },
  );
});

test('setLimits() leaves the meaning unchanged when it sets and then removes a limit', () => {
  fc.assert(
    fc.property(anyPolicy, anyTarget, anyWords, (text, target, words) => {
      const before = meaning(text);
      const keys = words.map((word) => word.split('=')[0] ?? '');
      const existing = elementOf(text, target);
      const fresh = keys.filter((key) => {
        const [limit, attribute = 'limit'] = key.split('.');
        const element = existing?.children.find((each) => each.name === limit);
        return element === undefined || xmlAttribute(element, attribute) === undefined;
      });
      fc.pre(existing !== undefined && fresh.length > 0);
      const changed = set(text, target, fresh.map((key) => words[keys.indexOf(key)]).join(' '));
      const restored = set(changed, target, fresh.map((key) => `${key}=`).join(' '));
      assert.deepEqual(meaning(restored), before);
      assert.deepEqual(comments(restored), comments(text));
      assertSameOutside(text, restored, target);
    }),
    { numRuns: 1500 },
  );
});

test('setLimits() replaces only the text between the quotes when there is a value', () => {
  fc.assert(
    fc.property(anyPolicy, anyTarget, (text, target) => {
      const limit = elementOf(text, target)?.children.find((each) => each.name === 'processes');
      const at = limit && xmlAttribute(limit, 'limit');
      fc.pre(at !== undefined);
      const after = set(text, target, 'processes=4242');
      assert.equal(after, `${text.slice(0, at.start)}4242${text.slice(at.end)}`);
    }),
  );
});

test('removeTarget() keeps every other element, and every comment outside it', () => {
  fc.assert(
    fc.property(anyPolicy, anyTarget, (text, target) => {
      const element = elementOf(text, target);
      fc.pre(element !== undefined && target.kind !== 'package');
      const edited = removeTarget(text, target, { withTenants: true });
      const after = edited.ok
        ? edited.value
        : assert.fail(edited.error.map(formatProblemOrCause).join());
      assert.equal(elementOf(after, target), undefined);
      const outside = text.slice(0, element.start) + text.slice(element.end);
      assert.deepEqual(comments(after), comments(outside));
      assert.deepEqual(meaning(after), meaning(outside));
    }),
    { numRuns: 500 },
  );
});
