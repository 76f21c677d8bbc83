/** Addresses, sockets, cgroups and errors of web servers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, formatAddress, sameAddress } from '../../src/web/core/address.ts';
import { isInCgroup } from '../../src/web/core/in-cgroup.ts';
import { parseTcpSockets, parseUnixSockets } from '../../src/web/core/listening.ts';
import { parseServerError } from '../../src/web/core/server-error.ts';
import { mustEnd } from '../../testing/patience.ts';

test('parseAddress() parses every form, and sameAddress() compares what they mean', () => {
  const texts: readonly (readonly [string, string | undefined])[] = [
    ['unix:/run/a.sock', '/run/a.sock'],
    ['/run/a.sock', '/run/a.sock'],
    ['9000', '*:9000'],
    ['*:9000', '*:9000'],
    ['LocalHost:9000', 'localhost:9000'],
    ['[0:0:0:0:0:0:0:1]:9000', '[::1]:9000'],
    ['[::]:9000', '*:9000'],
    ['[zz]:9000', undefined],
    ['a b:9000', undefined],
    ['127.0.0.1:70000', undefined],
    ['backend', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of texts) {
    const address = parseAddress(text);
    assert.equal(address === undefined ? undefined : formatAddress(address), expected, text);
  }
  const same = (a: string, b: string) => sameAddress(parseAddress(a)!, parseAddress(b)!);
  assert.ok(same('9000', '127.0.0.1:9000'));
  assert.ok(same('localhost:9000', '127.0.0.1:9000'));
  assert.ok(!same('10.0.0.1:9000', '127.0.0.1:9000'));
  assert.ok(!same('/run/9000', '9000'));
});

test("parseServerError() finds message, file and line in each server's output", () => {
  assert.deepEqual(
    parseServerError(
      '2026/11/26 01:15:20 [emerg] 11#11: unknown directive "foo" in /etc/nginx/a in b.conf:3\nnginx: configuration file /n test failed\n',
    ),
    { message: 'unknown directive "foo"', file: '/etc/nginx/a in b.conf', line: 3 },
  );
  assert.deepEqual(
    parseServerError(
      "AH00526: Syntax error on line 12 of /etc/apache2/y.conf:\nInvalid command 'Foo', perhaps misspelled\n",
    ),
    { message: "Invalid command 'Foo', perhaps misspelled", file: '/etc/apache2/y.conf', line: 12 },
  );
  assert.deepEqual(
    parseServerError(
      "[26-Nov-2026 01:15:20] ERROR: [/etc/php/b.conf:11] unknown entry 'foo'\n[26-Nov-2026 01:15:20] ERROR: FPM initialization failed\n",
    ),
    { message: "unknown entry 'foo'", file: '/etc/php/b.conf', line: 11 },
  );
  assert.deepEqual(parseServerError(''), { message: 'it printed nothing' });
  mustEnd(() => parseServerError(`[emerg] ${' in /'.repeat(400_000)}`));
});

test('parseUnixSockets() and parseTcpSockets() return listening sockets only', () => {
  const unix = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 24211 /run/php/a b.sock
0000000000000000: 00000003 00000000 00000000 0001 03 24212 /run/php/a b.sock
0000000000000000: 00000002 00000000 00010000 0001 01 24213 @abstract
0000000000000000: 00000002 00000000 00010000 0001 01 24214
`;
  assert.deepEqual(parseUnixSockets(unix), [
    { address: { kind: 'unix', path: '/run/php/a b.sock' }, inode: '24211' },
  ]);
  const rest = '00000000:00000000 00:00000000 00000000  1001        0';
  const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A ${rest} 23717 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F91 0100007F:0050 01 ${rest} 23718 1 0000000000000000 100 0 0 10 0
   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A ${rest} 23719 1
   3: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A ${rest} 23720 1
   4: 00000000000000000000000000000000:0052 00000000000000000000000000000000:0000 0A ${rest} 23721 1
`;
  assert.deepEqual(
    parseTcpSockets(tcp).map(({ address, inode }) => [formatAddress(address), inode]),
    [
      ['127.0.0.1:8080', '23717'],
      ['[::1]:80', '23719'],
      ['127.0.0.1:81', '23720'],
      ['*:82', '23721'],
    ],
  );
});

test('isInCgroup() requires the cgroup in every hierarchy, and no other with the same prefix', () => {
  const roots = [
    { controller: 'cpu', path: '/bulkhead' },
    { controller: 'memory', path: '/bulkhead' },
  ];
  const text = (cpu: string, memory: string) => `9:cpuacct,cpu:${cpu}\n8:memory:${memory}\n0::/\n`;
  assert.ok(isInCgroup(text('/bulkhead/u1001', '/bulkhead/u1001/x'), roots, 'u1001'));
  assert.ok(!isInCgroup(text('/bulkhead/u1001', '/'), roots, 'u1001'));
  assert.ok(!isInCgroup(text('/bulkhead/u10011', '/bulkhead/u10011'), roots, 'u1001'));
  assert.ok(!isInCgroup(text('/bulkhead/u1001', '/bulkhead/u1001'), [], 'u1001'));
  const unified = [{ controller: '', path: '/bulkhead-tenants.service' }];
  assert.ok(isInCgroup('0::/bulkhead-tenants.service/r1/u5\n', unified, 'r1/u5'));
});
