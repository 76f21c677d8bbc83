/** CPU limits that fall with the use of database servers, and what tenants, servers and administrators do to them. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { suite, test } from 'node:test';
import { loweredFile } from '../../src/host/cgroups/lowered-quotas.ts';
import { MoverStage, policyOf, uid } from '../database/counts/mover-stage.ts';

const limited = (each: number, limit: string) =>
  `<tenant uid="${each}"><cpu limit="${limit}"/><database counts="yes"/></tenant>`;

for (const version of [1, 2] as const)
  suite(`lowered CPU limits under attack, on cgroup v${version}`, () => {
    async function lowered(text: string): Promise<MoverStage> {
      const stage = new MoverStage(version);
      const policy = policyOf(text);
      stage.apply(policy);
      stage.follow(policy);
      await stage.watched();
      for (let each = 0; each < 12; each++) stage.second(0.5);
      assert.equal(stage.quota(), '50000');
      return stage;
    }
    const own = limited(uid, '100%');

    test('a server that hangs or goes away gives the CPU time back', async () => {
      using stage = await lowered(own);
      stage.silence(1);
      stage.silence(1.5);
      assert.equal(stage.quota(), '100000');
    });

    test('figures that are none lower nothing, and what they say is forgotten', async () => {
      using stage = await lowered(own);
      for (const odd of [NaN, Infinity, -Infinity, -1e30]) {
        stage.second(odd);
        assert.match(stage.quota() ?? '', /^[1-9]\d{4,5}$/, String(odd));
      }
      stage.second(1e300);
      assert.ok(Number(stage.quota()) >= 10_000);
      stage.silence(3);
      assert.equal(stage.quota(), '100000');
      for (let each = 0; each < 12; each++) stage.second(0.5);
      assert.equal(stage.quota(), '50000');
    });

    test('an hour in which the host slept does not count as an hour of use', async () => {
      using stage = await lowered(own);
      stage.second(0.5, 3_600);
      assert.ok(Number(stage.quota()) >= 50_000, String(stage.quota()));
      for (let each = 0; each < 12; each++) stage.second(0.5);
      assert.equal(stage.quota(), '50000');
    });

    test('nobody lowers the limit of another tenant', async () => {
      using stage = await lowered(own + limited(5002, '100%'));
      for (let each = 0; each < 20; each++) stage.second(each % 2 === 0 ? 100 : 0);
      assert.equal(stage.quota('u5002'), '100000');
    });

    test('a tenant that is removed leaves no lowered cgroup behind', async () => {
      using stage = await lowered(own + limited(5002, '100%'));
      // The apply could not remove its cgroup, since something is still in it.
      stage.follow(policyOf(limited(5002, '100%')));
      assert.equal(stage.quota(), '100000');
      assert.equal(existsSync(loweredFile(stage.host.paths)), false);
      for (let each = 0; each < 12; each++) stage.second(0.5);
      assert.equal(stage.quota(), '100000');
      assert.deepEqual(stage.warnings, []);
    });

    test('a former tenant gets no limit that it does not have any more', async () => {
      using stage = await lowered(own);
      stage.put(`u${uid}`, version === 2 ? 'max' : '-1');
      stage.follow(policyOf(`<tenant uid="5002"/>`));
      assert.equal(stage.quota(), version === 2 ? 'max' : '-1');
      assert.equal(existsSync(loweredFile(stage.host.paths)), false);
    });

    test('a policy that changes each second never leaves less than a tenth, nor a record', async () => {
      using stage = await lowered(own);
      for (let each = 0; each < 60; each++) {
        const limit = `${20 + ((each * 37) % 300)}%`;
        const text = each % 7 === 3 ? '<tenant uid="5002"/>' : limited(uid, limit);
        const policy = policyOf(text);
        stage.apply(policy);
        stage.follow(policy);
        stage.second((each * 13) % 5);
        const quota = Number(stage.quota() ?? '0');
        if (each % 7 !== 3)
          assert.ok(quota >= Number.parseInt(limit, 10) * 100, `${limit}: ${quota}`);
        assert.deepEqual(stage.planned(policy), []);
      }
      stage.silence(3);
      assert.equal(existsSync(loweredFile(stage.host.paths)), false);
      assert.deepEqual(stage.warnings, []);
    });
  });
