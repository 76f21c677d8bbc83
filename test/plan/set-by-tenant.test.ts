/** A plan says which values of a site its tenant or its reseller has set. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planPolicy } from '../../src/apply/apply.ts';
import type { LimitKey } from '../../src/limits/limit.ts';
import type { Bytes, CpuFraction, Quantity } from '../../packages/base/quantity.ts';
import { formatPlan, formatUnit } from '../../src/plan/format.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { fakeHost } from '../../testing/fake-host.ts';

const own = new Map<LimitKey, Quantity>([['cpu.limit', 0.5 as CpuFraction]]);
const ofReseller = new Map<LimitKey, Quantity>([['memory.limit', (2 ** 26) as Bytes]]);

function planOf(permission: string, version: 1 | 2): readonly string[] {
  const body = `<bulkhead version="1"><reseller uid="4000"><tenant uid="5001">${permission}<site name="shop.example"><processes limit="9"/></site></tenant></reseller></bulkhead>`;
  const { document } = parsePolicy('p.xml', body);
  assert.ok(document);
  const tenant = new Map([['shop.example', own]]);
  const reseller = { uid: 4000, sites: new Map([['shop.example', ofReseller]]) };
  const siteLimits = new Map([[5001, { tenant, reseller }]]);
  const policy = resolvePolicy(document, { accounts: [], uidMin: 1000, siteLimits });
  const driver = fakeHost(version).probe();
  assert.ok(driver.ok);
  return formatPlan(planPolicy(policy, driver.value))
    .split('\n')
    .filter((line) => line.includes('site uid 5001/shop.example: '));
}

for (const version of [1, 2] as const) {
  test(`formatPlan() names who set a site limit on cgroup v${version}`, () => {
    const lines = planOf('<sites limits="reseller tenant"/>', version);
    assert.ok(
      lines.some((line) => /cpu\.\S+ .*50000.* \(set by uid 5001\)$/.test(line)),
      lines.join(),
    );
    assert.ok(
      lines.some(
        (line) => /67108864|64MiB/.test(line) && line.endsWith('(set by reseller uid 4000)'),
      ),
      lines.join('\n'),
    );
    assert.ok(
      lines.some((line) => line.endsWith('pids.max max → 9')),
      lines.join(),
    );
    assert.ok(planOf('', version).every((line) => !/set by|50000|67108864/.test(line)));
  });
}

test('formatUnit() names who set a part of the file of a slice', () => {
  const unit = {
    kind: 'unit' as const,
    cgroup: 'u5001/s-shop.example',
    label: 'site',
    unit: 'user-5001-shop.example.slice',
    path: '/p.conf',
    from: undefined,
    text: '[Slice]\nTasksMax=9\n',
    writes: [],
  };
  assert.equal(
    formatUnit({ ...unit, setBy: 'alice' }),
    '/p.conf: TasksMax 9 (in part set by alice)',
  );
  assert.equal(formatUnit(unit), '/p.conf: TasksMax 9');
});
