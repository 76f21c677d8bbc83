/**
 * The conditions for the placer to stop following forks, and the processes that it then stops: it decides by what it
 * has seen, never by time. The processes are made up, so that they fork between any two visits, as on a machine of any
 * speed.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Scan } from '../../src/host/placer/scan.ts';
import { Suspects } from '../../src/host/placer/suspects.ts';
import { Sweep, type Look } from '../../src/host/placer/sweep.ts';
import { mustEnd } from '../../testing/patience.ts';

const pidMax = 4_194_304;
const tenant = 1001;
const neighbour = 1002;

/** Pids in the order in which they are assigned. */
class Pids {
  readonly pidMax = pidMax;
  readonly lapMilliseconds = Infinity;
  assigned = 1_000;
  last = () => this.assigned;
  distance = (from: number, to: number) => (to - from + pidMax) % pidMax;
  next = (pid: number) => (pid + 1) % pidMax;
}

suite('Sweep', () => {
  test('step() visits earlier forks in one pass, and those made during it in the next', () => {
    const pids = new Pids();
    const looks: Look[] = [];
    const visited: number[] = [];
    const sweep = new Sweep(pids, (pid, look) => {
      visited.push(pid);
      if (looks.at(-1) !== look) looks.push(look);
      // Two of the first three have a child each, and one of those has one.
      if ([1_001, 1_002, 1_004].includes(pid)) pids.assigned++;
    });
    sweep.from(pids.last());
    pids.assigned += 3;
    assert.equal(sweep.step(Infinity), 'done');
    assert.deepEqual(visited, [1_001, 1_002, 1_003, 1_004, 1_005, 1_006]);
    assert.equal(looks.length, 3);
    assert.equal(sweep.pending, false);
  });

  test('step() goes back to earlier pids in the same pass when from() is called with one', () => {
    const pids = new Pids();
    const visited = new Map<number, Look>();
    const sweep = new Sweep(pids, (pid, look) => {
      if (pid === 1_001 && !visited.has(990)) sweep.from(989);
      visited.set(pid, look);
    });
    sweep.from(pids.last());
    pids.assigned += 2;
    assert.equal(sweep.step(Infinity), 'done');
    assert.deepEqual(
      [...visited.keys()].sort(),
      Array.from({ length: 13 }, (_, index) => 990 + index).sort(),
    );
    assert.ok(visited.get(990) !== undefined);
    assert.equal(visited.get(1_002), visited.get(990));
  });

  test('step() returns "done" when processes fork at half the speed of the pass', () => {
    const pids = new Pids();
    let visits = 0;
    const sweep = new Sweep(pids, () => {
      if (++visits % 2 === 0) pids.assigned++;
    });
    sweep.from(0);
    assert.equal(sweep.step(Infinity), 'done');
    assert.ok(visits >= 1_999, String(visits));
  });

  for (const [how, each] of [
    ['as fast as it looks', 1],
    ['twice as fast', 2],
  ] as const)
    test(`step() returns "lapped" after a bounded number of visits when processes fork ${how}`, () => {
      const pids = new Pids();
      let visits = 0;
      const sweep = new Sweep(pids, () => {
        visits++;
        pids.assigned += each;
      });
      sweep.from(pids.last());
      pids.assigned++;
      assert.equal(
        mustEnd(() => sweep.step(Infinity)),
        'lapped',
      );
      assert.ok(visits < 5_000, String(visits));
      assert.equal(sweep.pending, false);
      // A sweep that stopped once can begin again.
      sweep.from(pids.last());
      assert.equal(sweep.step(Infinity), 'done');
    });

  test('step() returns "lapped" when too many pids are behind, or all may have been assigned since', () => {
    const pids = new Pids();
    const none = () => assert.fail('a process was visited');
    const behind = new Sweep(pids, none, 100);
    behind.from(0);
    assert.equal(behind.step(Infinity), 'lapped');
    const blind = new Sweep(Object.assign(new Pids(), { lapMilliseconds: -1 }), none);
    blind.from(999);
    assert.equal(blind.step(Infinity), 'lapped');
  });
});

suite('Scan', () => {
  test('step() also visits processes that were forked while it made its list', () => {
    const pids = new Pids();
    const visited: [number, boolean][] = [];
    const lists = [
      [1, 2, 900],
      [1, 2, 899, 900, 1_001],
    ];
    const scan = new Scan(
      pids,
      (pid, look) => {
        visited.push([pid, look !== undefined]);
        if (pid === 2) pids.assigned++;
        return pid === 899 ? { uid: tenant, reason: 'no' } : 'inside';
      },
      () => lists.shift() ?? assert.fail('a third list'),
    );
    assert.deepEqual(scan.step(Infinity), {
      outside: [{ pid: 899, uid: tenant, reason: 'no' }],
      unknown: [],
      outrun: false,
    });
    assert.deepEqual(visited, [
      [1, false],
      [2, false],
      [900, false],
      [899, false],
      [1_001, false],
      [1_001, true],
    ]);
  });

  test('step() ends and returns outrun when processes fork at the speed of the scan', () => {
    const pids = new Pids();
    let visits = 0;
    const scan = new Scan(
      pids,
      () => {
        visits++;
        pids.assigned++;
        return 'gone';
      },
      () => [1, 2, 3],
    );
    assert.deepEqual(
      mustEnd(() => scan.step(Infinity)),
      { outside: [], unknown: [], outrun: true },
    );
    assert.ok(visits < 1_000, String(visits));
  });
});

suite('Suspects', () => {
  const look = (): Look => ({});

  test('isResisted is false for a process that changes its uid, and for forks before that', () => {
    const suspects = new Suspects();
    suspects.outside(tenant, 1, undefined);
    const one = look();
    for (const pid of [2, 3, 4]) suspects.outside(tenant, pid, one);
    // Looks may find it before its own change of uid is heard of.
    for (let pid = 10; pid < 30; pid++) {
      suspects.outside(neighbour, pid, look());
      suspects.changed(pid);
    }
    assert.equal(suspects.isResisted, false);
    assert.deepEqual([...suspects.seen], [tenant, neighbour]);
  });

  test('isResisted is true for children outside in four consecutive passes, however few', () => {
    const suspects = new Suspects();
    for (let count = 1; count <= 4; count++) {
      assert.equal(suspects.isResisted, false);
      const one = look();
      suspects.outside(tenant, 2 * count, one);
      suspects.outside(tenant, 2 * count + 1, one);
    }
    assert.equal(suspects.isResisted, true);
  });

  test('isResisted does not add up the passes of two tenants', () => {
    const suspects = new Suspects();
    for (let count = 0; count < 6; count++)
      suspects.outside(count % 2 === 0 ? tenant : neighbour, count, look());
    assert.equal(suspects.isResisted, false);
  });

  test('isResisted is true for sixteen children outside in one pass', () => {
    const suspects = new Suspects();
    const one = look();
    for (let pid = 0; pid < 15; pid++) suspects.outside(tenant, pid, one);
    assert.equal(suspects.isResisted, false);
    suspects.outside(tenant, 15, one);
    assert.equal(suspects.isResisted, true);
  });

  test('followed() keeps suspects whose children were all moved, until clear()', () => {
    const suspects = new Suspects();
    for (let pid = 0; pid < 4; pid++) suspects.outside(tenant, pid, look());
    suspects.gone(neighbour);
    suspects.followed();
    assert.equal(suspects.isResisted, false);
    assert.deepEqual([[...suspects.seen], [...suspects.unseen]], [[tenant], [neighbour]]);
    suspects.clear();
    assert.deepEqual([[...suspects.seen], [...suspects.unseen]], [[], []]);
  });

  test('seen and unseen have at most 256 tenants', () => {
    const suspects = new Suspects();
    const one = look();
    for (let pid = 0; pid < 1_000_000; pid++) {
      suspects.outside(pid, pid, one);
      suspects.gone(pid);
    }
    assert.equal(suspects.seen.size, 256);
    assert.equal(suspects.unseen.size, 256);
    assert.equal(suspects.isResisted, false);
  });
});

/** Chains of fork and exit: whenever the placer has moved a process, that one has forked its successor and is gone. */
for (const chains of [1, 5, 64])
  test(`Suspects detects ${chains} fork-and-exit chains after a few visits to each`, () => {
    const pids = new Pids();
    const suspects = new Suspects();
    let visits = 0;
    const sweep = new Sweep(pids, (pid, look) => {
      visits++;
      suspects.outside(tenant, pid, look);
      pids.assigned++;
    });
    sweep.from(pids.last());
    pids.assigned += chains;
    mustEnd(() => {
      while (!suspects.isResisted && sweep.step(-1) === 'more');
    });
    assert.equal(suspects.isResisted, true);
    assert.ok(visits <= 16 + 4 * chains, String(visits));
  });
