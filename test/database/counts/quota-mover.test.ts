/** CPU limits that the agent lowers by the use of database servers, on hosts in memory. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { applyPolicy } from '../../../src/apply/apply.ts';
import { databaseLimits } from '../../../src/database/core/database-limits.ts';
import { QuotaMover } from '../../../src/database/io/counts/quota-mover.ts';
import { loweredFile, readLowered } from '../../../src/host/cgroups/lowered-quotas.ts';
import { fakeHost } from '../../../testing/fake-host.ts';
import { gentle, MoverStage, policyOf, uid } from './mover-stage.ts';

const tenantWith = (limit: string, more = '', counts = 'yes') =>
  policyOf(
    `<tenant uid="${uid}"><cpu limit="${limit}" burst="50%"/><database counts="${counts}"/>${more}</tenant>`,
  );
const sites = '<site name="a.example"><cpu limit="80%"/></site><site name="b.example"/>';

for (const version of [1, 2] as const)
  suite(`a CPU limit that is lowered on cgroup v${version}`, () => {
    test('falls step by step with the use, never below a tenth, and is back when there is none', async () => {
      using stage = new MoverStage(version);
      const policy = tenantWith('100%');
      stage.apply(policy);
      stage.follow(policy);
      assert.equal(stage.quota(), '100000');
      await stage.watched();
      for (let each = 0; each < 12; each++) stage.second(0.5);
      assert.equal(stage.quota(), '50000');
      assert.equal(stage.mover.nowOf(`u${uid}`), 0.5);
      const recorded = readLowered(stage.host.paths);
      assert.equal(recorded[0]?.text, version === 2 ? '100000 100000' : '100000');
      const falls = Array.from({ length: 12 }, () => {
        const before = Number(stage.quota());
        stage.second(8);
        return before - Number(stage.quota());
      });
      assert.ok(
        falls.every((each) => each >= 0 && each <= 25_000),
        falls.join(),
      );
      assert.deepEqual([stage.quota(), stage.burst()], ['10000', '10000']);
      stage.second(0);
      stage.second(0);
      assert.equal(stage.quota(), '10000');
      stage.second(0);
      assert.deepEqual([stage.quota(), stage.burst()], ['100000', '50000']);
      assert.equal(stage.mover.nowOf(`u${uid}`), undefined);
      assert.equal(existsSync(loweredFile(stage.host.paths)), false);
      assert.deepEqual(stage.warnings, []);
    });

    test('a plan beside the agent takes it for the wanted one, and one without an agent does not', async () => {
      using stage = new MoverStage(version);
      const policy = tenantWith('100%', sites);
      stage.apply(policy);
      stage.follow(policy);
      await stage.watched();
      for (let each = 0; each < 12; each++) stage.second(0.7);
      assert.equal(stage.quota(), '30000');
      assert.equal(stage.quota(`u${uid}/s-a.example`), version === 1 ? '30000' : '80000');
      assert.deepEqual(stage.planned(policy), []);
      const applied = applyPolicy(policy, stage.host, gentle);
      assert.ok(applied.ok);
      assert.deepEqual(applied.value.failures, []);
      assert.equal(stage.quota(), '100000');
      assert.equal(stage.quota(`u${uid}/s-a.example`), '80000');
      // Another value than one that the agent may have written is drift.
      stage.put(`u${uid}`, '120000');
      assert.equal(stage.planned(policy).length, 1);
    });

    test('other policies are applied meanwhile', async () => {
      using stage = new MoverStage(version);
      const first = tenantWith('100%', sites);
      stage.apply(first);
      stage.follow(first);
      await stage.watched();
      for (let each = 0; each < 12; each++) stage.second(0.5);
      // A new site, higher and lower limits: nothing that is written there is refused.
      for (const [limit, more, quota] of [
        ['100%', `${sites}<site name="c.example"><cpu limit="90%"/></site>`, '50000'],
        ['200%', sites, '150000'],
        ['60%', sites, '10000'],
      ] as const) {
        const policy = tenantWith(limit, more);
        stage.apply(policy);
        stage.follow(policy);
        for (let each = 0; each < 12; each++) stage.second(0.5);
        assert.equal(stage.quota(), quota);
        assert.deepEqual(stage.planned(policy), []);
      }
      const without = tenantWith('60%', sites, 'no');
      stage.apply(without);
      // The agent does not know it yet.
      stage.second(0.5);
      stage.follow(without);
      assert.equal(stage.quota(), '60000');
      assert.deepEqual(stage.planned(without), []);
      assert.equal(existsSync(loweredFile(stage.host.paths)), false);
      assert.deepEqual(stage.warnings, []);
    });

    test('what the watchdog has restored is lowered again, also with the same use', async () => {
      using stage = new MoverStage(version);
      const policy = tenantWith('100%');
      stage.apply(policy);
      stage.follow(policy);
      await stage.watched();
      for (let each = 0; each < 12; each++) stage.second(0.5);
      stage.put(`u${uid}`, '100000');
      stage.second(0.5);
      assert.equal(stage.quota(), '50000');
    });

    test('a value of somebody else is left alone for a minute', async () => {
      using stage = new MoverStage(version);
      const policy = tenantWith('100%');
      stage.apply(policy);
      stage.follow(policy);
      await stage.watched();
      stage.put(`u${uid}`, '66000');
      for (let each = 0; each < 10; each++) stage.second(0.2);
      assert.equal(stage.quota(), '66000');
      assert.equal(stage.mover.nowOf(`u${uid}`), undefined);
      for (let each = 0; each < 60; each++) stage.second(0.2);
      assert.equal(stage.quota(), '80000');
    });

    test('it is restored when the agent stops', async () => {
      const stage = new MoverStage(version);
      const policy = tenantWith('100%', sites);
      stage.apply(policy);
      stage.follow(policy);
      await stage.watched();
      stage[Symbol.dispose]();
      assert.deepEqual([stage.quota(), stage.burst()], ['100000', '50000']);
      assert.equal(stage.quota(`u${uid}/s-a.example`), '80000');
      assert.equal(existsSync(loweredFile(stage.host.paths)), false);
    });
  });

suite('the CPU limit of a reseller', () => {
  const tenants = (each: string) =>
    policyOf(
      `<reseller uid="5010"><cpu limit="200%"/><tenant uid="${uid}"><cpu limit="100%"/>${each}</tenant>
       <tenant uid="5002"><cpu limit="150%"/></tenant></reseller>`,
    );
  const counting = tenants('<database counts="yes"/>');
  const reseller = 'r5010';

  test('falls by as much as those of its tenants, and by no more', async () => {
    using stage = new MoverStage(2);
    stage.apply(counting);
    stage.follow(counting);
    await stage.watched();
    for (let each = 0; each < 12; each++) stage.second(0.5);
    assert.deepEqual([stage.quota(reseller), stage.quota(`r5010/u${uid}`)], ['150000', '50000']);
    assert.equal(stage.mover.nowOf(reseller), 1.5);
    // Servers do much more for the tenant than its limit, which takes no more than that from the others.
    for (let each = 0; each < 12; each++) stage.second(64);
    assert.deepEqual([stage.quota(reseller), stage.quota(`r5010/u${uid}`)], ['110000', '10000']);
    assert.equal(stage.quota('r5010/u5002'), '150000');
    assert.deepEqual(stage.planned(counting), []);
    for (let each = 0; each < 4; each++) stage.second(0);
    assert.deepEqual([stage.quota(reseller), stage.mover.nowOf(reseller)], ['200000', undefined]);
    assert.equal(existsSync(loweredFile(stage.host.paths)), false);
    assert.deepEqual(stage.warnings, []);
  });

  test('comes back when its tenant does not count any more, or the agent stops', async () => {
    const stage = new MoverStage(2);
    stage.apply(counting);
    stage.follow(counting);
    await stage.watched();
    const lower = () => {
      for (let each = 0; each < 12; each++) stage.second(0.5);
      assert.equal(stage.quota(reseller), '150000');
    };
    lower();
    const without = tenants('<database counts="no"/>');
    stage.apply(without);
    stage.follow(without);
    assert.equal(stage.quota(reseller), '200000');
    assert.deepEqual(stage.planned(without), []);
    stage.apply(counting);
    stage.follow(counting);
    await stage.watched();
    lower();
    stage[Symbol.dispose]();
    assert.equal(stage.quota(reseller), '200000');
    assert.equal(existsSync(loweredFile(stage.host.paths)), false);
  });

  test('stays on cgroup v1, which refuses a quota below those in it', async () => {
    using stage = new MoverStage(1);
    stage.apply(counting);
    stage.follow(counting);
    await stage.watched();
    for (let each = 0; each < 12; each++) stage.second(0.5);
    assert.deepEqual([stage.quota(reseller), stage.quota(`r5010/u${uid}`)], ['200000', '50000']);
    stage.put(reseller, '150000');
    assert.equal(stage.planned(counting).length, 1);
    assert.deepEqual(stage.warnings, []);
  });
});

suite('what is not lowered', () => {
  test('nothing, where there is no watchdog', () => {
    const host = fakeHost(2);
    mkdirSync(host.paths.runtime, { recursive: true });
    const warnings: string[] = [];
    using mover = new QuotaMover({
      paths: host.paths,
      program: '/nonexistent/thaw',
      warn: (text) => warnings.push(text),
    });
    const policy = tenantWith('100%');
    assert.ok(applyPolicy(policy, host, gentle).ok);
    mover.follow(policy, () => {
      const probed = host.probe();
      return probed.ok ? probed.value : undefined;
    });
    mover.add(new Map([[uid, 2e6]]), 1e6);
    mover.step();
    assert.equal(mover.nowOf(`u${uid}`), undefined);
    assert.match(warnings[0] ?? '', /there is no \/nonexistent\/thaw/);
  });

  test('a tenant without a CPU limit, or to whose limit it does not count', () => {
    const policy = policyOf(
      `<tenant uid="5001"><database counts="yes"/></tenant><tenant uid="5002"><cpu limit="50%"/></tenant>
       <tenant uid="5003"><cpu limit="50%"/><database counts="yes" cpu="80%"/></tenant>`,
    );
    // Servers are asked about those to whose limit it counts, and they alone may use no more than that limit.
    assert.deepEqual([...databaseLimits(policy)], [[5003, { cpu: 0.5 }]]);
  });

  test('the record has nothing but limits', () => {
    const host = fakeHost(2);
    mkdirSync(host.paths.runtime, { recursive: true });
    assert.deepEqual(readLowered(host.paths), []);
    assert.throws(() => readFileSync(loweredFile(host.paths)));
  });
});
