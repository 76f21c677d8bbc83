import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatAddress,
  isMapped,
  parseAddress,
  samePrefix,
  unmapped,
  withoutHostBits,
} from '../ip-address.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const four = bytes(4);
/** Addresses with zeros, as most have, and whole ones. */
const six = fc.oneof(
  bytes(16),
  fc
    .array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 })
    .map((each) => Uint8Array.from(each)),
);

test('formatAddress() prints what parseAddress() reads, as URLs have it', () => {
  fc.assert(
    fc.property(fc.oneof(four, six), (address) => {
      const text = formatAddress(address);
      assert.deepEqual(parseAddress(text), address);
      if (address.length === 16 && !isMapped(address))
        assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`);
    }),
  );
});

test('parseAddress() takes the texts that Node takes, and no others', () => {
  const piece = fc.constantFrom(
    '0',
    '1',
    'f',
    'ffff',
    '10000',
    '::',
    ':',
    '.',
    '255',
    '256',
    '01',
    '1.2.3.4',
    'g',
    '%eth0',
    ' ',
    '-',
    '',
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 16 }).map((all) => all.join('')),
    fc.array(piece, { maxLength: 9 }).map((all) => all.join(':')),
    fc.ipV4(),
    fc.ipV6(),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (each) => {
      // Node takes zones; here, an address is the same in every network.
      const known = each.includes('%') ? 0 : isIP(each);
      assert.equal(parseAddress(each)?.length ?? 0, known === 6 ? 16 : known, each);
    }),
    { numRuns: 5000 },
  );
});

test('parseAddress() reads every way to write an address', () => {
  const loopback = new Uint8Array(16).with(15, 1);
  for (const text of ['::1', '0:0:0:0:0:0:0:1', '0::0:1', '::0.0.0.1', '0000:0000::0001'])
    assert.deepEqual(parseAddress(text), loopback, text);
  for (const text of [
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '0x7f.1',
    '127.1',
    '01.2.3.4',
    '1:2',
    ':::',
    '1::2::3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7::8',
    'localhost',
    '1'.repeat(1e6),
  ])
    assert.equal(parseAddress(text), undefined, text.slice(0, 50));
});

test('isMapped() and unmapped() know addresses of IPv4 in IPv6 sockets', () => {
  const mapped = parseAddress('::ffff:192.0.2.1') ?? new Uint8Array();
  assert.ok(isMapped(mapped));
  assert.equal(formatAddress(mapped), '::ffff:192.0.2.1');
  assert.equal(formatAddress(unmapped(mapped)), '192.0.2.1');
  for (const text of ['::192.0.2.1', '2001:db8::ffff:1', '192.0.2.1'])
    assert.ok(!isMapped(parseAddress(text) ?? new Uint8Array()));
});

test('samePrefix() decides as Node does, and withoutHostBits() keeps the prefix', () => {
  const pair = fc
    .tuple(fc.constantFrom(4, 16), fc.nat(128))
    .chain(([length, bits]) =>
      fc.tuple(bytes(length), bytes(length), fc.constant(Math.min(bits, 8 * length)), fc.boolean()),
    );
  fc.assert(
    fc.property(pair, ([a, random, bits, isNear]) => {
      const b = isNear ? withoutHostBits(a, bits) : random;
      const [family, list] = [a.length === 4 ? 'ipv4' : 'ipv6', new BlockList()] as const;
      list.addSubnet(formatAddress(a), bits, family);
      // BlockList takes mapped addresses for those of IPv4.
      fc.pre(!isMapped(a) && !isMapped(b));
      assert.equal(samePrefix(a, b, bits), list.check(formatAddress(b), family));
      assert.ok(samePrefix(a, withoutHostBits(a, bits), bits));
      assert.deepEqual(withoutHostBits(withoutHostBits(a, bits), bits), withoutHostBits(a, bits));
    }),
  );
  assert.ok(!samePrefix(new Uint8Array(4), new Uint8Array(16), 0));
});
