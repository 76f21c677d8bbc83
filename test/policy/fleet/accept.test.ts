import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { refusedByAccept } from '../../../src/policy/fleet/accept.ts';
import { acceptWords, defaultAcceptWords } from '../../../src/policy/fleet/fleet-words.ts';
import { largeChange } from '../../../src/policy/fleet/large-change.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';
import { elements } from '../../../src/policy/vocabulary.ts';

const policy = (inside: string) => `<bulkhead version="1">\n${inside}\n</bulkhead>`;
const refused = (inside: string, words = defaultAcceptWords) =>
  refusedByAccept(policy(inside), words);

suite('refusedByAccept()', () => {
  test('lets limits, packages, tenants, sites and jails pass', () => {
    assert.deepEqual(
      refused(
        `<fleet name="example" local="tenants"/><tenants uids="1000-59999"/>
        <defaults><memory limit="1GiB"/><jail profile="web"/><sites limits="tenant"/></defaults>
        <package name="p"><cpu limit="100%"/></package>
        <reseller user="acme"><tenant user="alice"><site name="a.example"><io read="1MiB/s"/></site></tenant></reseller>`,
      ),
      [],
    );
  });

  const others: Readonly<Record<string, readonly [inside: string, ...elements: string[]]>> = {
    agent: ['<agent listen="127.0.0.1:9640" token="/etc/token"/>', 'agent'],
    alerts: [
      '<agent><alerts><webhook to="administrator" url="https://evil.example/"/></alerts></agent>',
      'agent',
      'alerts',
      'webhook',
    ],
    'no-jail': ['<defaults><jail profile="none"/></defaults>', 'jail profile="none"'],
    paths: ['<tenant user="a"><jail profile="web"><path at="/etc"/></jail></tenant>', 'path'],
    driver: ['<host driver="cgroup2"/>', 'host'],
    observe: ['<host limits="observe"/>', 'host', 'host limits="observe"'],
    console: ['<console listen="0.0.0.0:843"/>', 'console'],
    databases: ['<databases hold="on"/>', 'databases'],
    modules: ['<modules require="consistent"/>', 'modules'],
    rights: ['<reseller user="a" may="limits"/>', 'reseller may="limits"'],
    apps: ['<tenant user="a"><app name="x" command="id"/></tenant>', 'app'],
    'the own servers of databases': [
      '<tenant user="a"><database instance="own"/></tenant>',
      'database instance="own"',
    ],
    'an element that is not known': ['<shell run="id"/>', 'shell'],
    'a name that every object has': ['<constructor/><toString/>', 'constructor', 'toString'],
    'what a host says of its fleet': [
      '<fleet name="example" accept="alerts"/>',
      'fleet accept="alerts"',
    ],
    'a policy of a fleet': ['<on host="a"/>', 'on'],
  };
  for (const [word, [inside, ...expected]] of Object.entries(others))
    test(`refuses ${word}`, () => {
      const found = refused(inside);
      assert.deepEqual(
        found.map(({ element }) => element),
        expected,
      );
      assert.ok(found.every(({ line }) => line === 2));
    });

  test('lets pass what a word names', () => {
    for (const [, [inside]] of Object.entries(others).slice(0, 12)) {
      assert.deepEqual(refused(inside, acceptWords), []);
    }
    assert.deepEqual(refused('<tenant user="a"/>', []), [
      { element: 'tenant', line: 2, word: 'tenants' },
    ]);
  });

  test('has decided about each element of the language', () => {
    const never = Object.keys(elements).filter(
      (name) => refused(`<${name}/>`, acceptWords).length > 0,
    );
    assert.deepEqual(never.toSorted(), ['group', 'hosts', 'on', 'wave', 'waves']);
  });

  test('refuses a text that is not XML', () => {
    assert.deepEqual(refusedByAccept('<bulkhead', acceptWords), [{ element: 'bulkhead', line: 1 }]);
  });
});

function resolved(inside: string) {
  const { document, diagnostics } = parsePolicy('p.xml', policy(inside));
  assert.ok(document && !diagnostics.failed);
  return resolvePolicy(document, { accounts: [], uidMin: 1000 });
}
const tenants = (uids: number, limit = '1GiB', from = 2000) =>
  Array.from(
    { length: uids },
    (_, index) => `<tenant uid="${from + index}"><memory limit="${limit}"/></tenant>`,
  ).join('');

suite('largeChange()', () => {
  test('is one in which a fifth of the tenants leaves', () => {
    const before = resolved(tenants(100));
    assert.deepEqual(largeChange(before, resolved(tenants(81))), []);
    assert.deepEqual(largeChange(before, resolved(tenants(80))), ['20 of 100 tenants leave']);
    // As many others do not make up for them.
    assert.deepEqual(largeChange(before, resolved(tenants(100, '1GiB', 2050))), [
      '50 of 100 tenants leave',
    ]);
    assert.deepEqual(largeChange(resolved(''), before), []);
  });

  test('is one in which memory of a twentieth falls below its use', () => {
    const [before, after] = [resolved(tenants(100)), resolved(tenants(100, '512MiB'))];
    const using = (count: number, bytes: number) =>
      new Map(Array.from({ length: count }, (_, index) => [2000 + index, bytes]));
    assert.deepEqual(largeChange(before, after, using(100, 2 ** 28)), []);
    assert.deepEqual(largeChange(before, after, using(4, 2 ** 29 + 1)), []);
    assert.deepEqual(largeChange(before, after, using(5, 2 ** 29 + 1)), [
      'the memory limit of 5 of 100 tenants falls below what they use',
    ]);
    const [changed] = largeChange(before, after, using(100, 2 ** 31));
    assert.match(changed ?? '', /^the memory limit of 100 of/, 'as under an earlier limit');
    assert.deepEqual(largeChange(before, before, using(100, 2 ** 31)), []);
    assert.deepEqual(largeChange(before, after), []);
    assert.deepEqual(largeChange(after, before, using(100, 2 ** 29 + 1)), []);
  });

  test('is one that turns limits off', () => {
    const before = resolved(tenants(3));
    assert.deepEqual(largeChange(before, resolved(`<host limits="observe"/>${tenants(3)}`)), [
      'limits are no longer enforced, only observed',
    ]);
    assert.deepEqual(
      largeChange(before, resolved('<tenant uid="2000"/><tenant uid="2001"/><tenant uid="2002"/>')),
      ['no tenant has a limit any more'],
    );
    assert.deepEqual(largeChange(before, resolved(tenants(3, '2GiB'))), []);
  });
});
