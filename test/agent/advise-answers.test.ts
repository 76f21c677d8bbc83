/** The answer to `GET /v1/advise` from a real history, for accounts that came at different times. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueryReader } from '../../src/agent/api/query-reader.ts';
import type { RequestContext } from '../../src/agent/api/request-context.ts';
import { answerAdvise } from '../../src/agent/responses/advise.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { HistoryReader } from '../../src/store/history/history-reader.ts';
import type { HistoryView } from '../../src/store/history/history.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import type { Member } from '../../src/usage/member.ts';
import { policyOf } from '../conformance/suite.ts';
import { hour, Place, start, tickOf, value } from '../store/samples.ts';

const memberIndex = new MemberIndex(
  policyOf(
    `<package name="old"><cpu limit="200%"/></package><package name="new"><cpu limit="200%"/></package>
     <package name="most"><cpu limit="200%"/></package>
     <tenant uid="64521" package="old"/><tenant uid="64522" package="old"/>
     <tenant uid="64523" package="new"/><tenant uid="64524"/>
     <tenant uid="64525" package="new"><cpu limit="10%"/></tenant>
     <tenant uid="64526" package="most"/><tenant uid="64527" package="most"/>
     <tenant uid="64528" package="most"/>`,
  ),
);
const hours = 30;
const end = start + hours * hour;
/** The hours after which accounts came. The last one's beginning is unknown. */
const beginnings: Readonly<Record<Member, number>> = {
  u64521: -9,
  u64522: 20,
  u64523: 8,
  u64524: 8,
  u64526: -9,
  u64527: 0,
  u64528: 29,
};

function adviceFrom(
  index: MemberIndex,
  events: EventStore,
  reader: HistoryReader,
  beginningOf: (member: Member) => number,
) {
  const history: Partial<HistoryView> = {
    usage: (query) => Promise.resolve(reader.usage(query)),
    quantiles: (query) => Promise.resolve(reader.quantiles(query)),
    columns: (query) => Promise.resolve(reader.columns(query)),
    peakTotal: (query) => Promise.resolve(reader.peakTotal(query)),
  };
  const agent = { memberIndex: index, events, membership: { beginningOf } };
  const query = new QueryReader(new URLSearchParams(`from=${start - 5 * hour}&to=${end}`));
  const caller = { kind: 'uid', uid: 0 };
  return answerAdvise({ agent, history, caller, query } as unknown as RequestContext);
}

test('a lower limit on a database needs a day in which databases were asked', async () => {
  for (const [asked, proposed] of [
    [2, '200%'],
    [26, '40%'],
  ] as const) {
    using place = new Place();
    using events = new EventStore(place.directory);
    using metrics = new MetricsStore(place.directory);
    for (let at = start + hour / 2; at <= end; at += hour / 2) {
      const databaseCpu = at > end - asked * hour ? { databaseCpu: 0.3 } : {};
      value(metrics.add(tickOf(at, { u64521: { cpu: 0.3, ...databaseCpu } }, 1_800)));
    }
    using reader = new HistoryReader(place.directory);
    const index = new MemberIndex(
      policyOf('<tenant uid="64521"><database cpu="200%"/></tenant><tenant uid="64522"/>'),
    );
    const { tenants } = value(await adviceFrom(index, events, reader, () => start));
    const own = tenants.filter(({ limit }) => limit === 'database.cpu');
    // Of the other one nothing was seen, so nothing is proposed.
    assert.deepEqual(
      own.map(({ member, neverHit }) => [member, neverHit]),
      [['u64521', proposed]],
    );
  }
});

test('a lower limit is proposed only after a day of history, and the answer has its beginning', async () => {
  using place = new Place();
  using events = new EventStore(place.directory);
  using metrics = new MetricsStore(place.directory);
  const busy = { cpu: 0.3 };
  const use = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((each) => [`u6452${each}`, busy]));
  for (let at = start + hour / 2; at <= end; at += hour / 2)
    value(metrics.add(tickOf(at, use, 1_800)));
  using reader = new HistoryReader(place.directory);
  const beginningOf = (member: Member) => start + (beginnings[member] ?? Infinity) * hour;
  const { tenants, packages } = value(await adviceFrom(memberIndex, events, reader, beginningOf));
  const cpu = tenants.filter(({ limit }) => limit === 'cpu.limit');
  assert.deepEqual(
    cpu.map(({ current, neverHit, onePercentHit, knownSince }) => [
      current,
      neverHit,
      onePercentHit,
      knownSince === undefined ? undefined : (knownSince - start) / hour,
    ]),
    [
      ['200%', '40%', '40%', 0],
      ['200%', '200%', '200%', 20],
      ['200%', '200%', '200%', 8],
      ['unlimited', 'unlimited', 'unlimited', 8],
      // More than the limit that it has needs no day of history.
      ['10%', '40%', '40%', undefined],
      ['200%', '40%', '40%', 0],
      ['200%', '40%', '40%', 0],
      ['200%', '200%', '200%', 29],
    ],
  );
  assert.deepEqual(
    packages
      .filter(({ limit }) => limit === 'cpu.limit')
      .map(({ package: name, neverHit, knownSince, ...of }) => [
        name,
        neverHit,
        knownSince,
        of.tenantsKnown,
        of.tenants,
      ]),
    [
      // One of two is not enough to lower the limit of both.
      ['old', '200%', start, 1, 2],
      ['new', '200%', start + 8 * hour, 0, 2],
      ['most', '40%', start, 2, 3],
    ],
  );
});

test('a CPU limit toward which databases count is for programs and statements together', async () => {
  using place = new Place();
  using events = new EventStore(place.directory);
  using metrics = new MetricsStore(place.directory);
  // Programs work in one half of the time, servers in the other.
  for (let at = start + hour / 2, each = 0; at <= end; at += hour / 2, each++) {
    const use = { cpu: each % 2 === 0 ? 0.3 : 0.1, databaseCpu: each % 2 === 0 ? 0.1 : 0.5 };
    const asked = at > end - 26 * hour ? use : { cpu: use.cpu };
    const all = Object.fromEntries(['u64521', 'u64522', 'u64523'].map((who) => [who, asked]));
    value(metrics.add(tickOf(at, all, 1_800)));
  }
  using reader = new HistoryReader(place.directory);
  const index = new MemberIndex(
    policyOf(`<package name="p"><cpu limit="200%"/><database counts="yes"/></package>
      <tenant uid="64521" package="p"/><tenant uid="64522" package="p"><database counts="no"/></tenant>
      <tenant uid="64523"><database counts="yes"/></tenant>`),
  );
  const { tenants, packages } = value(await adviceFrom(index, events, reader, () => start));
  const own = tenants.filter(({ limit }) => limit === 'cpu.limit');
  // Eight tenths of a core and a tenth of that, rounded up; without servers 0.3 and a tenth.
  assert.deepEqual(
    own.map((each) => [each.member, each.neverHit, each.onePercentHit, each.countsDatabases]),
    [
      ['u64521', '90%', '90%', true],
      ['u64522', '40%', '40%', undefined],
      ['u64523', '90%', '90%', true],
    ],
  );
  const first = packages.find(({ limit }) => limit === 'cpu.limit');
  assert.deepEqual(
    [first?.neverHit, first?.tenantsKnown, first?.countsDatabases],
    ['90%', 2, true],
  );
});
