/** Applications that tenants define themselves: how many, what may be in a definition, and the file that keeps them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatOwnApps,
  parseOwnApp,
  parseOwnApps,
  withOwnApp,
  type OwnAppTexts,
} from '../../src/policy/apps/own-apps.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { ownAppsMaxOf } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

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
  return {
    max: policy.tenants.map((each) => ownAppsMaxOf(each)),
    errors: diagnostics.list
      .filter(({ severity }) => severity === 'error')
      .map(({ message }) => message),
  };
}

test('<apps> is inherited from the nearest element that has it', () => {
  const packages = `<defaults><apps max="1"/></defaults><package name="big"><apps max="50"/></package>
    <package name="none"><apps max="0"/></package>`;
  const tenants = `<tenant user="u1001"/><tenant user="u1002" package="big"/><tenant user="u1003" package="none"/>`;
  assert.deepEqual(read(packages + tenants), { max: [1, 50, 0], errors: [] });
  assert.deepEqual(
    read(`${packages}<tenant user="u1002" package="big"><apps max="2"/></tenant>`).max,
    [2],
  );
  assert.deepEqual(read(`<tenant user="u1001"/>`).max, [0]);
});

test('<apps> with a number that cannot be is refused', () => {
  for (const max of ['51', '-1', '1.5', 'all', '', '00'])
    assert.match(read(`<defaults><apps max="${max}"/></defaults>`).errors[0] ?? '', /from 0 to 50/);
  assert.equal(read(`<defaults><apps/></defaults>`).errors.length, 1);
});

test('parseOwnApp() takes the attributes of <app> that are a tenant’s to choose', () => {
  const parsed = parseOwnApp({
    name: 'blog',
    command: 'node server.js',
    directory: '/home/alice/blog',
    listen: 'descriptor',
    idle: 'never',
    environment: '/home/alice/.env',
  });
  assert.deepEqual(parsed, {
    ok: true,
    value: {
      name: 'blog',
      command: 'node server.js',
      directory: '/home/alice/blog',
      listen: 'descriptor',
      idleSeconds: 0,
      environment: '/home/alice/.env',
      starts: 5,
      variables: [],
    },
  });
  const least = parseOwnApp({ name: 'a', command: 'x' });
  assert.ok(least.ok);
  assert.deepEqual([least.value.idleSeconds, least.value.listen], [900, 'port']);
});

test('parseOwnApp() refuses what <app> does, and what would cost the host', () => {
  const refusals: readonly (readonly [OwnAppTexts, RegExp])[] = [
    [{ name: '../x', command: 'x' }, /not the name of an application/],
    [{ name: 'a' }, /needs a command/],
    [{ name: 'a', command: ' ' }, /command: /],
    [{ name: 'a', command: 'x\nUser=root' }, /control character/],
    [{ name: 'a', command: 'x', directory: 'blog' }, /not an absolute path/],
    [{ name: 'a', command: 'x', directory: `/${'x'.repeat(4096)}` }, /too long/],
    [{ name: 'a', command: 'x', environment: '/a\0' }, /not an absolute path/],
    [{ name: 'a', command: 'x', listen: '8080' }, /not one of port, descriptor/],
    [{ name: 'a', command: 'x', idle: '10s' }, /less than 60s/],
    [{ name: 'a', command: 'x', idle: '0s' }, /is less than 60s/],
  ];
  for (const [texts, reason] of refusals) {
    const parsed = parseOwnApp(texts);
    assert.ok(!parsed.ok, JSON.stringify(texts));
    assert.match(parsed.error.reason, reason);
  }
});

test('the oldest definitions come first, whatever their names are, and a change keeps the place', () => {
  const command = 'x';
  let apps: readonly OwnAppTexts[] = [];
  for (const name of ['b', '2', '1']) {
    const added = withOwnApp(apps, { name, command }, 3);
    assert.ok(added.ok);
    apps = added.value;
  }
  assert.ok(!withOwnApp(apps, { name: 'c', command }, 3).ok);
  const changed = withOwnApp(apps, { name: '2', command: 'y' }, 1);
  assert.ok(changed.ok);
  const kept = { name: 'alice', home: '131.17', apps: changed.value };
  assert.deepEqual(parseOwnApps(formatOwnApps(kept)), kept);
  assert.deepEqual(
    changed.value.map(({ name }) => name),
    ['b', '2', '1'],
  );
});

test('parseOwnApps() refuses a damaged file', () => {
  const one = '{"name":"a","command":"x"}';
  for (const text of [
    '',
    '[]',
    '{"apps":[]}',
    '{"name":"alice","apps":{}}',
    '{"name":"alice","apps":[{"command":"x"}]}',
    '{"name":"alice","apps":[{"name":"a","command":7}]}',
    '{"name":"alice","apps":[{"name":"a","socket":"/run/x"}]}',
    `{"name":"alice","apps":[${Array.from({ length: 51 }, () => one).join()}]}`,
  ])
    assert.equal(parseOwnApps(text), undefined, text);
});
