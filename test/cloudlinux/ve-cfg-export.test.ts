/** The ve.cfg of a policy, also read again. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { attributes } from '../../src/limits/limits.ts';
import type { LimitKey } from '../../src/limits/limit.ts';
import { formatDiagnostic } from '../../src/policy/diagnostic.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import type { Account, Policy } from '../../src/policy/policy.ts';
import { exportVeCfg, importVeCfg, parseVeCfg } from '../../src/cloudlinux/core/ve-cfg.ts';
import { account, resolved } from './ve-cfg-policies.ts';

describe('exportVeCfg()', () => {
  const exported = (inside: string, accounts: readonly Account[] = []) => {
    const parsed = parsePolicy('policy.xml', `<bulkhead version="1">\n${inside}\n</bulkhead>`);
    const policy = resolved(parsed, accounts);
    assert.ok(parsed.document !== undefined);
    const { text, diagnostics } = exportVeCfg(parsed.document, policy);
    return { text, found: diagnostics.map(formatDiagnostic).join('\n') };
  };

  test('exportVeCfg() writes all defaults, and for tenants only what differs', () => {
    const { text, found } = exported(
      `<tenants uids="1000-2000"/>
       <defaults><cpu limit="100%"/><io read="1MiB/s" write="1MiB/s"/></defaults>
       <package name="p &amp;"><memory limit="1GiB"/></package>
       <tenant user="alice"><cpu limit="150%"/></tenant>
       <tenant uid="1003"><cpu limit="100%"/></tenant>`.replace(' &amp;', ''),
      [account('alice', 1001), account('bob', 1002)],
    );
    assert.equal(
      text,
      `<?xml version="1.0" ?>
<lveconfig>
 <defaults>
   <cpu limit="100%"/>
   <ncpu limit="1"/>
   <io limit="1024"/>
   <iops limit="0"/>
   <pmem limit="0"/>
   <nproc limit="0"/>
   <other maxentryprocs="0"/>
   <mem limit="0"/>
 </defaults>
 <package id="p">
   <pmem limit="262144"/>
 </package>
 <lve id="1001">
   <cpu limit="150%"/>
   <ncpu limit="2"/>
 </lve>
</lveconfig>
`,
    );
    assert.equal(found, '');
  });

  const rows: readonly (readonly [string, RegExp])[] = [
    [
      '<defaults><cpu weight="5"/></defaults>',
      /2:24: warning: ve\.cfg has no element for cpu weight; it is left out$/m,
    ],
    ['<defaults><cpu limit="1%" burst="1%"/></defaults>', /no element for cpu burst/],
    ['<defaults><memory soft="1GiB"/></defaults>', /no element for memory soft/],
    ['<defaults><memory swap="1GiB"/></defaults>', /no element for memory swap/],
    ['<defaults><memory guaranteed="1GiB"/></defaults>', /no element for memory guaranteed/],
    [
      '<defaults><disk space="1GiB" files="5"/></defaults>',
      /no element for disk space[^]*no element for disk files/,
    ],
    ['<defaults><network send="1MiB/s"/></defaults>', /no element for network send/],
    [
      '<defaults><io read="1MiB/s"/></defaults>',
      /reads and writes together; the smaller of io\.read and io\.write/,
    ],
    [
      '<defaults><cpu limit="33.3%"/></defaults>',
      /counts cpu limit in whole percents; it is rounded/,
    ],
    [
      '<defaults><memory limit="5MB"/></defaults>',
      /counts memory limit in pages of 4096 bytes; it is rounded/,
    ],
    ['<reseller uid="1001"><cpu limit="5%"/></reseller>', /no documented element for a reseller/],
    ['<tenants uids="1000-2000" except="1001"/>', /"except" is left out/],
    ['<modules require="signed"/>', /<modules> is left out/],
  ];
  for (const [inside, expected] of rows) {
    test(`exportVeCfg() warns when the policy has ${inside}`, () =>
      assert.match(exported(inside).found, expected));
  }

  test('exportVeCfg() never rounds a limit down to 0, which means unlimited', () => {
    const { text } = exported(
      '<defaults><cpu limit="1%"/><io read="1024B/s" write="1500B/s"/></defaults>',
    );
    assert.ok(text.includes('<cpu limit="1%"/>') && text.includes('<io limit="1"/>'));
  });
});

/** Keys that ve.cfg has words for, with values that it can say exactly. */
const block = fc
  .record(
    {
      cpu: fc.integer({ min: 1, max: 6400 }).map((n) => `<cpu limit="${n}%"/>`),
      memory: fc.integer({ min: 1024, max: 2 ** 30 }).map((n) => `<memory limit="${n * 4}KiB"/>`),
      io: fc
        .record({
          bytes: fc.integer({ min: 1, max: 2 ** 30 }),
          times: fc.integer({ min: 1, max: 1e6 }),
        })
        .map(({ bytes, times }) => `<io total="${bytes}KiB/s" operations="${times}/s"/>`),
      processes: fc.oneof(
        fc.constant('<processes limit="unlimited"/>'),
        fc.integer({ min: 1, max: 1e6 }).map((n) => `<processes limit="${n}"/>`),
      ),
      entries: fc.integer({ min: 1, max: 1e6 }).map((n) => `<entries limit="${n}"/>`),
    },
    { requiredKeys: [] },
  )
  .map((parts) => Object.values(parts).join(''));

const anyPolicy = fc
  .record({
    defaults: block,
    gold: block,
    silver: block,
    tenants: fc.array(
      fc.record({ block, package: fc.constantFrom('', ' package="gold"', ' package="silver"') }),
      { maxLength: 5 },
    ),
    range: fc.constantFrom('', ' package="silver"'),
  })
  .map(
    ({ defaults, gold, silver, tenants, range }) => `<bulkhead version="1">
<tenants uids="1000-59999"${range}/>
<defaults>${defaults}</defaults>
<package name="gold">${gold}</package><package name="silver">${silver}</package>
${tenants.map((each, index) => `<tenant uid="${1001 + index}"${each.package}>${each.block}</tenant>`).join('\n')}
</bulkhead>`,
  );

test('importVeCfg() gives every tenant the limits that exportVeCfg() wrote', () => {
  const accounts = [account('a', 1001), account('z', 5000)];
  const everyLimit = (policy: Policy) =>
    policy.tenants.map(({ uid, values }) => [
      uid,
      [...attributes.keys()].map((key: LimitKey) => values[key] ?? attributes.get(key)?.fallback),
    ]);
  fc.assert(
    fc.property(anyPolicy, fc.integer({ min: 1, max: 256 }), (text, cores) => {
      const before = parsePolicy('policy.xml', text);
      const policy = resolved(before, accounts);
      assert.ok(before.document !== undefined);
      const exported = exportVeCfg(before.document, policy);
      assert.deepEqual(exported.diagnostics, []);
      const direct = resolved(parseVeCfg('ve.cfg', exported.text, { cores }), accounts);
      const imported = importVeCfg('ve.cfg', exported.text, { cores }).text ?? '';
      const written = resolved(parsePolicy('policy.xml', imported), accounts);
      const wanted = everyLimit(policy);
      // A tenant without an account that differs in nothing needs no line in a ve.cfg.
      const known = new Set(direct.tenants.map((each) => each.uid));
      const there = wanted.filter(([uid]) => known.has(uid as number));
      assert.deepEqual(everyLimit(direct), there);
      assert.deepEqual(everyLimit(written), there);
      assert.ok(accounts.every((each) => known.has(each.uid)));
    }),
    { numRuns: 500 },
  );
});
