/**
 * Tenants ask the agent for all that it remembers of them, several at once and without end. Root's own
 * questions must be answered all the while, and the tenants' work must end with the attack.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { readText } from '../../packages/base/io/read.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { tenantMember } from '../../src/usage/member.ts';
import { metricKeys } from '../../src/usage/metrics.ts';
import { emptyColumns } from '../../src/usage/tick.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';

const here = hostHere('bulkhead-history-test');
const firstUid = 882_000;
const attackers = Array.from({ length: 18 }, (_, index) => firstUid + index);
const clientsEach = 3;
const others = 300;
const ticks = 3_600;
const tickMilliseconds = 1_000;

describe('history requests of tenants', { skip: 'skip' in here ? here.skip : false }, () => {
  let agent: RunningAgent;

  before(async () => {
    if ('skip' in here) return;
    agent = new RunningAgent(here.host);
    const list = attackers.map((uid) => `<tenant uid="${uid}"><processes limit="9"/></tenant>`);
    agent.writePolicy(`<agent interval="1s"/>${list.join('')}`);
    remember(`${here.host.paths.state}/history`);
    await agent.start();
  });

  after(async () => {
    await agent[Symbol.asyncDispose]();
  });

  test("do not delay root's, and end with the attack", async () => {
    const state = { isOver: false };
    const statuses = new Map<number, Set<number>>(attackers.map((uid) => [uid, new Set()]));
    const attack = async (uid: number) => {
      while (!state.isOver) {
        const { status, text, headers } = await agent.ask(`/v1/usage?from=1`, uid);
        statuses.get(uid)?.add(status);
        // On a slow machine the connection may end first.
        if (status === 200 || status === 0) continue;
        assert.equal(status, 503, text);
        // On a slow machine one may be too long.
        const mayReturn = Number(headers['retry-after']) >= 1;
        assert.ok(mayReturn || text.includes('ask about a shorter period'), text);
      }
    };
    const attacks = Promise.all(
      attackers.flatMap((uid) => Array.from({ length: clientsEach }, () => attack(uid))),
    );
    const isAttacked = () => [...statuses.values()].every(({ size }) => size > 0);
    try {
      for (let asked = 0; asked < 20 || !isAttacked(); asked++) {
        for (const path of ['series', 'usage', 'advise']) {
          const { status, text } = await agent.ask(`/v1/${path}?tenant=${firstUid}`);
          assert.equal(status, 200, `${path}: ${text}`);
        }
      }
    } finally {
      state.isOver = true;
      await attacks;
    }
    await agent.until('nobody asks the history', () => historyThreads(agent.pid) === 0);
    assert.equal((await agent.ask('/v1/status')).status, 200);
  });
});

/** Threads may end while they are listed. */
const historyThreads = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).filter(
    (task) => readText(`/proc/${pid}/task/${task}/comm`)?.trim() === 'history',
  ).length;

/** Records the last hour of these tenants and many others, whose accounts have always existed. */
function remember(directory: string): void {
  using events = new EventStore(directory);
  const kept = new Map(
    attackers.map((uid) => [
      tenantMember(uid),
      { name: `uid ${uid}`, home: undefined, since: 0 } as const,
    ]),
  );
  assert.ok(events.keepTenancies({ kept, begun: new Set(), ended: [] }).ok);
  using metrics = new MetricsStore(directory);
  const members = Array.from({ length: others }, (_, index) => tenantMember(firstUid + index));
  const columns = emptyColumns(members.length);
  for (const key of metricKeys) columns[key].fill(1);
  const start = Date.now() - ticks * tickMilliseconds;
  for (let tick = 1; tick <= ticks; tick++) {
    const at = start + tick * tickMilliseconds;
    assert.ok(metrics.add({ at, seconds: 1, members, columns }).ok);
  }
}
