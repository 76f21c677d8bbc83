/** The gate: what fails, what passes, and how often ordinary histories of faults fail. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { judge, pressedMin, sufferersMin, type Seen } from '../../src/fleet/core/gate.ts';
import { tenantMember } from '../../src/usage/member.ts';
import { hitHistory, hitKey, sufferer, type Hit } from '../../src/fleet/core/hits.ts';
import { rareBelow, rarityOf, tailOf } from '../../src/fleet/core/rare.ts';

const day = 86_400_000;
const minute = 60_000;
const quietDays = Array<number>(14).fill(0);

const quiet: Seen = {
  watchSeconds: 1800,
  passedSeconds: 1800,
  measuredSeconds: 1800,
  problems: [],
  drift: [],
  isApplied: true,
  outside: [],
  customers: { count: 50, find: (member) => ({ name: `name-${member}`, customer: member }) },
  hits: new Map(),
  history: { known: new Set(), days: quietDays },
  memory: { runs: 0, days: quietDays },
  io: { runs: 0, days: quietDays },
};

const hitsOf = (tenants: number) =>
  new Map(
    Array.from({ length: tenants }, (_, each) => [
      hitKey({ member: tenantMember(each), limit: 'memory.limit' }),
      tenantMember(each),
    ]),
  );

const outsideOf = (tenants: number) =>
  Array.from({ length: tenants }, (_, each) => ({
    pid: 70 + each,
    uid: 1001 + each,
    reason: 'its cgroup is gone',
  }));

suite('gate', () => {
  test('judge() passes a quiet watch, and none before its end', () => {
    assert.deepEqual(judge(quiet), { kind: 'pass', without: [] });
    assert.deepEqual(judge({ ...quiet, passedSeconds: 1799 }), { kind: 'watching' });
  });

  test('judge() fails at once on problems, drift and processes of three tenants outside', () => {
    const wrong: readonly Partial<Seen>[] = [
      { problems: ['Cannot set memory.max'] },
      { drift: ['u1001 has no cgroup'] },
      { outside: outsideOf(3) },
    ];
    for (const each of wrong)
      assert.equal(judge({ ...quiet, passedSeconds: 1, ...each }).kind, 'fail');
  });

  test('judge() fails on three tenants with new hits after quiet days, not on two', () => {
    assert.equal(judge({ ...quiet, hits: hitsOf(2) }).kind, 'pass');
    const failed = judge({ ...quiet, hits: hitsOf(3), passedSeconds: 60 });
    assert.deepEqual(failed, {
      kind: 'fail',
      reasons: [
        '3 tenants had processes killed or refused by a limit that they had not hit in the 7 days before (name-u0, name-u1, name-u2); the same hours of 14 days had at most 0',
      ],
    });
    const known = new Set(hitsOf(3).keys());
    assert.equal(
      judge({ ...quiet, hits: hitsOf(3), history: { known, days: quietDays } }).kind,
      'pass',
    );
  });

  test('one customer alone fails no release, and is named', () => {
    const ofReseller: Seen['customers'] = {
      count: 50,
      find: (member) => ({ name: `name-${member}`, customer: 'r1000' }),
    };
    assert.deepEqual(judge({ ...quiet, outside: outsideOf(1), passedSeconds: 60 }), {
      kind: 'watching',
    });
    assert.deepEqual(judge({ ...quiet, outside: outsideOf(1) }), {
      kind: 'unclear',
      reasons: [
        "1 process is outside the tenants' cgroups (70 of name-u1001: its cgroup is gone); it concerns only 1 customer",
      ],
    });
    for (const each of [{ outside: outsideOf(10) }, { hits: hitsOf(10) }]) {
      const judged = judge({ ...quiet, ...each, customers: ofReseller });
      assert.equal(judged.kind, 'unclear', JSON.stringify(judged));
    }
  });

  test('on a host with fewer customers than three, all of them are enough', () => {
    const find: Seen['customers']['find'] = (member) => ({ name: member, customer: 'r1000' });
    const verdictWith = (customers: number, seen: Partial<Seen>) =>
      judge({ ...quiet, ...seen, customers: { count: customers, find } }).kind;
    assert.equal(verdictWith(1, { hits: hitsOf(3) }), 'fail');
    assert.equal(verdictWith(1, { outside: outsideOf(1) }), 'fail');
    assert.equal(verdictWith(2, { hits: hitsOf(3) }), 'unclear');
  });

  test('judge() never passes what was not measured', () => {
    const unmeasured: readonly Partial<Seen>[] = [
      { measuredSeconds: 1000 },
      { outside: 'no scan has ended' },
      { isApplied: false },
      { memory: 'unknown' },
      { io: 'unknown' },
      { hits: hitsOf(3), history: 'unknown' },
      { hits: hitsOf(3), history: { known: new Set(), days: [] } },
      { hits: hitsOf(3), history: { known: new Set(), days: [0, 0] } },
      { io: { runs: 5, days: [] } },
    ];
    for (const each of unmeasured)
      assert.equal(judge({ ...quiet, ...each }).kind, 'unclear', JSON.stringify(each));
    assert.deepEqual(judge({ ...quiet, io: 'absent' }), {
      kind: 'pass',
      without: ['I/O pressure'],
    });
  });

  test('judge() never fails on pressure alone, and doubts only what comes in three runs', () => {
    const judgedBy = (runs: number, days: readonly number[]) =>
      judge({ ...quiet, io: { runs, days } });
    assert.equal(judgedBy(2, quietDays).kind, 'pass');
    assert.deepEqual(judgedBy(3, quietDays), {
      kind: 'unclear',
      reasons: ['The host was under I/O pressure 3 times; the same hours of 14 days had at most 0'],
    });
    assert.equal(judgedBy(30, quietDays).kind, 'unclear');
    assert.equal(judgedBy(3, [3, ...quietDays.slice(1)]).kind, 'pass');
  });

  test('judge() never takes a failure back while more is seen', () => {
    const counts = fc.array(fc.nat(12), { maxLength: 14 });
    fc.assert(
      fc.property(counts, fc.nat(20), fc.nat(20), fc.nat(1800), (days, first, more, passed) => {
        const history = { known: new Set<string>(), days };
        const early = judge({ ...quiet, history, hits: hitsOf(first), passedSeconds: passed });
        const late = judge({ ...quiet, history, hits: hitsOf(first + more) });
        assert.ok(early.kind !== 'fail' || late.kind === 'fail');
      }),
    );
  });

  test('judge() never fails on as many as one of the days had, nor passes with doubts', () => {
    const counts = fc.array(fc.nat(30), { minLength: 1, maxLength: 14 });
    fc.assert(
      fc.property(counts, fc.nat(40), fc.nat(30), (days, tenants, runs) => {
        const history = { known: new Set<string>(), days };
        const { kind } = judge({
          ...quiet,
          hits: hitsOf(tenants),
          history,
          io: { runs, days },
        });
        const most = Math.max(...days);
        if (tenants <= most && runs <= most) assert.equal(kind, 'pass');
        if (tenants < sufferersMin && runs < pressedMin) assert.equal(kind, 'pass');
      }),
    );
  });
});

suite('tail', () => {
  test('tailOf() is the exact binomial tail', () => {
    // All three of three: (1/15)³. Two of two with one day: (1/2)². One or two of two with three days: 1 - (3/4)².
    assert.ok(Math.abs(tailOf(3, 0, 14) - 1 / 3375) < 1e-12);
    assert.ok(Math.abs(tailOf(2, 0, 1) - 1 / 4) < 1e-12);
    assert.ok(Math.abs(tailOf(1, 1, 3) - 7 / 16) < 1e-12);
    assert.equal(tailOf(3, 0, 0), 1);
    // The sum of a thousand events is still exact: half of them, or more, of two equal periods.
    const half = tailOf(500, 500, 1);
    assert.ok(half > 0.5 && half < 0.5 + 0.0127, `${half}`);
  });

  test('tailOf() falls with the count, and rises with what the days before had', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(400), fc.integer({ min: 1, max: 14 }), (a, before, days) => {
        const slack = 1e-9;
        assert.ok(tailOf(a + 1, before, days) <= tailOf(a, before, days) + slack);
        assert.ok(tailOf(a, before + 1, days) + slack >= tailOf(a, before, days));
      }),
    );
  });

  test('rarityOf() is unclear only if no quiet days could show it', () => {
    assert.equal(rarityOf(3, []), 'unclear');
    assert.equal(rarityOf(3, Array<number>(9).fill(0)), 'unclear');
    assert.equal(rarityOf(3, Array<number>(10).fill(0)), 'rare');
    assert.equal(rarityOf(3, [1, ...quietDays.slice(1)]), 'ordinary');
  });
});

suite('hits', () => {
  const watch = { from: 100 * day, to: 100 * day + 30 * minute };
  const at = (time: number, member: Hit['member'], limit: Hit['limit'] = 'memory.limit'): Hit => ({
    member,
    limit,
    begin: time,
    end: time,
  });

  test('sufferer() counts a site as its tenant, and a reseller as itself', () => {
    assert.equal(sufferer('u1001/shop.example'), 'u1001');
    assert.equal(sufferer('u1001'), 'u1001');
    assert.equal(sufferer('r1001'), 'r1001');
  });

  test('hitHistory() compares the same hours, and forgets what is older than a week', () => {
    const hits = [
      at(watch.from - day + minute, 'u1001'),
      at(watch.from - 8 * day + minute, 'u1002'),
      at(watch.from - 2 * day - minute, 'u1003'),
      at(watch.from - 3 * day - 2 * minute, 'u1003/shop.example'),
    ];
    const { known, days } = hitHistory(watch, hits, 0);
    assert.deepEqual([...known].toSorted(), ['u1001 memory.limit', 'u1003 memory.limit']);
    assert.deepEqual(days, [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert.equal(hitHistory(watch, hits, watch.from - 2.5 * day).days.length, 2);
  });
});

/** A generator of numbers between 0 and 1 (mulberry32): the same in each run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function poisson(mean: number, next: () => number): number {
  const limit = Math.exp(-mean);
  let product = next();
  let found = 0;
  for (; product > limit; found++) product *= next();
  return found;
}

/**
 * Thirty days of a host on which nothing is wrong, and a watch at a random time of its last day. Tenants differ: most
 * never hit a limit, some do each day. Nightly work makes many hit one at the same hour, and once in ten days something
 * hits ten at once.
 */
function ordinaryHits(seed: number, tenants: number, bursts: boolean) {
  const next = random(seed);
  const hits: Hit[] = [];
  const add = (tenant: number, begin: number, limit: Hit['limit']) =>
    hits.push({ member: `u${tenant}`, limit, begin, end: begin + minute });
  const limits: readonly Hit['limit'][] = ['memory.limit', 'processes.max', 'entries.max'];
  for (let tenant = 0; tenant < tenants; tenant++)
    for (const limit of limits) {
      // Hits each day: heavy-tailed, 0.0005 to 2.
      const rate = 0.0005 * Math.exp(8.3 * next() ** 3);
      for (let each = poisson(30 * rate, next); each > 0; each--)
        add(tenant, next() * 30 * day, limit);
    }
  for (let each = 0; each < (bursts ? 30 : 0); each++) {
    const nightly = poisson(2, next);
    for (let one = 0; one < nightly; one++)
      add(Math.floor(next() * tenants), each * day + 3 * 60 * minute, 'processes.max');
    if (next() > 0.1) continue;
    const begin = each * day + next() * day;
    for (let one = 0; one < 10; one++) add(Math.floor(next() * tenants), begin, 'memory.limit');
  }
  const from = 29 * day + next() * (day - 30 * minute);
  return { hits, watch: { from, to: from + 30 * minute } };
}

function verdictOf({ hits, watch }: ReturnType<typeof ordinaryHits>): string {
  const seen = hits.filter(({ begin }) => begin >= watch.from && begin < watch.to);
  const past = hits.filter(({ begin }) => begin < watch.from);
  return judge({
    ...quiet,
    hits: new Map(seen.map((each) => [hitKey(each), sufferer(each.member)])),
    history: hitHistory(watch, past, 0),
  }).kind;
}

suite('simulation', () => {
  const rounds = 200;
  const failuresOf = (tenants: number, bursts: boolean) =>
    Array.from({ length: rounds }, (_, seed) =>
      verdictOf(ordinaryHits(seed * 7919 + tenants, tenants, bursts)),
    ).filter((each) => each !== 'pass').length;

  test('an ordinary host does not fail more often than the test allows', () => {
    for (const tenants of [50, 800])
      assert.ok(
        failuresOf(tenants, false) <= Math.ceil(4 * rareBelow * rounds),
        `${tenants} tenants`,
      );
  });

  test('a host with bursts fails in fewer than one of a hundred watches', () => {
    for (const tenants of [50, 800]) {
      const failures = failuresOf(tenants, true);
      assert.ok(failures <= rounds / 100, `${tenants} tenants: ${failures} of ${rounds}`);
    }
  });

  test('a release that harms ten more tenants fails on hosts of all sizes', () => {
    for (const tenants of [50, 800])
      for (let seed = 0; seed < 20; seed++) {
        const { hits, watch } = ordinaryHits(seed, tenants, false);
        for (let each = 0; each < 10; each++)
          hits.push({
            member: `u${10_000 + each}`,
            limit: 'memory.limit',
            begin: watch.from + minute,
            end: watch.from + minute,
          });
        assert.equal(verdictOf({ hits, watch }), 'fail', `${tenants} tenants, seed ${seed}`);
      }
  });
});
