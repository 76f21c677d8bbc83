/** Every way to an address and port that a tenant must not reach: mail, metadata services, refused addresses. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { suite, test } from 'node:test';
import { parseAddress } from '../../packages/base/ip-address.ts';
import type { Reach } from '../../src/network/core/rules.ts';
import {
  alice,
  aSecondOfReports,
  bob,
  everything,
  host4,
  noStage,
  other4,
  rulesFor,
  stageOfSuite,
  subordinates,
  world4,
  world6,
  type NetworkStage,
} from '../network/stage.ts';

import { buildProgram } from '../placer/programs.ts';

const skip = await noStage();
const mailPort = 25;
const otherPort = 9000;

/** Ways that a kernel or an account may lack, and those that lead to another network. */
const mayBeImpossible = new Set([
  'tcp6 routing header',
  'tcp6 segment routing',
  'tcp6 options',
  'sctp',
  'dccp',
  'io_uring',
  'io_uring thread',
  'io_uring fast open',
  'fast open option',
  // Since Linux 6.2.
  'fast open mptcp',
  'kept socket',
  'own network',
  'udplite',
]);

suite('ways to what a tenant must not reach', { skip }, () => {
  let ways = '';
  const on = stageOfSuite(async (stage: NetworkStage) => {
    ways = buildProgram(fileURLToPath(new URL('network-ways.c', import.meta.url)), stage.directory);
    stage.apply(rulesFor({}));
    await stage.serve('world', 'serve', mailPort);
    await stage.serve('world', 'serve', otherPort);
  });
  const tried = async (uid: number, port = mailPort, v4 = world4, v6 = world6) => {
    const text = await on.stage.printed(ways, [`${uid}`, v4, v6, `${port}`]);
    return new Map(text.split('\n').map((line) => line.split('\t') as [string, string]));
  };
  const withReach = (reach: Partial<Reach>) =>
    on.stage.apply(rulesFor({ [alice]: { reach: { ...everything, ...reach } } }));
  const isTcp = (way: string) => !way.startsWith('udp') && way !== 'raw' && way !== 'packet';

  test('without rules, each way leads there that this kernel has', async () => {
    withReach({});
    for (const [way, result] of await tried(alice)) {
      if (way === 'raw' || way === 'packet') assert.equal(result, 'refused', way);
      else if (!mayBeImpossible.has(way)) assert.equal(result, 'through', way);
    }
  });

  test('no way of TCP leads to port 25 of another host, and datagrams are no mail', async () => {
    const programs = withReach({ mail: 'submission' });
    const before = programs.readUse().get(alice)?.refusals['reach.mail'] ?? 0;
    programs.readRefusals();
    const results = await tried(alice);
    for (const [way, result] of results)
      if (isTcp(way)) assert.notEqual(result, 'through', way);
      else if (way.startsWith('udp') && !mayBeImpossible.has(way))
        assert.equal(result, 'through', way);
    for (const way of ['tcp', 'tcp6', 'tcp mapped', 'mptcp', 'fast open', "root's socket"])
      assert.equal(results.get(way), 'refused', way);
    const after = programs.readUse().get(alice)?.refusals['reach.mail'] ?? 0;
    assert.ok(after - before >= 12, `${after - before}`);
    const [first] = programs.readRefusals();
    assert.ok(first !== undefined && first.pid > 0);
    assert.deepEqual(
      { ...first, pid: 0, address: [...first.address] },
      {
        kind: 'reach.mail',
        uid: alice,
        pid: 0,
        program: 'network-ways',
        address: world4.split('.').map(Number),
        port: mailPort,
        protocol: 6,
        wasRefused: true,
      },
    );
  });

  test("neither do those of the tenant's subordinate uids; others are free", async () => {
    withReach({ mail: 'submission' });
    for (const [way, result] of await tried(subordinates[0] + 25))
      if (isTcp(way)) assert.notEqual(result, 'through', way);
    for (const uid of [bob, subordinates[1] + 1, 0])
      assert.equal((await tried(uid)).get('tcp'), 'through', `${uid}`);
  });

  test('submission leaves 587 open, and local refuses it, but not to the host itself', async () => {
    withReach({ mail: 'submission' });
    assert.notEqual((await tried(alice, 587)).get('tcp'), 'refused');
    withReach({ mail: 'local' });
    for (const port of [25, 465, 587])
      assert.equal((await tried(alice, port)).get('tcp'), 'refused', `${port}`);
    const server = await on.stage.serve(0, 'serve', 587);
    for (const address of ['127.0.0.1', host4])
      assert.equal((await tried(alice, 587, address)).get('tcp'), 'through', address);
    await server.end();
  });

  test('relay leads to the mail server of the host, by each way that connects', async () => {
    const programs = withReach({ mail: 'relay' });
    const server = await on.stage.serve(0, 'serve', mailPort);
    const before = on.stage.wire().sent.packets;
    const use = programs.readUse().get(alice);
    for (const address of [world4, world6, `::ffff:${world4}`])
      assert.equal(await on.stage.as(alice, 'connects', address, mailPort, 20), '20 0', address);
    const now = programs.readUse().get(alice);
    assert.equal(now?.sentBytes, use?.sentBytes);
    assert.ok((now?.localBytes ?? 0) > (use?.localBytes ?? 0));
    // A few packets are of the neighbours' own.
    assert.ok(on.stage.wire().sent.packets - before < 20);
    await server.end();
    for (const [way, result] of await tried(alice))
      if (isTcp(way)) assert.notEqual(result, 'through', way);
  });

  test('no way leads to a refused address, by whichever protocol', async () => {
    withReach({
      rules: [
        {
          action: 'refuse',
          address: bytes4('198.18.0.0'),
          prefix: 15,
          ports: [],
          protocol: undefined,
        },
        { action: 'refuse', address: bytes6, prefix: 16, ports: [], protocol: undefined },
      ],
    });
    for (const [way, result] of await tried(alice, otherPort))
      assert.notEqual(result, 'through', way);
    // The host's own address is in the refused network, and no other host's.
    const server = await on.stage.serve(0, 'serve', 9013);
    assert.equal((await tried(alice, 9013, host4)).get('tcp'), 'through');
    await server.end();
  });

  test('the longest prefix decides, by its ports and protocol', async () => {
    withReach({
      rules: [
        {
          action: 'refuse',
          address: bytes4('198.18.0.0'),
          prefix: 15,
          ports: [],
          protocol: undefined,
        },
        {
          action: 'allow',
          address: bytes4(world4),
          prefix: 32,
          ports: [{ first: 8999, last: 9001 }],
          protocol: 'tcp',
        },
      ],
    });
    const results = await tried(alice, otherPort);
    assert.equal(results.get('tcp'), 'through');
    assert.equal(results.get('tcp mapped'), 'through');
    assert.equal(results.get('tcp6'), 'through');
    assert.equal(results.get('udp'), 'refused');
    assert.equal((await tried(alice, mailPort)).get('tcp'), 'refused');
    assert.equal((await tried(alice, otherPort, other4)).get('tcp'), 'refused');
  });

  test('an allow-list refuses all others, and rules of IPv6 hold for no address of IPv4', async () => {
    withReach({
      others: 'refuse',
      rules: [
        { action: 'allow', address: new Uint8Array(16), prefix: 0, ports: [], protocol: undefined },
      ],
    });
    const results = await tried(alice, otherPort);
    assert.equal(results.get('tcp6'), 'through');
    for (const way of ['tcp', 'tcp mapped', 'udp', 'udp mapped', 'mptcp', 'fast open'])
      assert.equal(results.get(way), 'refused', way);
  });

  test('no datagram goes on from an allowed address to another one', async (context) => {
    const beyond = `${world6}99`;
    const routed = () => on.stage.as(alice, 'routed', beyond, otherPort, world6);
    withReach({});
    if ((await routed()) !== 'sent') return context.skip('this kernel routes no segments');
    withReach({
      others: 'refuse',
      rules: [
        {
          action: 'allow',
          address: parseAddress(world6)!,
          prefix: 128,
          ports: [],
          protocol: undefined,
        },
      ],
    });
    assert.equal(await on.stage.as(alice, 'say', world6, otherPort, 'x'), 'sent');
    assert.match(await routed(), /not permitted/);
  });

  test('metadata services are refused, though an allow-list opens all addresses', async () => {
    withReach({
      metadata: false,
      others: 'refuse',
      rules: [
        { action: 'allow', address: new Uint8Array(4), prefix: 0, ports: [], protocol: undefined },
      ],
    });
    const addresses = ['169.254.169.254', '100.100.100.200'];
    for (const address of addresses) {
      const results = await tried(alice, 80, address, 'fd00:ec2::254');
      for (const way of ['tcp', 'tcp6', 'tcp mapped', 'mptcp', 'fast open', 'udp', 'udp6'])
        assert.equal(results.get(way), 'refused', `${address} ${way}`);
    }
    assert.equal((await tried(alice, otherPort)).get('tcp'), 'through');
    const use = on.stage.apply(rulesFor({})).readUse().get(alice);
    assert.ok((use?.refusals['reach.metadata'] ?? 0) > 0);
  });

  test('watch mode refuses nothing, and reports it', async () => {
    const programs = withReach({ mail: 'relay', mode: 'watch' });
    await aSecondOfReports();
    programs.readRefusals();
    assert.equal((await tried(alice)).get('tcp'), 'through');
    const reported = programs.readRefusals();
    // A kernel that has SCTP reports that as well.
    assert.ok(reported.some(({ kind }) => kind === 'reach.mail'));
    assert.ok(reported.every(({ wasRefused }) => !wasRefused));
  });
});

const bytes4 = (address: string) => Uint8Array.from(address.split('.').map(Number));
/** fd77::/16 */
const bytes6 = Uint8Array.from([0xfd, 0x77, ...Array.from({ length: 14 }, () => 0)]);
