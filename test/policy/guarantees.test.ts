/** Guaranteed memory: what is refused, what is warned of, and what the cgroups above a guarantee get. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Bytes } from '../../packages/base/quantity.ts';
import { sliceText, boundsText } from '../../src/plan/slice.ts';
import { wantedState, type WantedContext } from '../../src/plan/wanted.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import type { HostFacts } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { contextOf } from '../limits/wanted-of.ts';

function resolve(body: string, facts: Partial<HostFacts> = {}) {
  const text = `<bulkhead version="1">${body}</bulkhead>`;
  const { document } = parsePolicy('p.xml', text);
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts: [], uidMin: 1000, ...facts });
  const said = document.diagnostics.list.map(({ column, severity, message }) => {
    const value = /^[^"]*/.exec(text.slice(column - 1))?.[0] ?? '';
    return `at ${value}: ${severity}: ${message}`;
  });
  return { policy, said };
}

const memory = (text: string) => `<memory ${text}/>`;

suite('resolvePolicy() with guaranteed memory', () => {
  for (const [title, body, expected] of [
    [
      'above the limit',
      `<tenant uid="1001">${memory('limit="1GiB" guaranteed="2GiB"')}</tenant>`,
      'at 2GiB: error: The guaranteed memory 2GiB is above the memory limit 1GiB and could never be used; lower "guaranteed", or raise "limit"',
    ],
    [
      'above the limit of the defaults',
      `<defaults>${memory('limit="1GiB"')}</defaults><tenant uid="1001">${memory('guaranteed="2GiB"')}</tenant>`,
      'at 2GiB: error: The guaranteed memory 2GiB is above the memory limit 1GiB of the defaults and could never be used; lower "guaranteed", or raise "limit"',
    ],
    [
      'of a package above the limit of a tenant',
      `<package name="big">${memory('guaranteed="2GiB"')}</package><tenant uid="1001" package="big">${memory('limit="1GiB"')}</tenant>`,
      'at 1GiB: error: The memory limit 1GiB is below the guaranteed memory 2GiB of the package "big", which could never be used; set "guaranteed" here, too, or raise "limit"',
    ],
    [
      'of a package that no tenant has',
      `<package name="big">${memory('limit="1GiB" guaranteed="2GiB"')}</package>`,
      'at 2GiB: error: The guaranteed memory 2GiB is above the memory limit 1GiB and could never be used; lower "guaranteed", or raise "limit"',
    ],
    [
      'that is unlimited',
      `<tenant uid="1001">${memory('guaranteed="unlimited"')}</tenant>`,
      /error: .*unlimited/,
    ],
  ] as const) {
    test(`refuses a guarantee ${title}`, () => {
      const { said } = resolve(body);
      assert.equal(said.length, 1, said.join('\n'));
      if (typeof expected === 'string') assert.equal(said[0], expected);
      else assert.match(said[0] ?? '', expected);
    });
  }

  test('accepts a guarantee equal to the limit, without a limit, or of 0B', () => {
    for (const inside of [
      'limit="1GiB" guaranteed="1GiB"',
      'guaranteed="1GiB"',
      'limit="128MiB" guaranteed="0B"',
    ]) {
      const body = `<defaults>${memory('guaranteed="512MiB"')}</defaults><tenant uid="1001">${memory(inside)}</tenant>`;
      assert.deepEqual(resolve(body).said, []);
    }
  });

  test('accepts a limit that a tenant sets below the guarantee of its site', () => {
    const body = `<tenant uid="1001"><sites limits="tenant"/><site name="a.example">${memory('guaranteed="64MiB"')}</site></tenant>`;
    const own = new Map([
      ['a.example', new Map([['memory.limit', (16 * 2 ** 20) as Bytes] as const])],
    ]);
    assert.deepEqual(resolve(body, { siteLimits: new Map([[1001, { tenant: own }]]) }).said, []);
  });

  for (const [title, body, expected] of [
    [
      'tenants have more than their reseller',
      `<reseller uid="2000">${memory('guaranteed="1GiB"')}<tenant uid="1001">${memory('guaranteed="800MiB"')}</tenant><tenant uid="1002">${memory('guaranteed="800MiB"')}</tenant></reseller>`,
      'at 1GiB: warning: The tenants of reseller uid 2000 are guaranteed 1600MiB of memory together, above the guaranteed memory 1GiB: each is granted a part of that',
    ],
    [
      'tenants have more than the limit of their reseller',
      `<reseller uid="2000">${memory('limit="1GiB"')}<tenant uid="1001">${memory('guaranteed="2GiB"')}</tenant></reseller>`,
      'at 1GiB: warning: The tenants of reseller uid 2000 are guaranteed 2GiB of memory together, above the memory limit 1GiB: each is granted a part of that',
    ],
    [
      'sites have more than their tenant',
      `<tenant uid="1001">${memory('guaranteed="64MiB"')}<site name="a.example">${memory('guaranteed="96MiB"')}</site></tenant>`,
      'at 64MiB: warning: The sites of tenant uid 1001 are guaranteed 96MiB of memory together, above the guaranteed memory 64MiB: each is granted a part of that',
    ],
    [
      'all together have more than the host',
      `<defaults>${memory('guaranteed="1GiB"')}</defaults><tenant uid="1001"/><tenant uid="1002"/><tenant uid="1003"/><reseller uid="2000"><tenant uid="1004"/><tenant uid="1005"/></reseller>`,
      'at 1GiB: warning: 5GiB of memory are guaranteed in all, and this host has 4GiB; under pressure the kernel takes memory from guaranteed tenants, too; lower "guaranteed"',
    ],
  ] as const) {
    test(`warns when ${title}`, () => {
      assert.deepEqual(resolve(body, { memoryBytes: 4 * 2 ** 30 }).said, [expected]);
    });
  }

  test("counts only the reseller's own guarantee against the memory of the host", () => {
    const body = `<reseller uid="2000">${memory('guaranteed="4GiB"')}<tenant uid="1001">${memory('guaranteed="2GiB"')}</tenant></reseller>`;
    assert.deepEqual(resolve(body, { memoryBytes: 4 * 2 ** 30 }).said, []);
  });
});

suite('wantedState() for the cgroups above a guarantee', () => {
  const body = `
    <tenant uid="1001">${memory('guaranteed="64MiB"')}</tenant>
    <tenant uid="1002"><sites limits="tenant"/>
      <site name="a.example">${memory('guaranteed="8MiB"')}</site><site name="b.example">${memory('guaranteed="4MiB"')}</site>
      <site name="c.example"/></tenant>
    <tenant uid="1003"/>
    <reseller uid="2000"><tenant uid="1004">${memory('guaranteed="32MiB"')}</tenant><tenant uid="1005">${memory('guaranteed="16MiB"')}</tenant></reseller>
    <reseller uid="2001">${memory('guaranteed="10MiB"')}<tenant uid="1006">${memory('guaranteed="20MiB"')}</tenant></reseller>`;
  // What a tenant sets itself must not raise what it has.
  const own = new Map([
    ['c.example', new Map([['memory.guaranteed', (2 ** 30) as Bytes] as const])],
  ]);
  const facts = { siteLimits: new Map([[1002, { tenant: own }]]) };

  const low = (some: Partial<WantedContext>, text = body) => {
    const { policy } = resolve(text, facts);
    const { cgroups } = wantedState(policy, { ...contextOf(2), ...some });
    return Object.fromEntries(
      cgroups.flatMap(({ path, settings }) =>
        settings
          .filter(({ file }) => file === 'memory.low')
          .map(({ value }) => [path, Number(value) / 2 ** 20]),
      ),
    );
  };

  const unitPath = (cgroup: string) => cgroup;
  const inside = {
    u1001: 64,
    u1002: 12,
    'u1002/main': 0,
    'u1002/s-a.example': 8,
    'u1002/s-b.example': 4,
    'u1002/s-c.example': 1024,
    u1003: 0,
    r2000: 48,
    'r2000/u1004': 32,
    'r2000/u1005': 16,
    r2001: 10,
    'r2001/u1006': 20,
  };

  test('sets memory.low to the sum of the guarantees below, or to the value in the policy', () => {
    assert.deepEqual(low({}), { '': 134, ...inside });
  });

  test('splits the sum between the root and the user slice when tenants are slices', () => {
    assert.deepEqual(low({ unitPath }), { '': 58, slices: 76, ...inside });
  });

  test('sets no memory.low on the user slice when no tenant in it has a guarantee', () => {
    const some = low({ unitPath }, '<tenant uid="1001"/>');
    assert.deepEqual(some, { '': 0, u1001: 0 });
  });

  test('writes only MemoryLow into the file of the user slice', () => {
    const { policy } = resolve(body, facts);
    const { cgroups } = wantedState(policy, { ...contextOf(2), unitPath });
    const around = cgroups.find(({ path }) => path === 'slices')?.settings ?? [];
    assert.equal(
      boundsText(around),
      `# Written by "bulkhead apply"; it is replaced when it differs.\n[Slice]\nMemoryLow=${76 * 2 ** 20}\n`,
    );
    assert.match(sliceText(around), /^CPUAccounting=yes$/m);
  });

  test('sets no memory.low on cgroup v1', () => {
    const { policy } = resolve(body, facts);
    const { cgroups } = wantedState(policy, contextOf(1));
    assert.deepEqual(cgroups[0]?.settings, []);
    assert.deepEqual(
      cgroups.flatMap(({ settings }) =>
        settings.filter(({ attribute }) => attribute === 'memory.guaranteed'),
      ),
      [],
    );
  });
});
