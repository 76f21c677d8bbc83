/** Rules and limits hold while somebody disturbs them: by new rules, by want of memory, by a flood from outside. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { suite, test } from 'node:test';
import { u32le } from '../../packages/base/map-entry.ts';
import { BpfMap } from '../../src/sys/bpf/maps.ts';
import {
  alice,
  bob,
  carol,
  everything,
  host4,
  noStage,
  rulesFor,
  stageOfSuite,
  subordinates,
  world4,
} from './stage.ts';

const skip = await noStage();
const megabyte = 1_000_000;
const noMail = { reach: { ...everything, mail: 'submission' } } as const;

suite('disturbed rules of the network', { skip }, () => {
  const on = stageOfSuite(async (stage) => {
    stage.apply(rulesFor({}));
    await stage.serve('world', 'serve', 9000);
    await stage.serve('world', 'serve', 25);
  });

  test('a subordinate uid is its tenant’s at each moment while ranges of others come and go', async () => {
    const others = (count: number) =>
      [...Array(count).keys()].map(
        (at) => [1_000_000 + 10 * at, 1_000_005 + 10 * at, bob] as const,
      );
    const rules = (count: number) =>
      rulesFor({ [alice]: noMail }, { ranges: [...others(count), subordinates] });
    const programs = on.stage.apply(rules(0));
    const { generation } = programs;
    const trying = on.stage.as(subordinates[0] + 3, 'connects', world4, 25, 100_000);
    const over = new AbortController();
    void trying.then(() => over.abort());
    for (let turn = 0; !over.signal.aborted; turn++) {
      on.stage.apply(rules((turn * 97) % 400));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await trying, '0 100000');
    assert.equal(programs.generation, generation);
    for (const count of [7, 0]) {
      on.stage.apply(rules(count));
      assert.equal(programs.have(rules(count)), true);
      assert.equal(programs.have(rules(count + 1)), false);
    }
  });

  test('a tenant is refused what it must not reach, and limited, where nothing can be counted', async () => {
    const rules = rulesFor({ [carol]: { ...noMail, limits: { connections: 2 } } });
    on.stage.apply(rules);
    const [path = ''] = globSync(`${on.stage.place.sys}/fs/bpf/**/map_usages`);
    const opened = BpfMap.open(path);
    assert.ok(opened.ok);
    using usages = opened.value;
    const none = Buffer.alloc(4_096);
    let count = 0;
    while (usages.set(u32le(count, 77), none) === undefined) count++;
    assert.ok(count > 100);
    assert.equal(await on.stage.as(carol, 'connects', world4, 25, 3), '0 3');
    const [through = 0, refused = 0] = (await on.stage.as(carol, 'connects', world4, 9000, 500))
      .split(' ')
      .map(Number);
    assert.ok(refused > 0 && through > 0, `${through} ${refused}`);
    assert.equal(on.stage.apply(rules).readUse().get(carol)?.connectionsOut ?? 0, 0);
    for (let at = 0; at < count; at++) usages.delete(u32le(at, 77));
  });

  test('datagrams that flood one tenant leave its neighbours of the same reseller their TCP', async () => {
    const rate = 2 * megabyte;
    const programs = on.stage.apply(
      rulesFor(
        { [alice]: { reseller: 'ann' }, [bob]: { reseller: 'ann' } },
        { resellers: new Map([['ann', { receive: rate }]]) },
      ),
    );
    const flooded = await on.stage.serve(bob, 'serve', 9050);
    const lost = (uid: number) => programs.readUse().get(uid)?.lostPackets ?? 0;
    const before = { alice: lost(alice), bob: lost(bob), use: programs.readUse().get(alice) };
    const over = new AbortController();
    const flood = async () => {
      while (!over.signal.aborted) await on.stage.inWorld('datagrams', host4, 9050, 1_000, 20_000);
    };
    const flooding = flood();
    // On a busy machine the flood begins late.
    for (let tries = 0; tries < 50 && lost(bob) - before.bob <= 10_000; tries++)
      await on.stage.as(alice, 'get', world4, 9000, 3 * megabyte);
    over.abort();
    await flooding;
    assert.ok(lost(bob) - before.bob > 10_000, `${lost(bob) - before.bob}`);
    const received =
      (programs.readUse().get(alice)?.receivedPackets ?? 0) - (before.use?.receivedPackets ?? 0);
    assert.ok(
      lost(alice) - before.alice < received / 2,
      `${lost(alice) - before.alice} of ${received}`,
    );
    await flooded.end();
  });
});
