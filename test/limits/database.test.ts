import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantityKinds } from '../../packages/base/quantity.ts';
import { parseAssignments } from '../../src/policy/assignment.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { limitRows } from '../../src/agent/metrics/member-families.ts';
import { limitAttribute } from '../../src/limits/limits.ts';
import { higherValue } from '../../src/usage/higher-value.ts';

const account = { user: 'alice', uid: 1001, gid: 1001, home: '/home/alice' };

function resolved(body: string) {
  const text = `<bulkhead version="1">${body}</bulkhead>`;
  const { document, diagnostics } = parsePolicy('policy.xml', text);
  const policy = document && resolvePolicy(document, { accounts: [account], uidMin: 1000 });
  return { policy, messages: diagnostics.list.map(({ message }) => message) };
}

test('<database> limits a tenant, whose times are in milliseconds', () => {
  const { policy, messages } = resolved(
    '<defaults><database cpu="50%" connections="20" statement="30s"/></defaults><tenant user="alice"><database cpu="1 core" transaction="5min"/></tenant>',
  );
  assert.deepEqual(messages, []);
  assert.deepEqual(policy?.tenants[0]?.values, {
    'database.cpu': 1,
    'database.connections': 20,
    'database.statement': 30_000,
    'database.transaction': 300_000,
  });
});

test('<database> in a site, and values that mean nothing, are errors with what to do', () => {
  const wrong: readonly (readonly [body: string, message: RegExp])[] = [
    [
      '<tenant user="alice"><site name="a.example"><database cpu="1%"/></site></tenant>',
      /accounts of database servers belong to a tenant/,
    ],
    ['<defaults><database statement="30"/></defaults>', /"30" is not a duration/],
    ['<defaults><database statement="0.5s"/></defaults>', /too small/],
    ['<defaults><database connections="0"/></defaults>', /too small/],
    ['<defaults><database transaction="-5min"/></defaults>', /negative/],
    ['<defaults><database count="yes"/></defaults>', /did you mean "counts"/],
  ];
  for (const [body, message] of wrong) assert.match(resolved(body).messages.join('\n'), message);
});

test('a tenant above its reseller is a warning, for each attribute', () => {
  const { messages } = resolved(
    '<reseller uid="1000"><database cpu="50%" connections="5" statement="10s" transaction="10s"/><tenant user="alice"><database cpu="60%" connections="6" statement="11s" transaction="11s"/></tenant></reseller>',
  );
  const above = messages.filter((each) => /^The database .* is above the/.test(each));
  assert.equal(above.length, 4, messages.join('\n'));
});

test('parseAssignments() takes times of a database, and says which values there are', () => {
  assert.ok(parseAssignments(['database.statement=30s', 'database.transaction=5 min']).ok);
  const parsed = parseAssignments(['database=30s']);
  assert.ok(!parsed.ok);
  assert.match(JSON.stringify(parsed.error), /database\.cpu, database\.connections/);
});

test('limitRows counts times in seconds', () => {
  const row = limitRows.find(([key]) => key === 'database.statement');
  assert.equal(row?.[1].name, 'limit_database_statement_seconds');
  assert.equal(row?.[1].perUnit, 1000);
});

test('higherValue() proposes times that a person would write, in one word', () => {
  for (const [text, higher] of [
    ['1s', '2s'],
    ['30s', '45s'],
    ['5min', '8min'],
    ['2 days', '3days'],
  ] as const) {
    assert.equal(higherValue('duration', text), higher);
    assert.ok(quantityKinds.duration.parse(higher).ok);
  }
});

test('each attribute is enforced partially, with the reason and what to do', () => {
  const { limit } = limitAttribute('database.cpu');
  const reasons = Object.keys(limit.attributes).map((each) => {
    const support = limit.cgroup2.support(each, {} as never);
    assert.equal(support.level, 'partial');
    assert.match(support.help ?? '', /bulkhead db enable/);
    return support.reason;
  });
  assert.match(reasons[1] ?? '', /for each account/);
});
