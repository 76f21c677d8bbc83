/** The host's name servers stay reachable, and a mail server that should listen. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { formatAddress, parseAddress } from '../../packages/base/ip-address.ts';
import { listensOnLoopback } from '../../src/network/core/listening.ts';
import { parseNameServers, withNameServers } from '../../src/network/core/name-servers.ts';
import type { AddressRule, NetworkRules, Reach } from '../../src/network/core/rules.ts';

suite("the host's name servers", () => {
  const reach = (...rules: readonly AddressRule[]): Reach => ({
    mail: 'submission',
    tenants: false,
    metadata: false,
    rules,
    others: 'refuse',
    mode: 'refuse',
  });
  const rulesOf = (...reaches: readonly (Reach | undefined)[]): NetworkRules => ({
    tenants: reaches.map((each, uid) => ({
      uid,
      limits: {},
      ...(each === undefined ? {} : { reach: each }),
    })),
    resellers: new Map(),
    ranges: [],
    servedPorts: new Map(),
  });
  const metadata = parseAddress('169.254.169.254')!;

  test('they are read from resolv.conf as the library reads it', () => {
    const text =
      '# nameserver 192.0.2.9\nsearch example\nnameserver 169.254.169.254\n nameserver\tfe80::1%eth0\nnameserver x\nnameserver 192.0.2.1 x\n';
    assert.deepEqual(parseNameServers(text).map(formatAddress), ['169.254.169.254', 'fe80::1']);
    assert.equal(parseNameServers('nameserver 192.0.2.1\n'.repeat(1000)).length, 8);
    assert.deepEqual(parseNameServers(''), []);
  });

  test('tenants with rules reach them at port 53, and nothing else there', () => {
    const shared = reach();
    const { tenants } = withNameServers(rulesOf(shared, undefined, shared), [metadata]);
    const [first, second, third] = tenants;
    assert.deepEqual(first?.reach?.rules, [
      {
        action: 'allow',
        address: metadata,
        prefix: 32,
        ports: [{ first: 53, last: 53 }],
        protocol: undefined,
      },
    ]);
    assert.equal(second?.reach, undefined);
    assert.equal(third?.reach, first.reach, 'tenants with one element still share it');
  });

  test('a rule of the policy for other ports of the address is not enough', () => {
    const ports = [{ first: 80, last: 80 }];
    const rule = {
      action: 'allow',
      address: metadata,
      prefix: 32,
      ports,
      protocol: undefined,
    } as const;
    const added = (...rules: readonly AddressRule[]) =>
      withNameServers(rulesOf(reach(...rules)), [metadata]).tenants[0]?.reach?.rules.length;
    assert.equal(added(rule), 2);
    assert.equal(added(...Array.from({ length: 30 }, () => rule)), 30, 'the map has no more room');
  });

  test('tenants that are refused no address get no rule', () => {
    const open = { ...reach(), others: 'allow', metadata: true } as const;
    const { tenants } = withNameServers(rulesOf(open), [metadata]);
    assert.deepEqual(tenants[0]?.reach?.rules, []);
  });

  test('what the policy says of the same address stays', () => {
    const rule = {
      action: 'refuse',
      address: metadata,
      prefix: 32,
      ports: [],
      protocol: undefined,
    } as const;
    const { tenants } = withNameServers(rulesOf(reach(rule)), [metadata]);
    assert.deepEqual(tenants[0]?.reach?.rules, [rule]);
  });
});

suite('sockets that listen', () => {
  test('those of 127.0.0.1, of all addresses, and of IPv6 for both', async () => {
    for (const host of ['127.0.0.1', '0.0.0.0', '::']) {
      const server = createServer().listen(0, host);
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const tables = ['tcp', 'tcp6'].map((name) => readFileSync(`/proc/net/${name}`, 'utf8'));
      assert.ok(
        tables.some((each) => listensOnLoopback(each, port)),
        host,
      );
      server.close();
    }
    assert.equal(
      listensOnLoopback('  0: 0100007F:0019 00000000:0000 01 x', 25),
      false,
      'connected',
    );
    assert.equal(
      listensOnLoopback('  0: 0200007F:0019 00000000:0000 0A x', 25),
      false,
      '127.0.0.2',
    );
    assert.equal(listensOnLoopback('x', 25), false);
  });
});
