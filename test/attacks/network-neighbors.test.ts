/** Attacks of tenants on each other: services of neighbours, ports that are kept, storms of connections. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { suite, test } from 'node:test';
import type { Listen, Reach } from '../../src/network/core/rules.ts';
import {
  alice,
  aSecondOfReports,
  bob,
  carol,
  everything,
  host4,
  host6,
  noStage,
  rulesFor,
  stageOfSuite,
  subordinates,
  world4,
} from '../network/stage.ts';
import { eventually } from '../../testing/patience.ts';
import { buildProgram } from '../placer/programs.ts';

const skip = await noStage();
const tcpWays = ['tcp', 'tcp6', 'tcp mapped', 'mptcp', 'mptcp6', 'fast open', 'fast open mapped'];
const udpWays = ['udp', 'udp6', 'udp mapped', 'udp connected'];

suite('tenants and their neighbours', { skip }, () => {
  let ways = '';
  const on = stageOfSuite(async (stage) => {
    ways = buildProgram(fileURLToPath(new URL('network-ways.c', import.meta.url)), stage.directory);
    stage.apply(rulesFor({}));
    await stage.serve('world', 'serve', 9000);
  });
  const tried = async (uid: number, v4: string, v6: string, port: number) => {
    const text = await on.stage.printed(ways, [`${uid}`, v4, v6, `${port}`]);
    return new Map(text.split('\n').map((line) => line.split('\t') as [string, string]));
  };
  const guarded: Reach = { ...everything, tenants: false };
  const apart = { [alice]: { reach: guarded }, [bob]: { reach: guarded } };

  test('no way leads to a service of a neighbour, by any address of the host', async () => {
    on.stage.apply(rulesFor(apart));
    const server = await on.stage.serve(alice, 'serve', 9020);
    for (const [v4, v6] of [
      ['127.0.0.1', '::1'],
      ['127.0.0.5', '::1'],
      [host4, host6],
      ['0.0.0.0', '::'],
    ] as const) {
      const results = await tried(bob, v4, v6, 9020);
      for (const [way, result] of results) assert.notEqual(result, 'through', `${v4} ${way}`);
      for (const way of [...tcpWays, ...udpWays])
        assert.equal(results.get(way), 'refused', `${v4} ${way}`);
      for (const uid of [alice, carol, 0]) {
        const own = await tried(uid, v4, v6, 9020);
        for (const way of ['tcp', 'tcp6', 'udp'])
          assert.equal(own.get(way), 'through', `${uid} ${way}`);
      }
    }
    await server.end();
  });

  test("services of root's and of a tenant's subordinate uids belong to whom they should", async () => {
    on.stage.apply(rulesFor(apart));
    const roots = await on.stage.serve(0, 'serve', 9021);
    assert.equal((await tried(bob, '127.0.0.1', '::1', 9021)).get('tcp'), 'through');
    await roots.end();
    const subordinate = await on.stage.serve(subordinates[0] + 5, 'serve', 9022);
    assert.equal((await tried(bob, '127.0.0.1', '::1', 9022)).get('tcp'), 'refused');
    assert.equal((await tried(alice, '127.0.0.1', '::1', 9022)).get('tcp'), 'through');
    await subordinate.end();
  });

  test("a port at which root's socket serves a tenant is that tenant's", async () => {
    on.stage.apply(rulesFor(apart, { servedPorts: new Map([[9023, alice]]) }));
    const pool = await on.stage.serve(0, 'serve', 9023);
    const results = await tried(bob, '127.0.0.1', '::1', 9023);
    for (const way of tcpWays) assert.equal(results.get(way), 'refused', way);
    for (const uid of [alice, carol, 0])
      assert.equal((await tried(uid, '127.0.0.1', '::1', 9023)).get('tcp'), 'through', `${uid}`);
    await pool.end();
    // Who listens there is asked first, so nobody else passes for the pool.
    const impostor = await on.stage.serve(bob, 'serve', 9023);
    assert.equal((await tried(alice, '127.0.0.1', '::1', 9023)).get('tcp'), 'refused');
    assert.equal((await tried(bob, '127.0.0.1', '::1', 9023)).get('tcp'), 'through');
    await impostor.end();
  });

  test('no datagram for all hosts of a network reaches a neighbour', async () => {
    const [a = '', b = '', c = ''] = host4.split('.');
    const sendTo = (address: string) => on.stage.as(bob, 'datagrams', address, 9024, 10, 5);
    on.stage.apply(rulesFor({}));
    assert.equal(await sendTo('224.0.0.1'), '5');
    on.stage.apply(rulesFor(apart));
    for (const address of [`${a}.${b}.${c}.255`, '255.255.255.255', '224.0.0.1'])
      assert.equal(await sendTo(address), '0', address);
    assert.equal(await sendTo(world4), '5');
  });

  test('a service that is bound to a device is reached by no neighbour, by IPv6 either', async () => {
    const programs = on.stage.apply(rulesFor(apart));
    const count = () => programs.readUse().get(bob)?.refusals['reach.tenants'] ?? 0;
    const { device } = on.stage;
    const server = await on.stage.serve(alice, 'on', device, 'listen', 9025);
    for (const uid of [alice, 0])
      assert.equal(await on.stage.as(uid, 'connects', host6, 9025, 2), '2 0', `${uid}`);
    assert.equal(await on.stage.as(bob, 'on', device, 'connects', host6, 9025, 1), '0 1');
    const begun = count();
    const waiting = on.stage.as(bob, 'connects', host6, 9025, 1);
    await eventually('it was refused', () => count() > begun);
    // Its SYN is sent again.
    on.stage.apply(rulesFor({}));
    assert.equal(await waiting, '1 0');
    on.stage.apply(rulesFor(apart));
    await server.end();
    const receiver = await on.stage.serve(alice, 'on', device, 'first', 9026);
    const before = count();
    assert.equal(await on.stage.as(bob, 'say', host6, 9026, 'b'), 'sent');
    assert.match(await on.stage.as(bob, 'on', device, 'say', host6, 9026, 'b'), /not permitted/);
    assert.equal(count() - before, 2);
    await on.stage.as(0, 'say', host6, 9026, 'r');
    assert.equal(await receiver.next(), 'r');
    await receiver.end();
  });

  const kept = (mode: Listen['mode'] = 'refuse') =>
    rulesFor({ [alice]: { listen: { ports: [{ first: 7001, last: 7003 }], public: true, mode } } });

  test('nobody else gets a port that is kept, while its tenant is down', async () => {
    const programs = on.stage.apply(kept());
    programs.readRefusals();
    for (const address of ['127.0.0.1', '0.0.0.0', '::', `::ffff:127.0.0.1`, host4])
      for (const protocol of ['tcp', 'udp']) {
        const bind = (uid: number, port: number) =>
          on.stage.as(uid, 'bind', protocol, address, port);
        assert.equal(await bind(bob, 7002), 'bind: Operation not permitted', address);
        assert.equal(await bind(alice, 7002), 'bound', address);
        assert.equal(await bind(subordinates[0], 7002), 'bound', address);
        assert.equal(await bind(0, 7002), 'bound', address);
        assert.equal(await bind(bob, 7004), 'bound', address);
      }
    const [first] = programs.readRefusals();
    assert.equal(first?.kind, 'listen.ports');
    assert.equal(first?.port, 7002);
    assert.equal(first?.uid, bob);
  });

  test('kept ports that are only watched can be bound', async () => {
    on.stage.apply(kept('watch'));
    assert.equal(await on.stage.as(bob, 'bind', 'tcp', '127.0.0.1', 7001), 'bound');
  });

  test('a container of a tenant binds what it likes in a network of its own', async () => {
    on.stage.apply(kept());
    const text = await on.stage.printed('unshare', [
      '-n',
      'setpriv',
      '--reuid',
      `${bob}`,
      '--clear-groups',
      on.stage.traffic,
      'bind',
      'tcp',
      '0.0.0.0',
      '7001',
    ]);
    assert.equal(text, 'bound');
  });

  test('other hosts reach no service of a tenant that is not public, however it got the port', async () => {
    const listen = (mode: Listen['mode'], isPublic = false) =>
      rulesFor({ [alice]: { listen: { ports: [], public: isPublic, mode } } });
    const server = await on.stage.serve(alice, 'listen', 0);
    on.stage.apply(listen('refuse', true));
    assert.equal(await on.stage.inWorld('connects', host4, server.line, 3), '3 0');
    const programs = on.stage.apply(listen('refuse'));
    programs.readRefusals();
    const waiting = on.stage.inWorld('connects', host4, server.line, 1);
    while ((programs.readUse().get(alice)?.refusals['listen.public'] ?? 0) === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(programs.readRefusals()[0]?.kind, 'listen.public');
    assert.equal(await on.stage.as(bob, 'connects', host4, server.line, 3), '3 0');
    // Its SYN is sent again, and is let through now.
    on.stage.apply(listen('watch'));
    assert.equal(await waiting, '1 0');
    await server.end();
  });

  test('as many connections as one second has begin at once; then their number is the time by the rate', async () => {
    const rate = 20;
    const programs = on.stage.apply(rulesFor({ [alice]: { limits: { connections: rate } } }));
    const before = programs.readUse().get(alice);
    const begun = performance.now();
    const [through = 0, refused = 0] = (await on.stage.as(alice, 'connects', world4, 9000, 400))
      .split(' ')
      .map(Number);
    const seconds = (performance.now() - begun) / 1_000;
    assert.equal(through + refused, 400);
    assert.ok(through >= rate, `${through}`);
    assert.ok(through <= rate * (1 + seconds) + 1, `${through} in ${seconds} s`);
    const now = programs.readUse().get(alice);
    assert.equal((now?.connectionsOut ?? 0) - (before?.connectionsOut ?? 0), through);
    const counted = (name: 'network.connections') =>
      (now?.refusals[name] ?? 0) - (before?.refusals[name] ?? 0);
    assert.equal(counted('network.connections'), refused);
    // Loopback has no limit, and a neighbour has none either.
    assert.equal(await on.stage.as(bob, 'connects', world4, 9000, 60), '60 0');
  });

  test('a reseller limits the connections of all its tenants together', async () => {
    const rate = 30;
    on.stage.apply(
      rulesFor(
        { [alice]: { reseller: 'ann' }, [bob]: { reseller: 'ann' } },
        { resellers: new Map([['ann', { connections: rate }]]) },
      ),
    );
    const begun = performance.now();
    const both = await Promise.all(
      [alice, bob].map((uid) => on.stage.as(uid, 'connects', world4, 9000, 200)),
    );
    const seconds = (performance.now() - begun) / 1_000;
    const through = both.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0);
    assert.ok(through >= rate && through <= rate * (1 + seconds) + 1, `${through} in ${seconds} s`);
  });

  test('reports of refusals are few for each tenant, and none hides those of others', async () => {
    const reach: Reach = { ...everything, mail: 'submission' };
    const programs = on.stage.apply(rulesFor({ [carol]: { reach }, [bob]: { reach } }));
    await aSecondOfReports();
    programs.readRefusals();
    const before = programs.readUse().get(carol)?.refusals['reach.mail'] ?? 0;
    assert.equal(await on.stage.as(carol, 'connects', world4, 25, 2_000), '0 2000');
    assert.equal(await on.stage.as(bob, 'connects', world4, 25, 1), '0 1');
    const refusals = programs.readRefusals();
    const of = (uid: number) => refusals.filter((each) => each.uid === uid).length;
    assert.equal((programs.readUse().get(carol)?.refusals['reach.mail'] ?? 0) - before, 2_000);
    assert.ok(of(carol) >= 1 && of(carol) < 1_000, `${of(carol)}`);
    assert.equal(of(bob), 1);
  });
});
