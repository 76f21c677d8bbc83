/** `<database counts="yes"/>`: to whose CPU limit the CPU time of database servers counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countedCpuOf, countsDatabases } from '../../../src/policy/databases/counted-cpu.ts';
import { withLimitNow } from '../../../src/policy/databases/explain-counts.ts';
import { LineIndex } from '../../../src/policy/diagnostic.ts';
import { explain } from '../../../src/policy/explain.ts';
import { lowerOf } from '../../../src/policy/inheritance/lower-limits.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { linksTo } from '../../../src/policy/policy.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';

const accounts = [1001, 1002, 1003, 1005].map((uid) => ({
  user: `u${uid}`,
  uid,
  gid: uid,
  home: `/h/${uid}`,
}));

function read(text: string) {
  const whole = `<bulkhead version="1">${text}</bulkhead>`;
  const { document, diagnostics } = parsePolicy('p.xml', whole);
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts, uidMin: 1000 });
  return { document, policy, messages: diagnostics.list.map(({ message }) => message) };
}

test('it is inherited from the nearest element, and needs a CPU limit', () => {
  const { policy, messages } = read(`<defaults><cpu limit="50%"/><database counts="yes"/></defaults>
    <package name="apart"><database counts="no"/></package>
    <package name="free"><cpu limit="unlimited"/></package>
    <tenant user="u1001"/><tenant user="u1002" package="apart"/><tenant user="u1003" package="free"/>`);
  assert.deepEqual(messages, []);
  assert.deepEqual(policy.tenants.map(countedCpuOf), [0.5, undefined, undefined]);
  const [first, second] = policy.tenants;
  assert.ok(first && second);
  const why = (tenant: typeof first) =>
    explain({ tenant, site: undefined }, policy, new LineIndex(policy.text));
  assert.deepEqual(why(first).databaseCounts, { counts: 'yes', from: 'defaults', line: 1 });
  assert.equal(withLimitNow(why(first), 0.3333).databaseCounts?.limitNow, '33.3%');
  assert.deepEqual(why(second).databaseCounts, {
    counts: 'no',
    from: 'package "apart"',
    line: 2,
  });
});

test('mistakes are reported', () => {
  const said = (text: string) => read(text).messages.join('\n');
  assert.match(
    said('<tenant user="u1001"><database counts="yess"/></tenant>'),
    /"yess" is not one of no, yes; did you mean "yes"/,
  );
  assert.match(
    said('<reseller user="u1001"><database counts="yes"/></reseller>'),
    /write counts into the package of its tenants/,
  );
  assert.notEqual(
    said('<tenant user="u1001"><site name="a.example"><database counts="yes"/></site></tenant>'),
    '',
  );
});

test('an account that keeps its last package has it if it counts in one of the two', () => {
  const chainOf = (counts: 'yes' | 'no') => {
    const { document } = read(`<package name="p"><database counts="${counts}"/></package>`);
    return linksTo('package', document.packages[0], 'p');
  };
  for (const one of ['yes', 'no'] as const)
    for (const other of ['yes', 'no'] as const)
      assert.equal(
        countsDatabases({ chain: lowerOf(chainOf(one), chainOf(other)) }),
        one === 'yes' || other === 'yes',
      );
});
