/** `<database instance="own"/>`: who has a database server of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownDatabase } from '../../../src/policy/databases/own-database.ts';
import { LineIndex } from '../../../src/policy/diagnostic.ts';
import { explain } from '../../../src/policy/explain.ts';
import { lowerOf } from '../../../src/policy/inheritance/lower-limits.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { hasOwnDatabase, linksTo } from '../../../src/policy/policy.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';

const accounts = [1001, 1002, 1003].map((uid) => ({
  user: `u${uid}`,
  uid,
  gid: uid,
  home: `/h/${uid}`,
}));

function read(text: string) {
  const { document, diagnostics } = parsePolicy(
    'p.xml',
    `<bulkhead version="1">${text}</bulkhead>`,
  );
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts, uidMin: 1000 });
  const messages = diagnostics.list.map(({ message }) => message);
  return { policy, messages, apps: policy.tenants.map(({ apps }) => apps ?? []) };
}

test('it is inherited from the nearest element, also by tenants of a range', () => {
  const packages = `<defaults><database instance="own"/></defaults>
    <package name="shared"><database instance="shared" cpu="50%"/></package>
    <package name="limits"><database cpu="50%"/></package>`;
  const tenants = `<tenants uids="1001-1001"/><tenant user="u1002" package="shared"/><tenant user="u1003" package="limits"/>`;
  const { apps, messages, policy } = read(packages + tenants);
  assert.deepEqual(apps, [[ownDatabase], [], [ownDatabase]]);
  assert.deepEqual(messages, []);
  const [first, second] = policy.tenants;
  assert.ok(first && second);
  const why = (tenant: typeof first) =>
    explain({ tenant, site: undefined }, policy, new LineIndex(policy.text));
  assert.deepEqual(why(first).database, { instance: 'own', from: 'defaults', line: 1 });
  assert.deepEqual(why(second).database, {
    instance: 'shared',
    from: 'package "shared"',
    line: 2,
  });
  assert.equal(why(first).apps, undefined);
});

test('it comes after other applications, and none of them may have its name', () => {
  const own = (app: string) =>
    read(`<tenant user="u1001"><database instance="own"/>${app}</tenant>`);
  const app = '<app name="blog" command="x"/>';
  assert.deepEqual(
    own(app).apps[0]?.map(({ name }) => name),
    ['blog', 'mariadb'],
  );
  assert.match(
    own('<app name="mariadb" command="x"/>').messages[0] ?? '',
    /has a database server of its own, whose name is "mariadb"/,
  );
});

test('a tenant without an account has none', () => {
  const { apps } = read('<tenant uid="1009"><database instance="own"/></tenant>');
  assert.deepEqual(apps, [[]]);
});

test('mistakes are reported', () => {
  const said = (text: string) => read(text).messages.join('\n');
  assert.match(
    said('<tenant user="u1001"><database instance="owm"/></tenant>'),
    /"owm" is not one of shared, own; did you mean "own"/,
  );
  assert.match(
    said('<reseller user="u1001"><database instance="own"/></reseller>'),
    /A reseller has no database server/,
  );
  assert.match(
    said('<tenant user="u1001"><site name="a.example"><database instance="own"/></site></tenant>'),
    /cannot be inside <site>/,
  );
  assert.match(said('<tenant user="u1001"><database/></tenant>'), /instance/);
});

test('a tenant that keeps its last package has a server only if both packages give one', () => {
  const { document } = parsePolicy(
    'p.xml',
    `<bulkhead version="1"><package name="own"><database instance="own"/></package><package name="other"><cpu limit="1%"/></package></bulkhead>`,
  );
  const [own, other] = (document?.packages ?? []).map((each) => linksTo('package', each));
  assert.ok(own && other);
  const isOwn = (first: typeof own, second: typeof own) =>
    hasOwnDatabase({ chain: lowerOf(first, second) });
  assert.equal(isOwn(own, other), false);
  assert.equal(isOwn(other, own), false);
  assert.equal(isOwn(own, own), true);
});
