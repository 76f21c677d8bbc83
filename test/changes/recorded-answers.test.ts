/** The recorded changes as the API answers with them, in parts if there are many or each takes long. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { PolicyChangesResponse } from '../../src/agent/api/policy-api.ts';
import { policyContext } from '../../src/agent/policy/policy-context.ts';
import { answerChanges } from '../../src/agent/policy/recorded-changes.ts';
import { recordApplied } from '../../src/apply/change-record.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const everything = { from: 0, to: Number.MAX_SAFE_INTEGER };

async function contextIn(directory: string) {
  const [etc, state] = [`${directory}/etc`, `${directory}/state`];
  const paths = { ...pathsOf('bulkhead-recorded-answers'), etc, state };
  mkdirSync(etc);
  writeFileSync(`${etc}/passwd`, 'alice:x:61001:61001::/:/bin/sh\nbob:x:61002:61002::/:/bin/sh\n');
  const root = { kind: 'administrator' } as const;
  const question = { kind: 'changes', tenant: undefined, ...everything } as const;
  const file = `${directory}/policy.xml`;
  return policyContext({ paths, file, audience: root, editor: root, author: {}, question }, []);
}

/** Reads all parts; returns the numbers of the changes in each. */
function partsOf(
  context: Awaited<ReturnType<typeof contextIn>>,
  tenant: string | undefined,
  clock?: () => number,
): readonly (readonly number[])[] {
  const parts: (readonly number[])[] = [];
  for (let before: number | undefined = Infinity; before !== undefined;) {
    const question = { kind: 'changes', tenant, ...everything, before } as const;
    const { status, body } = answerChanges(context, question, clock);
    assert.equal(status, 200, body);
    const { changes, older } = JSON.parse(body) as PolicyChangesResponse;
    parts.push(changes.map(({ number }) => number));
    before = older;
  }
  return parts;
}

test('older changes come with the next request, whether there are many or each takes long', async (t) => {
  const context = await contextIn(testDirectory(t, 'recorded-answers'));
  const { paths, file } = context;
  const apply = (body: string) => {
    const text = `<bulkhead version="1">${body}</bulkhead>\n`;
    const inForce = { way: 'by hand', outcome: 'in force', problems: [] } as const;
    const recorded = recordApplied(paths, { file, text, ...inForce, keepMilliseconds: 1e12 });
    assert.ok(recorded.ok, JSON.stringify(recorded));
  };
  // The even ones are of her package.
  const applyAll = (from: number, to: number) => {
    for (let number = from; number <= to; number++) {
      const [gold, plain] = [100 + Math.floor(number / 2), 100 + Math.floor((number - 1) / 2)];
      apply(`<package name="gold"><cpu limit="${gold}%"/></package>
      <package name="plain"><cpu limit="${plain}%"/></package>
      <tenant user="alice" package="gold"/><tenant user="bob" package="plain"/>`);
    }
  };
  applyAll(1, 20);
  assert.deepEqual(partsOf(context, 'alice'), [[20, 18, 16, 14, 12, 10, 8, 6, 4, 2]]);
  let now = 0;
  const parts = partsOf(context, 'alice', () => (now += 4_000));
  assert.ok(parts.length > 5 && parts.every((each) => each.length <= 2));
  assert.deepEqual(parts.flat(), partsOf(context, 'alice').flat());
  applyAll(21, 205);
  const [first = [], second, ...none] = partsOf(context, undefined);
  assert.deepEqual([first.length, first[0]], [200, 205]);
  assert.deepEqual([second, none.length], [[5, 4, 3, 2, 1], 0]);
});
