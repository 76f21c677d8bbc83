/** The limits of a ve.cfg in a setup: what becomes of them in the policy, and files that cannot be trusted or read. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeEach, suite, test } from 'node:test';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { veCfg } from '../../src/cloudlinux/core/ve-cfg.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { chosenLimits, formatImported } from '../../src/setup/core/imported-limits.ts';
import { policyText } from '../../src/setup/core/policy-text.ts';
import type { StepContext } from '../../src/setup/core/step.ts';
import { steps } from '../../src/setup/core/steps.ts';
import { readVeCfg } from '../../src/setup/io/ve-cfg.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const root = suiteDirectory('setup-ve-cfg');
const etc = `${root}/etc`;
const file = `${etc}/container/ve.cfg`;
const paths = { ...pathsOf('bulkhead-setup-ve-cfg'), etc, state: `${root}/state` };
const reader = new PolicyReader([veCfg]);
const read = () => readVeCfg(reader, paths);

const text = `<?xml version="1.0" ?>
<lveconfig>
 <defaults><cpu limit="50%"/><ncpu limit="1"/><pmem limit="131072"/><nproc limit="60"/><other maxentryprocs="20"/></defaults>
 <package id="gold"><pmem limit="524288"/></package>
 <lve id="2001"><cpu limit="150%"/><ncpu limit="4"/></lve>
 <lve id="2002"><other maxentryprocs="7"/></lve>
 <lve id="2003"/>
 <lve id="2009"><nproc limit="0"/></lve>
</lveconfig>
`;
const answers = {
  level: 'limit',
  tenants: '2000-60000' as string,
  except: [] as readonly string[],
  limits: 've.cfg',
  entries: 20 as number | 'none',
  jails: 'none',
  alerts: 'root',
} as const;

function editWith(before: string, chosen: Partial<typeof answers> = {}): string {
  const imported = read();
  const step = steps.find(({ key }) => key === 'limits');
  assert.ok(imported.ok, imported.ok ? '' : imported.error.reason);
  const all = { ...answers, ...chosen };
  const context = {
    answers: all,
    imported: { ok: true, value: chosenLimits(imported.value, all) },
  };
  const edited = step?.edit?.(before, context as unknown as StepContext);
  assert.ok(edited?.ok, JSON.stringify(edited));
  const { document, diagnostics } = parsePolicy('', edited.value);
  assert.ok(document !== undefined && !diagnostics.failed, JSON.stringify(diagnostics.list));
  return edited.value;
}

suite('limits of a ve.cfg', () => {
  beforeEach(() => {
    rmSync(etc, { recursive: true, force: true });
    mkdirSync(`${etc}/container`, { recursive: true });
    writeFileSync(`${etc}/login.defs`, 'UID_MIN 1000\nUID_MAX 60000\n');
    const account = (user: string, uid: number) =>
      `${user}:x:${uid}:${uid}::/home/${user}:/bin/sh\n`;
    writeFileSync(`${etc}/passwd`, account('ann', 2001) + account('ben', 2002));
    writeFileSync(file, text);
  });

  test('become defaults, packages and tenants of a new policy, by the names of accounts', () => {
    const edited = editWith(policyText(answers));
    for (const part of [
      /<defaults>\s*<cpu limit="50%"\/>\s*<memory limit="512MiB"\/>\s*<processes limit="60"\/>\s*<entries limit="20"\/>/,
      /<package name="gold">\s*<memory limit="2GiB"\/>\s*<\/package>/,
      /<tenant user="ann">\s*<cpu limit="150%"\/>\s*<\/tenant>/,
      /<tenant user="ben">\s*<entries limit="7"\/>/,
      /<tenant uid="2009">\s*<processes limit="unlimited"\/>/,
    ])
      assert.match(edited, part);
    assert.doesNotMatch(edited, /2003/);
    assert.equal(editWith(edited), edited);
  });

  test('leave alone what the policy has', () => {
    const own = `<bulkhead version="1">
  <defaults><cpu limit="7%"/></defaults>
  <package name="gold"/> <!-- mine -->
  <tenant uid="2001"/>
</bulkhead>
`;
    const edited = editWith(own);
    assert.match(edited, /<defaults><cpu limit="7%"\/>/);
    assert.match(edited, /<package name="gold"\/> <!-- mine -->\n {2}<tenant uid="2001"\/>/);
    assert.doesNotMatch(edited, /user="ann"|150%/);
    assert.match(edited, /<tenant user="ben">/);
  });

  test('are not taken over for accounts outside the range of tenants', () => {
    const edited = editWith(policyText(answers), { tenants: '2002-60000' });
    assert.doesNotMatch(edited, /"ann"|150%/);
    assert.match(edited, /<tenant user="ben">/);
  });

  test('are not taken over for accounts that are no tenants, nor entries that nobody wants', () => {
    const edited = editWith(policyText(answers), { except: ['ann'], entries: 'none' });
    assert.doesNotMatch(edited, /ann|entries|ben/);
    assert.match(edited, /<cpu limit="50%"\/>/);
  });

  test('are described in the plan', () => {
    const imported = read();
    assert.ok(imported.ok);
    assert.match(
      formatImported(imported.value),
      /^3 tenants with individual limits and 1 package, whose members the file does not name .*ve\.cfg$/,
    );
  });

  test('a thousand accounts take one edit', () => {
    const lve = (uid: number) => `<lve id="${uid}"><nproc limit="${uid % 90}"/></lve>`;
    const uids = Array.from({ length: 1000 }, (_, index) => 3000 + index);
    writeFileSync(file, `<lveconfig>${uids.map(lve).join('\n')}</lveconfig>`);
    const { document } = parsePolicy('', editWith(policyText(answers)));
    assert.equal(document?.tenants.length, 1000);
  });

  const wrong: readonly (readonly [what: string, make: () => void, reason: RegExp])[] = [
    ['is not there', () => rmSync(file), /ve\.cfg.*does not exist/],
    ['is cut off', () => writeFileSync(file, text.slice(0, 200)), /ve\.cfg:\d+:\d+: error/],
    ['is something else', () => writeFileSync(file, '<bulkhead version="1"/>'), /is not a ve\.cfg/],
    [
      'has an entity bomb',
      () => writeFileSync(file, `<!DOCTYPE x [<!ENTITY a "b">]>${text}`),
      /error/,
    ],
    [
      'has a limit that is not a number',
      () => writeFileSync(file, text.replace('60', 'NaN')),
      /"NaN"/,
    ],
    ['names an account twice', () => writeFileSync(file, text.replace('2002', '2001')), /twice/],
    ['can be written by others', () => chmodSync(file, 0o666), /ve\.cfg/],
    [
      'is a link to what somebody else can replace',
      () => {
        rmSync(file);
        mkdirSync(`${root}/open`, { recursive: true });
        chmodSync(`${root}/open`, 0o777);
        writeFileSync(`${root}/open/ve.cfg`, text);
        chmodSync(`${root}/open/ve.cfg`, 0o666);
        symlinkSync(`${root}/open/ve.cfg`, file);
      },
      /ve\.cfg/,
    ],
  ];
  for (const [what, make, reason] of wrong)
    test(`are refused from a file that ${what}`, () => {
      make();
      const imported = read();
      assert.ok(!imported.ok);
      assert.match(imported.error.reason, reason);
    });
});
