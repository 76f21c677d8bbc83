/** The note to a caller that sets limits of a site that no web server has; nobody else gets it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unservedNote } from '../../src/cli/commands/policy/unserved-note.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const text =
  '<bulkhead version="1"><tenant uid="5001"><site name="old.example"/></tenant><tenant uid="5002"/></bulkhead>';
const { document } = parsePolicy('p.xml', text);
assert.ok(document);
const policy = resolvePolicy(document, { accounts: [], uidMin: 1000 });
const served = new Map([[5001, new Set(['shop.example'])]]);

test('unservedNote() returns a note for a new site that is not served for the tenant', async () => {
  const note = async (name: string) => unservedNote(name, policy, async () => served);
  assert.match(
    (await note('5001/typo.example')) ?? '',
    /^No web server serves "5001\/typo\.example" .*"bulkhead web status"/,
  );
  assert.match((await note('5002/shop.example')) ?? '', /^No web server serves/);
  for (const name of ['5001/shop.example', '5001/SHOP.example', '5001', '5003/shop.example'])
    assert.equal(await note(name), undefined, name);
});

test('unservedNote() returns nothing for a known site, and when nothing is known', async () => {
  let asked = 0;
  const unknown = async () => {
    asked++;
    return undefined;
  };
  assert.equal(await unservedNote('5001/Old.example', policy, unknown), undefined);
  assert.equal(asked, 0);
  assert.equal(await unservedNote('5001/typo.example', policy, unknown), undefined);
  assert.equal(asked, 1);
});
