/** The agent's part with the real programs: what they hold, what is told, and what stays when the agent does not. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import type { Log } from '../../src/agent/log.ts';
import type { ReportedFault } from '../../src/agent/part.ts';
import type { Attempt } from '../../src/network/core/attempts.ts';
import type { EntryPathContext } from '../../src/host/entry-paths/entry-paths.ts';
import { networkLayers } from '../../src/network/commands/layers.ts';
import { NetworkPart } from '../../src/network/io/agent-part.ts';
import { hostHeld } from '../../src/network/io/host-held.ts';
import { hostRules } from '../../src/network/io/host-rules.ts';
import { NetworkPrograms } from '../../src/network/io/programs/network-programs.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { alice, bob, noStage, NetworkStage, world4 } from './stage.ts';

const skip = await noStage();
const megabyte = 1_000_000;

suite("the agent's part of the network", { skip }, () => {
  const warnings: string[] = [];
  const log = { warn: (text: string) => warnings.push(text) } as unknown as Log;
  let stage: NetworkStage;
  // Before the directory goes.
  after(() => stage[Symbol.asyncDispose]());
  const directory = suiteDirectory('network-agent', '/var/tmp', 0o711);

  before(async () => {
    stage = new NetworkStage(directory);
    const { etc, runtime, state } = stage.place;
    for (const each of [etc, runtime, state]) mkdirSync(each, { recursive: true });
    writeFileSync(`${etc}/passwd`, '');
    await stage.serve('world', 'serve', 9000);
    await stage.serve('world', 'serve', 25);
  });

  function policy(body: string): Policy {
    const tenants = `<tenant uid="${alice}"/><tenant uid="${bob}"/>`;
    const text = `<bulkhead version="1"><defaults>${body}</defaults>${tenants}</bulkhead>`;
    const { document, diagnostics } = parsePolicy('policy.xml', text);
    assert.ok(document !== undefined, JSON.stringify(diagnostics));
    return resolvePolicy(document, { accounts: [], uidMin: 1000 });
  }

  async function adopted(part: NetworkPart, body: string): Promise<void> {
    part.adopt(policy(body));
    await eventually(
      'it is known',
      () => part.networkUse(alice) !== undefined || warnings.length > 0,
    );
    assert.deepEqual(warnings.splice(0), []);
  }

  const layerOf = async (body: string) => {
    const context = { paths: stage.place, policy: policy(body) } as EntryPathContext;
    return (await networkLayers(context))[0]?.state;
  };

  const countOf = (faults: readonly ReportedFault[], limit: string) =>
    faults.filter((each) => each.limit === limit).reduce((sum, { count }) => sum + count, 0);

  test('a policy without rules loads nothing, and nothing is known', async () => {
    await using part = new NetworkPart(stage.place, log, stage.place);
    part.adopt(policy(''));
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(NetworkPrograms.open(stage.place), undefined);
    assert.equal(part.networkUse(alice), undefined);
    assert.deepEqual(part.takeFaults(), []);
    assert.deepEqual(warnings, []);
  });

  test('tells what tenants send, and who tried to send mail', async () => {
    await using part = new NetworkPart(stage.place, log, stage.place);
    await adopted(part, '<reach mail="submission"/>');
    const before = part.networkUse(alice);
    await stage.as(alice, 'put', world4, 9000, megabyte);
    await eventually(
      'it is counted',
      () => (part.networkUse(alice)?.sentBytes ?? 0) - (before?.sentBytes ?? 0) > megabyte,
    );
    part.takeFaults();
    await stage.as(alice, 'connects', world4, 25, 20);
    let found: ReportedFault[] = [];
    await eventually('all are told', () => {
      found = [...found, ...part.takeFaults()];
      return countOf(found, 'reach.mail') === 20;
    });
    const [fault] = found;
    assert.equal(fault?.member, `u${alice}`);
    assert.equal(fault?.severity, 'refused');
    const [item] = (fault?.evidence.items ?? []) as readonly Attempt[];
    assert.deepEqual([item?.address, item?.port, item?.addresses], [world4, 25, 1]);
    assert.match(item?.program ?? '', /traffic/);
    assert.equal(part.networkUse(12_345), undefined);
    assert.deepEqual(warnings, []);
    assert.deepEqual(part.takeAlarms(), []);
  });

  test('rules stay while no agent runs, and the next one goes on with the same counts', async () => {
    await using first = new NetworkPart(stage.place, log, stage.place);
    await adopted(first, '<reach mail="submission"/>');
    const sent = first.networkUse(alice)?.sentBytes ?? 0;
    await first[Symbol.asyncDispose]();
    assert.equal(first.networkUse(alice), undefined);
    assert.equal(await stage.as(alice, 'connects', world4, 25, 3), '0 3');
    await using second = new NetworkPart(stage.place, log, stage.place);
    await adopted(second, '<reach mail="submission"/>');
    assert.ok((second.networkUse(alice)?.sentBytes ?? 0) >= sent);
    assert.ok(sent > 0);
    // What happened meanwhile is told then, and once.
    assert.equal(countOf(second.takeFaults(), 'reach.mail'), 3);
    assert.equal(countOf(second.takeFaults(), 'reach.mail'), 0);
    await second[Symbol.asyncDispose]();
    await using third = new NetworkPart(stage.place, log, stage.place);
    await adopted(third, '<reach mail="submission"/>');
    assert.equal(countOf(third.takeFaults(), 'reach.mail'), 0);
  });

  test('a damaged record of refusals is taken for none', async () => {
    const body = '<reach mail="submission"/>';
    await using first = new NetworkPart(stage.place, log, stage.place);
    await adopted(first, body);
    await stage.as(alice, 'connects', world4, 25, 2);
    first.takeFaults();
    await first[Symbol.asyncDispose]();
    writeFileSync(`${stage.place.state}/network/refusals.json`, '{"generation":7}');
    await using second = new NetworkPart(stage.place, log, stage.place);
    await adopted(second, body);
    assert.deepEqual(second.takeFaults(), []);
  });

  test('the status is of the rules in force, not of those of another policy', async () => {
    await using part = new NetworkPart(stage.place, log, stage.place);
    const body = '<reach mail="submission"/>';
    await adopted(part, body);
    const held = async (other: string) =>
      hostHeld(stage.place, hostRules(stage.place, policy(other)));
    const is = await held(body);
    assert.deepEqual([is.problem, is.parts[0]?.support, is.tenants], [null, 'full', 2]);
    assert.equal(await layerOf(body), 'enforced');
    assert.equal(await layerOf('<reach mail="local"/>'), 'partly');
    // Programs need the kernel's types.
    assert.equal(await layerOf(''), 'unavailable');
    mkdirSync(`${stage.place.sys}/kernel/btf`, { recursive: true });
    writeFileSync(`${stage.place.sys}/kernel/btf/vmlinux`, '');
    assert.equal(await layerOf(''), 'open');
    const other = await held('<reach mail="local"/>');
    assert.match(other.problem ?? '', /have other rules than this policy/);
    assert.equal(other.parts[0]?.support, 'none');
    part.adopt(policy('<reach mail="local"/>'));
    await eventually('the status follows', async () => {
      const { problem } = await held('<reach mail="local"/>');
      return problem === null;
    });
  });

  test('a policy that only watches says so, and refuses nothing', async () => {
    await using part = new NetworkPart(stage.place, log, stage.place);
    await adopted(part, '<reach mail="submission" mode="watch"/>');
    part.takeFaults();
    assert.equal(await stage.as(bob, 'connects', world4, 25, 4), '4 0');
    let found: ReportedFault[] = [];
    await eventually('all are told', () => {
      found = [...found, ...part.takeFaults()];
      return countOf(found, 'reach.mail') >= 4;
    });
    assert.deepEqual([...new Set(found.map(({ severity }) => severity))], ['throttled']);
    assert.equal(await layerOf('<reach mail="submission" mode="watch"/>'), 'watched');
  });

  test('programs that somebody removed are unknown, loaded again, and an alarm', async () => {
    await using part = new NetworkPart(stage.place, log, stage.place);
    await adopted(part, '<reach mail="submission"/>');
    assert.ok(NetworkPrograms.unload(stage.place).ok);
    await eventually('it is known', () => part.networkUse(alice) === undefined);
    assert.deepEqual(part.takeFaults(), []);
    await adopted(part, '<reach mail="submission"/>');
    assert.equal(await stage.as(alice, 'connects', world4, 25, 2), '0 2');
    assert.match(part.takeAlarms()[0]?.title ?? '', /were removed/);
  });

  test('the last rule that goes ends the programs', async () => {
    await using part = new NetworkPart(stage.place, log, stage.place);
    await adopted(part, '<reach mail="submission"/>');
    part.adopt(policy(''));
    await eventually('it is known', () => part.networkUse(alice) === undefined);
    assert.equal(NetworkPrograms.open(stage.place), undefined);
    assert.equal(await stage.as(alice, 'connects', world4, 25, 2), '2 0');
  });
});
