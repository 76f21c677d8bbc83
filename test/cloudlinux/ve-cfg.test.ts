import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { attributes } from '../../src/limits/limits.ts';
import type { LimitValues } from '../../src/limits/limit.ts';
import { formatDiagnostic } from '../../src/policy/diagnostic.ts';
import { parsePolicy, type ParsedPolicy } from '../../src/policy/parse.ts';
import {
  importVeCfg,
  veCfg,
  parseVeCfg,
  type VeCfgOptions,
} from '../../src/cloudlinux/core/ve-cfg.ts';
import { formatQuantity, unlimited } from '../../packages/base/quantity.ts';
import { account, lve, resolved } from './ve-cfg-policies.ts';

/** The example of the vendor's documentation, complete. */
const vendor = `<?xml version="1.0" ?>
<lveconfig>
 <defaults>
   <cpu limit="25"/>
   <ncpu limit="1"/>
   <io limit="1024"/>
   <mem limit="262144"/>
   <other maxentryprocs="200"/>
   <pmem limit="262144"/>
   <nproc limit="0"/>
 </defaults>
 <lve id="532">
   <cpu limit="30"/>
   <ncpu limit="5"/>
 </lve>
</lveconfig>
`;

const wide = { uids: { first: 500, last: 59_999 } };

const messages = ({ diagnostics }: ParsedPolicy) => diagnostics.list.map(formatDiagnostic);

const said = (values: LimitValues) =>
  Object.fromEntries(
    [...attributes]
      .filter(([key]) => values[key] !== undefined)
      .map(([key, { kind }]) => [key, formatQuantity(kind, values[key] ?? unlimited)]),
  );

const valuesOf = (text: string, options: Partial<VeCfgOptions> = {}, uid = 1001) => {
  const parsed = parseVeCfg('ve.cfg', text, { cores: 4, ...wide, ...options });
  return said(resolved(parsed, []).tenants.find((each) => each.uid === uid)?.values ?? {});
};

test("importVeCfg() converts the vendor's example to a readable policy", () => {
  const imported = importVeCfg('/etc/container/ve.cfg', vendor, { cores: 8 });
  assert.equal(
    imported.text,
    `<?xml version="1.0" encoding="UTF-8"?>
<!--
  Made from /etc/container/ve.cfg by "bulkhead import", for a machine of 8 cores.
  What differs from the original:
  - line 3: The defaults leave out limits that CloudLinux sets by itself and that are unlimited here: iops 1024
  - line 4: A "cpu" without "%" is a share of the whole machine; it is converted for 8 cores (2 places)
  - line 7: "mem" limits address space, which is dropped here; "pmem" is the memory limit
-->
<bulkhead version="1">
  <tenants uids="1000-59999"/>

  <defaults>
    <cpu limit="100%"/>  <!-- 25% of 8 cores, ncpu allows 100% -->
    <memory limit="1GiB"/>
    <io total="1MiB/s"/>
    <processes limit="unlimited"/>
    <entries limit="200"/>
  </defaults>

  <tenant uid="532">
    <cpu limit="240%"/>  <!-- 30% of 8 cores -->
  </tenant>
</bulkhead>
`,
  );
});

test('parseVeCfg() gives positions in the ve.cfg', () => {
  const { document } = parseVeCfg('ve.cfg', vendor, { cores: 8 });
  const at = document?.tenants[0]?.values.get('cpu.limit');
  assert.equal(at && vendor.slice(at.start, at.end), '30');
  assert.equal(document?.text, vendor);
});

describe('parseVeCfg() of supported elements', () => {
  const rows: readonly (readonly [string, string, Record<string, string>])[] = [
    ['cpu of the whole machine', '<cpu limit="30"/>', { 'cpu.limit': '120%' }],
    ['cpu of one core', '<cpu limit="30%"/>', { 'cpu.limit': '30%' }],
    ['cpu without a limit', '<cpu limit="0"/>', { 'cpu.limit': 'unlimited' }],
    ['the smaller of cpu and ncpu', '<cpu limit="90"/><ncpu limit="2"/>', { 'cpu.limit': '200%' }],
    ['ncpu alone', '<ncpu limit="2"/>', { 'cpu.limit': '200%' }],
    [
      'an ncpu of nothing as unlimited',
      '<cpu limit="30%"/><ncpu limit="0"/>',
      { 'cpu.limit': '30%' },
    ],
    ['pages of 4096 bytes', '<pmem limit="262144"/>', { 'memory.limit': '1GiB' }],
    ['no memory limit', '<pmem limit="0"/>', { 'memory.limit': 'unlimited' }],
    ['io in KiB', '<io limit="1500"/>', { 'io.total': '1500KiB/s' }],
    ['iops', '<iops limit="1024"/>', { 'io.operations': '1024/s' }],
    ['processes', '<nproc limit="100"/>', { 'processes.limit': '100' }],
    ['entries', '<other maxentryprocs="20"/>', { 'entries.limit': '20' }],
    ['no address space', '<mem limit="262144"/><vmem limit="5"/>', {}],
  ];
  for (const [name, inside, expected] of rows) {
    test(`parseVeCfg() reads ${name}`, () => {
      assert.deepEqual(valuesOf(lve(`<lve id="1001">${inside}</lve>`)), expected);
    });
  }

  test('parseVeCfg() reads clock rates when the rate of a core is given', () => {
    const options = { coreMegahertz: 2000 };
    assert.deepEqual(valuesOf(lve('<lve id="1001"><cpu limit="3ghz"/></lve>'), options), {
      'cpu.limit': '150%',
    });
    assert.deepEqual(valuesOf(lve('<lve id="1001"><cpu limit="500MHz"/></lve>'), options), {
      'cpu.limit': '25%',
    });
  });

  test('parseVeCfg() inherits cpu and ncpu separately when a package has both', () => {
    const text = lve(
      '<defaults><cpu limit="100%"/><ncpu limit="1"/></defaults>',
      '<package id="p"><ncpu limit="3"/><cpu limit="250%"/></package>',
      '<lve id="1001"><cpu limit="400%"/></lve>',
    );
    assert.deepEqual(valuesOf(text), { 'cpu.limit': '100%' });
    const packageMembers = new Map([['p', [{ kind: 'uid', uid: 1001 } as const]]]);
    assert.deepEqual(valuesOf(text, { packageMembers }), { 'cpu.limit': '300%' });
    assert.match(
      messages(parseVeCfg('ve.cfg', text, { cores: 4 })).join('\n'),
      /ve\.cfg:3:28: warning: The inherited "ncpu" allows 100%, less than the 400% written here/,
    );
  });

  test('parseVeCfg() reads the members of packages, by name if they have accounts', () => {
    const text = lve('<package id="p"><nproc limit="7"/></package>', '<lve id="1001"/>');
    const accounts = [account('alice', 1001), account('bob', 1002)];
    const packageMembers = new Map([
      ['p', [{ kind: 'user', user: 'alice' } as const, { kind: 'uid', uid: 1002 } as const]],
    ]);
    const parsed = parseVeCfg('ve.cfg', text, { cores: 1, accounts, packageMembers });
    const policy = resolved(parsed, accounts);
    assert.deepEqual(
      policy.tenants.map((each) => [each.account?.user, each.package, said(each.values)]),
      [
        ['alice', 'p', { 'processes.limit': '7' }],
        ['bob', 'p', { 'processes.limit': '7' }],
      ],
    );
    const imported = importVeCfg('ve.cfg', text, { cores: 1, accounts, packageMembers });
    assert.ok(imported.text?.includes('<tenant user="alice" package="p"/>'));
  });
});

describe('parseVeCfg() of invalid, unknown and inexact elements', () => {
  const rows: readonly (readonly [string, string, RegExp])[] = [
    [
      'a clock rate',
      '<lve id="1001"><cpu limit="2ghz"/></lve>',
      /1:39: error: "2ghz" is a clock rate, .*; pass --core-mhz to /,
    ],
    [
      'no number',
      '<lve id="1001"><io limit="-1"/></lve>',
      /1:38: error: "-1" is not a whole number$/m,
    ],
    ['no cpu', '<lve id="1001"><cpu limit="lots"/></lve>', /error: "lots" is not a CPU limit; /],
    [
      'too little',
      '<lve id="1001"><pmem limit="1"/></lve>',
      /error: The memory limit "4KiB" is too small/,
    ],
    ['no limit', '<lve id="1001"><nproc/></lve>', /error: <nproc> needs the attribute "limit"$/m],
    ['no id', '<lve/>', /error: <lve> needs the attribute "id", a uid$/m],
    ['a bad id', '<lve id="99999999999"/>', /error: <lve> needs the attribute "id", a uid$/m],
    [
      'an lve twice',
      '<lve id="1001"/><lve id="01001"/>',
      /error: The lve "01001" is listed twice$/m,
    ],
    [
      'a limit twice',
      '<lve id="1001"><io limit="5"/><io limit="6"/></lve>',
      /error: <io> appears twice inside this <lve>$/m,
    ],
    ['defaults twice', '<defaults/><defaults/>', /error: <defaults> appears twice/],
    [
      'a package twice',
      '<package id="p"/><package id="p"/>',
      /error: The package "p" is defined twice$/m,
    ],
    [
      'a reseller',
      '<reseller id="7"/>',
      /1:12: warning: <reseller> inside <lveconfig> is not understood and left out$/m,
    ],
    [
      'an unknown limit',
      '<lve id="1001"><cpuw limit="1"/></lve>',
      /warning: <cpuw> inside <lve> is not understood/,
    ],
    [
      'an unknown attribute',
      '<lve id="1001"><other maxentryprocs="1" x="2"/></lve>',
      /warning: <other x="…"> is not understood/,
    ],
    [
      'address space',
      '<lve id="1001"><vmem limit="1"/></lve>',
      /warning: "vmem" limits address space, which is dropped/,
    ],
    [
      'whose packages are unknown',
      '<package id="p"/>',
      /note: The file does not record who has a package/,
    ],
    [
      'a package that must be renamed',
      '<package id="A/B"/>',
      /warning: The package "A\/B" is called "A_B" here$/m,
    ],
    [
      'what it does not say',
      '<defaults/>',
      /note: The defaults leave out limits .*: cpu 100%, pmem 262144, io 1024, /,
    ],
    [
      'the switch of old versions',
      '<system><ubc enabled="true"/></system>',
      /note: <system> has no counterpart here$/m,
    ],
  ];
  for (const [name, inside, expected] of rows) {
    test(`parseVeCfg() reports ${name}`, () => {
      assert.match(messages(parseVeCfg('ve.cfg', lve(inside), { cores: 4 })).join('\n'), expected);
    });
  }

  test('parseVeCfg() reports the root element when the file is not a ve.cfg', () => {
    const parsed = parseVeCfg('ve.cfg', '<bulkhead version="1"/>', { cores: 4 });
    assert.equal(parsed.document, undefined);
    assert.match(messages(parsed).join(), /The root element is <bulkhead>, not <lveconfig>/);
    assert.equal(importVeCfg('ve.cfg', '<lveconfig>', { cores: 4 }).text, undefined);
  });

  test('parseVeCfg() reports a finding once, with the number of places', () => {
    const many = Array.from(
      { length: 5000 },
      (_, id) => `<lve id="${id + 1000}"><cpu limit="5"/></lve>`,
    );
    const found = messages(parseVeCfg('ve.cfg', lve(...many), { cores: 4 }));
    assert.equal(found.filter((each) => each.includes('share of the whole machine')).length, 1);
    assert.match(found.join('\n'), /converted for 4 cores \(5000 places\)/);
  });
});

test('importVeCfg() keeps unknown elements in a valid comment', () => {
  const text = lve('<reseller id="7" note="--"><!-- x --><cpu limit="5"/></reseller>');
  const imported = importVeCfg('ve.cfg', text, { cores: 4 }).text ?? '';
  assert.ok(imported.includes('<cpu limit="5"/></reseller>'));
  assert.equal(parsePolicy('p', imported).diagnostics.failed, false);
});

test('veCfg.matches() checks the first element only', () => {
  assert.ok(veCfg.matches(vendor));
  assert.ok(veCfg.matches('\uFEFF<!-- <bulkhead> --> <lveconfig/>'));
  assert.ok(!veCfg.matches('<?xml version="1.0"?><!-- <lveconfig> --><bulkhead version="1"/>'));
  assert.ok(!veCfg.matches('<!-- '.repeat(50_000)));
});
