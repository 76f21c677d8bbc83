import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attributes } from '../../src/limits/limits.ts';
import { setLimits } from '../../src/policy/edit.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { parseLimit } from '../../src/policy/parse-limit.ts';
import { tenantCannotSet } from '../../src/policy/sites/site-limits.ts';

const policy = (inside: string) => `<bulkhead version="1">${inside}</bulkhead>`;

function read(inside: string) {
  const { document, diagnostics } = parsePolicy('p.xml', policy(inside));
  const values = document?.tenants[0]?.values ?? new Map();
  return {
    values: Object.fromEntries([...values].map(([key, { value }]) => [key, value])),
    said: diagnostics.list.map((each) => `${each.severity}: ${each.message}`),
  };
}

test('parsePolicy() reads rates and a number of connections', () => {
  const text = '<network send="10MiB/s" receive="20MB/s" connections="50/s"/>';
  assert.deepEqual(read(`<tenant uid="1001">${text}</tenant>`), {
    values: {
      'network.send': 10 * 2 ** 20,
      'network.receive': 20e6,
      'network.connections': 50,
    },
    said: [],
  });
});

test('parsePolicy() reads rates that former versions allowed as the minimum, and warns', () => {
  for (const [written, message] of [
    [
      '1KiB/s',
      'warning: The network send "1KiB/s" is too small; the minimum is "16KiB/s", which is in force',
    ],
    [
      '16383B/s',
      'warning: The network send "16383B/s" is too small; the minimum is "16KiB/s", which is in force',
    ],
  ]) {
    const { values, said } = read(`<tenant uid="1001"><network send="${written}"/></tenant>`);
    assert.deepEqual([values, said], [{ 'network.send': 16_384 }, [message]]);
  }
});

const wrong: readonly (readonly [string, RegExp])[] = [
  [
    'send="1023B/s"',
    /^error: The network send "1023B\/s" is too small; the minimum is "16KiB\/s"$/,
  ],
  ['send="0B/s"', /minimum is "16KiB\/s", or "unlimited"$/],
  ['send="10MiB"', /is not a rate; write "\/s" after it/],
  ['connections="0/s"', /too small; the minimum is "1\/s", or "unlimited"/],
  ['connections="50"', /is not a rate; write "\/s" after it/],
  ['connections="1.5/s"', /is not a whole number/],
  ['latency="5ms"', /has no attribute "latency"/],
];
for (const [attribute, message] of wrong) {
  test(`parsePolicy() refuses <network ${attribute}/>`, () => {
    const { said } = read(`<tenant uid="1001"><network ${attribute}/></tenant>`);
    assert.match(said.join(), message);
  });
}

test('parseLimit() refuses on a command line what a policy may still have', () => {
  const parsed = parseLimit('network.send', '1KiB/s');
  assert.ok(parsed?.ok === false);
  assert.equal(parsed.error.hint, 'the minimum is "16KiB/s"');
});

test('a site has no network limits: those of former policies are ignored with a warning, and none is set', () => {
  const site = '<site name="a.example"><network send="1MiB/s"/><cpu limit="50%"/></site>';
  const text = policy(`<tenant uid="1001">${site}</tenant>`);
  const { document, diagnostics } = parsePolicy('p.xml', text);
  assert.deepEqual([...(document?.tenants[0]?.sites[0]?.values.keys() ?? [])], ['cpu.limit']);
  assert.match(
    diagnostics.list.map((each) => `${each.severity}: ${each.message}`).join(),
    /^warning: <network> cannot be inside <site>: sockets belong to an account; set <network> for the tenant; it has no effect, so remove it$/,
  );
  const target = {
    kind: 'site',
    name: 'a.example',
    tenant: { kind: 'tenant', name: { kind: 'uid', uid: 1001 } },
  } as const;
  const key = 'network.send';
  const set = setLimits(text, target, [{ kind: 'limit', key, value: '2MiB/s' }]);
  assert.ok(!set.ok);
  assert.match(
    set.error[0]?.reason ?? '',
    /sockets belong to an account; set <network> for the tenant/,
  );
  const removed = setLimits(text, target, [{ kind: 'limit', key, value: undefined }]);
  assert.ok(removed.ok && !removed.value.includes('<network'));
  assert.match(tenantCannotSet(key)?.reason ?? '', /sockets belong to an account/);
});

test('no other limit has a minimum that former versions did not have', () => {
  const raised = [...attributes.values()].filter(({ raisedFrom }) => raisedFrom !== undefined);
  assert.deepEqual(
    raised.map(({ key }) => key),
    ['network.send', 'network.receive'],
  );
});
