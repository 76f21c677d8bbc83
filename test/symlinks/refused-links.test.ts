/** Links that the guard refused are parsed, given to tenants, and counted. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { LinkTally } from '../../src/symlinks/core/guard/link-tally.ts';
import {
  refusedLinkStruct,
  parseRefusedLink,
  refusedLinkPath,
  type RefusedLinkEvent,
} from '../../src/symlinks/core/guard/refused-link.ts';
import { Ownership } from '../../src/host/accounts/ownership.ts';
import { whoseLink } from '../../src/symlinks/core/guard/whose-link.ts';

/** Returns a `struct event`, as the programs write it. */
function record(fields: Partial<Record<'total' | 'owner' | 'mode', number>>, names: string[]) {
  const bytes = new Uint8Array(refusedLinkStruct.size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(fields.total ?? 1), true);
  for (const [at, value] of [
    [20, 3002],
    [24, 77],
    [28, 33],
    [32, 33],
    [36, fields.mode ?? 1],
    [64, (8 << 20) | 1],
    [68, fields.owner ?? 3001],
  ] as const)
    view.setUint32(at, value, true);
  const put = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  put(40, 'nginx');
  put(72, '/home/bob/secret');
  for (const [index, name] of names.entries()) put(168 + 32 * index, name);
  return bytes;
}

suite('parseRefusedLink()', () => {
  test('returns the path of the link from the root of its file system', () => {
    const link = parseRefusedLink(record({}, ['other', 'www', 'alice', '/']));
    assert.deepEqual(link, {
      total: 1,
      watched: false,
      owner: 3001,
      targetOwner: 3002,
      program: 'nginx',
      pid: 77,
      uid: 33,
      gid: 33,
      device: '8:1',
      path: '/alice/www/other',
      leadsTo: '/home/bob/secret',
    });
    assert.ok(link);
    assert.equal(refusedLinkPath(link, '/home'), '/home/alice/www/other');
    assert.equal(refusedLinkPath(link, '/'), '/alice/www/other');
    assert.equal(refusedLinkPath(link, undefined), '/alice/www/other');
  });

  test('starts the path with an ellipsis when it is longer than the record', () => {
    const link = parseRefusedLink(record({}, ['f', 'e', 'd', 'c', 'b', 'a']));
    assert.equal(link?.path, '…/a/b/c/d/e/f');
    assert.equal(link && refusedLinkPath(link, '/home'), '…/a/b/c/d/e/f');
  });

  test('returns undefined when the record is too short', () => {
    assert.equal(parseRefusedLink(new Uint8Array(refusedLinkStruct.size - 1)), undefined);
  });
});

test("whoseLink() returns the tenant of the link's owner, or of the home that the link is in", () => {
  const ownership = new Ownership(new Set([3001, 3002]), [[100_000, 165_535, 3002]]);
  const homes = [
    { uid: 3001, path: '/home/alice' },
    { uid: 3002, path: '/home/alice/www/bob' },
  ];
  const whose = (owner: number, place: string) =>
    whoseLink(owner, place, (uid) => ownership.byMaker(uid), homes);
  assert.equal(whose(3001, '/srv/x'), 3001);
  assert.equal(whose(100_005, '/home/alice/x'), 3002);
  assert.equal(whose(0xffff_ffff, '/home/alice/m/x'), 3001);
  assert.equal(whose(7777, '/home/alice/www/bob/x'), 3002);
  assert.equal(whose(7777, '/home/alice2/x'), undefined);
  assert.equal(whose(7777, '…/alice/x'), undefined);
  assert.equal(whose(0, '/home/alice/x'), undefined);
});

suite('LinkTally', () => {
  const known = {
    nameOf: (uid: number) => `uid ${uid}`,
    mountPointOf: () => '/home',
    tenantOf: (uid: number) => (uid < 4000 ? uid : uid >= 100_000 ? 3001 : undefined),
  };
  const link = (total: number, owner = 3001, mode = 1): RefusedLinkEvent => {
    const parsed = parseRefusedLink(record({ total, owner, mode }, ['other', 'alice', '/']));
    assert.ok(parsed);
    return parsed;
  };

  test('counts refusals of each owner, even those without an event', () => {
    const tally = new LinkTally();
    tally.add(link(1), 5, known);
    tally.add(link(900), 6, known);
    tally.add(link(3, 3002), 7, known);
    const [first, second] = tally.take();
    assert.deepEqual(
      [first?.member, first?.count, first?.severity, first?.evidence.items.length],
      ['u3001', 900, 'refused', 2],
    );
    assert.deepEqual([second?.member, second?.count], ['u3002', 3]);
    assert.deepEqual(first?.evidence.items[0], {
      at: 5,
      program: 'nginx',
      link: '/home/alice/other',
      target: '/home/bob/secret',
      targetOwner: 'uid 3002',
    });
    assert.deepEqual(tally.take(), []);
    tally.add(link(901), 8, known);
    assert.equal(tally.take()[0]?.count, 1);
  });

  test('restart() sets the count from which the programs go on', () => {
    const tally = new LinkTally();
    tally.restart(new Map([[3001, 100]]));
    tally.add(link(101), 1, known);
    assert.equal(tally.take()[0]?.count, 1);
    tally.restart();
    tally.add(link(2), 1, known);
    assert.equal(tally.take()[0]?.count, 2);
  });

  test('counts links of subordinate uids for their tenant, and reports those of no tenant', () => {
    const tally = new LinkTally();
    tally.add(link(2), 1, known);
    tally.add(link(5, 100_000), 1, known);
    tally.add(link(7, 100_001), 1, known);
    tally.add(link(3, 5000), 1, known);
    tally.add(link(4, 5001), 1, known);
    assert.deepEqual(
      tally.take().map(({ member, count }) => [member, count]),
      [['u3001', 14]],
    );
    assert.equal(tally.unowned?.count, 7);
    assert.equal(tally.unowned.example?.link, '/home/alice/other');
    tally.take();
    assert.equal(tally.unowned, undefined);
  });

  test('forgets no owner, however many there are', () => {
    const tally = new LinkTally();
    for (let owner = 100_000; owner < 110_000; owner++) tally.add(link(1, owner), 1, known);
    tally.add(link(1, 3002), 1, known);
    assert.deepEqual(
      tally.take().map(({ member, count }) => [member, count]),
      [
        ['u3001', 10_000],
        ['u3002', 1],
      ],
    );
  });

  test('keeps at most twenty links of a tenant', () => {
    const tally = new LinkTally();
    for (let total = 1; total <= 5000; total++) tally.add(link(total), total, known);
    const [fault] = tally.take();
    assert.equal(fault?.count, 5000);
    assert.equal(fault?.evidence.items.length, 20);
  });

  test('reports a link that was only watched as throttled', () => {
    const tally = new LinkTally();
    tally.add(link(1, 3001, 2), 1, known);
    assert.equal(tally.take()[0]?.severity, 'throttled');
  });
});
