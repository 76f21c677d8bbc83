/** Releases by which resellers gain rights that only the host's own file gives. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { needsRights } from '../../../src/policy/fleet/needs-rights.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';

function documentOf(inside: string) {
  const { document, diagnostics } = parsePolicy(
    'p.xml',
    `<bulkhead version="1">${inside}</bulkhead>`,
  );
  assert.ok(document !== undefined && !diagnostics.failed, inside);
  return document;
}

const refused = (own: string, release: string, before?: string) =>
  needsRights({
    own: documentOf(own),
    release: documentOf(release),
    before: before === undefined ? undefined : documentOf(before),
  }).map(({ element, word }) => `${element} ${word}`);

suite('needsRights()', () => {
  const eve = '<reseller user="eve" may="limits packages"/>';
  const bobWithEve = '<reseller user="eve"><tenant user="bob"/></reseller>';

  test("a tenant of the own file comes to no reseller without root's word", () => {
    const own = `${eve}<tenant user="bob"/>`;
    const expected = ['tenant user="bob"> inside <reseller rights'];
    assert.deepEqual(refused(own, bobWithEve), expected);
    assert.deepEqual(refused(own, bobWithEve, '<tenant user="bob"/>'), expected);
    const elsewhere = '<reseller user="acme"><tenant user="bob"/></reseller>';
    assert.deepEqual(refused(own, bobWithEve, elsewhere), expected);
  });

  test('tenants of the fleet are its own, also once "bulkhead set" has named them', () => {
    assert.deepEqual(refused(eve, bobWithEve), []);
    assert.deepEqual(refused(`${eve}<tenant user="bob"/>`, bobWithEve, bobWithEve), []);
    assert.deepEqual(refused('<tenant user="bob"/>', '<tenant user="bob"/>'), []);
  });

  test("a package that resellers could give comes only with root's word", () => {
    const p = '<package name="p"><cpu limit="100%"/></package>';
    const expected = ['package name="p" rights'];
    assert.deepEqual(refused(eve, p), expected);
    assert.deepEqual(
      refused(eve, p, '<package name="p" for="acme"/><reseller user="acme"/>'),
      expected,
    );
    assert.deepEqual(refused('<reseller user="eve" may="limits"/>', p), []);
    assert.deepEqual(refused(eve, p, p), []);
    assert.deepEqual(refused(`${eve}<package name="p" for="eve"/>`, p), []);
  });
});
