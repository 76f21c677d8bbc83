/**
 * Limits and rules while they change: they hold at once, sums go on, and nothing ends with the process that set them. How
 * packets are paced by the qdisc fq is shown in a guest: test/vm/network.test.ts.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { NetworkPrograms } from '../../src/network/io/programs/network-programs.ts';
import {
  alice,
  bob,
  everything,
  host4,
  noStage,
  rulesFor,
  stageOfSuite,
  world4,
  type NetworkStage,
} from './stage.ts';

const skip = await noStage();
const megabyte = 1_000_000;
/** The waiting of TCP that is allowed, and eight full packets. */
const sendBurst = (rate: number) => rate / 2 + 12_000 + 65_536;
const receiveBurst = (rate: number) => 0.4 * rate + 24_000 + 65_536;

suite('limits of the network', { skip }, () => {
  const on = stageOfSuite(async (stage: NetworkStage) => {
    stage.apply(rulesFor({}));
    await stage.serve('world', 'serve', 9000);
  });

  /** Returns the bytes that went one way at most in this time, by the clock of this host. */
  const passed = async (way: 'sent' | 'received', load: () => Promise<unknown>) => {
    const before = on.stage.wire()[way].bytes;
    const begun = performance.now();
    await load();
    const seconds = (performance.now() - begun) / 1_000;
    return { bytes: on.stage.wire()[way].bytes - before, seconds };
  };

  test('a tenant sends no more than its limit, which is changed while it sends', async () => {
    const rate = 2 * megabyte;
    const programs = on.stage.apply(rulesFor({ [alice]: { limits: { send: rate } } }));
    const first = await passed('sent', () => on.stage.as(alice, 'put', world4, 9000, 3 * megabyte));
    assert.ok(first.bytes <= rate * first.seconds + sendBurst(rate), JSON.stringify(first));
    assert.ok(first.seconds > 1, JSON.stringify(first));
    const use = programs.readUse().get(alice);
    assert.ok((use?.heldPackets ?? 0) > 0);
    const { generation } = programs;
    const sending = on.stage.as(alice, 'put', world4, 9000, 40 * megabyte);
    on.stage.apply(rulesFor({ [alice]: { limits: { send: 400 * megabyte } } }));
    assert.match(await sending, /^\d+$/);
    assert.equal(programs.generation, generation);
    assert.ok((programs.readUse().get(alice)?.sentBytes ?? 0) > 40 * megabyte);
  });

  test('a reseller limits what all its tenants send together', async () => {
    const rate = 2 * megabyte;
    on.stage.apply(
      rulesFor(
        { [alice]: { reseller: 'ann' }, [bob]: { reseller: 'ann' } },
        { resellers: new Map([['ann', { send: rate }]]) },
      ),
    );
    const both = await passed('sent', () =>
      Promise.all([alice, bob].map((uid) => on.stage.as(uid, 'put', world4, 9000, 2 * megabyte))),
    );
    assert.ok(both.bytes <= rate * both.seconds + sendBurst(rate), JSON.stringify(both));
  });

  test('a tenant receives no more than its limit', async () => {
    const rate = 2 * megabyte;
    const programs = on.stage.apply(rulesFor({ [alice]: { limits: { receive: rate } } }));
    const before = programs.readUse().get(alice)?.receivedBytes ?? 0;
    const begun = performance.now();
    await on.stage.as(alice, 'get', world4, 9000, 3 * megabyte);
    const seconds = (performance.now() - begun) / 1_000;
    const received = (programs.readUse().get(alice)?.receivedBytes ?? 0) - before;
    assert.ok(received >= 3 * megabyte);
    assert.ok(received <= rate * seconds + receiveBurst(rate), `${received} in ${seconds} s`);
  });

  test('datagrams beyond the limit are lost, without an error for the sender', async () => {
    const rate = megabyte;
    const programs = on.stage.apply(rulesFor({ [alice]: { limits: { send: rate } } }));
    const before = programs.readUse().get(alice)?.lostPackets ?? 0;
    const flood = await passed('sent', async () => {
      assert.equal(await on.stage.as(alice, 'datagrams', world4, 9000, 1_200, 3_000), '3000');
    });
    assert.ok(flood.bytes <= rate * flood.seconds + 0.1 * rate, JSON.stringify(flood));
    assert.ok((programs.readUse().get(alice)?.lostPackets ?? 0) > before);
  });

  test('loopback has no limit', async () => {
    on.stage.apply(rulesFor({ [alice]: { limits: { send: 16_384, receive: 16_384 } } }));
    const server = await on.stage.serve(0, 'serve', 9014);
    const use = on.stage.apply(rulesFor({ [alice]: { limits: { send: 16_384 } } }));
    const before = use.readUse().get(alice);
    for (const address of ['127.0.0.1', host4])
      await on.stage.as(alice, 'put', address, 9014, 20 * megabyte);
    const now = use.readUse().get(alice);
    assert.equal(now?.heldPackets, before?.heldPackets);
    assert.equal(now?.lostPackets, before?.lostPackets);
    await server.end();
  });

  test('rules stay when the process that set them is gone, and others find them', async () => {
    const reach = { ...everything, mail: 'submission' } as const;
    const programs = on.stage.apply(rulesFor({ [alice]: { reach } }));
    const { place } = on.stage;
    const script = `
      import { NetworkPrograms } from '${new URL('../../src/network/io/programs/network-programs.ts', import.meta.url).href}';
      const found = NetworkPrograms.open(${JSON.stringify(place)});
      process.stdout.write(JSON.stringify([found.generation, [...found.readUse().keys()], found.selfTest() ?? null]));
      process.kill(process.pid, 'SIGKILL');`;
    let printed = '';
    try {
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    } catch (error) {
      printed = String((error as { readonly stdout?: unknown }).stdout);
    }
    const [generation, uids, problem] = JSON.parse(printed) as [string, number[], unknown];
    assert.equal(generation, programs.generation);
    assert.deepEqual(uids.toSorted(), [...programs.readUse().keys()].toSorted());
    assert.equal(problem, null);
    assert.equal(await on.stage.as(alice, 'connects', world4, 25, 3), '0 3');
  });

  test('a tenant that leaves and comes back begins at 0; many more tenants make larger maps', () => {
    const { tenants, ...rest } = rulesFor({});
    const without = { ...rest, tenants: tenants.filter(({ uid }) => uid !== alice) };
    const programs = on.stage.apply(without);
    assert.equal(programs.readUse().has(alice), false);
    on.stage.apply({ ...rest, tenants });
    assert.equal(programs.readUse().get(alice)?.sentBytes, 0);
    const { generation } = programs;
    const many = Array.from({ length: 2_000 }, (_, at) => ({ uid: 8_000_000 + at, limits: {} }));
    on.stage.apply({ ...rest, tenants: [...tenants, ...many] });
    assert.notEqual(programs.generation, generation);
    assert.equal(programs.readUse().size, tenants.length + 2_000);
    assert.equal(programs.selfTest(), undefined);
    const large = programs.generation;
    on.stage.apply({ ...rest, tenants });
    assert.equal(programs.generation, large);
  });

  test('many ports can move at once, and a reseller that comes changes nothing of others', async () => {
    const ports = (first: number) =>
      rulesFor({
        [alice]: {
          listen: { ports: [{ first, last: first + 399 }], public: true, mode: 'refuse' },
        },
      });
    const programs = on.stage.apply(ports(7_001));
    assert.equal(programs.have(ports(7_001)), true);
    assert.equal(programs.have(ports(7_002)), false);
    on.stage.apply(ports(8_001));
    assert.equal(programs.have(ports(8_001)), true);
    assert.equal(await on.stage.as(bob, 'bind', 'tcp', '127.0.0.1', 7_100), 'bound');
    assert.match(await on.stage.as(bob, 'bind', 'tcp', '127.0.0.1', 8_100), /not permitted/);
  });

  test('a socket for datagrams that is only connected is not refused; what it sends is', async () => {
    const rules = rulesFor({ [alice]: { reach: { ...everything, others: 'refuse' } } });
    const programs = on.stage.apply(rules);
    const before = programs.readUse().get(alice)?.refusals['reach.address'] ?? 0;
    assert.equal(
      await on.stage.as(alice, 'probe', world4, 9000),
      'connected, Operation not permitted',
    );
    const now = programs.readUse().get(alice)?.refusals['reach.address'] ?? 0;
    assert.equal(now - before, 1);
  });

  test('two processes that set rules at once both succeed', async () => {
    const script = (rate: number) => `
      import { NetworkPrograms } from '${new URL('../../src/network/io/programs/network-programs.ts', import.meta.url).href}';
      const rules = { tenants: [{ uid: ${alice}, limits: { send: ${rate} } }], resellers: new Map(), ranges: [], servedPorts: new Map() };
      for (let time = 0; time < 5; time++) {
        const loaded = NetworkPrograms.load(rules, ${JSON.stringify(on.stage.place)});
        if (!loaded.ok) throw new Error(loaded.error.reason);
        loaded.value[Symbol.dispose]();
      }
      process.stdout.write('done');`;
    const printed = await Promise.all(
      [100_000, 200_000].map((rate) =>
        on.stage.printed(process.execPath, ['--input-type=module', '-e', script(rate)]),
      ),
    );
    assert.deepEqual(printed, ['done', 'done']);
  });

  test('unload() ends all limits, and there is nothing to open then', async () => {
    on.stage.apply(rulesFor({ [alice]: { reach: { ...everything, mail: 'submission' } } }));
    assert.equal(await on.stage.as(alice, 'connects', world4, 25, 1), '0 1');
    const unloaded = NetworkPrograms.unload(on.stage.place);
    assert.deepEqual(unloaded, { ok: true, value: true });
    assert.equal(NetworkPrograms.open(on.stage.place), undefined);
    const server = await on.stage.serve('world', 'serve', 25);
    assert.equal(await on.stage.as(alice, 'connects', world4, 25, 1), '1 0');
    await server.end();
  });
});
