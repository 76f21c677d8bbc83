/** `import` and `export` convert a policy from and to ve.cfg. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { directory, usePolicy, bulkhead } from './edit-stage.ts';

usePolicy();

describe('import and export', () => {
  const cfg = `<lveconfig>
 <defaults><cpu limit="50%"/><ncpu limit="1"/><io limit="1024"/><iops limit="500"/><pmem limit="262144"/><nproc limit="100"/><other maxentryprocs="20"/></defaults>
 <package id="Gold"><pmem limit="524288"/></package>
 <lve id="61001"><cpu limit="25"/><ncpu limit="4"/></lve>
</lveconfig>
`;

  test('import writes a policy, and export ve.cfg converts it back', () => {
    const source = join(directory, 've.cfg');
    const members = join(directory, 'members');
    const target = join(directory, 'new.xml');
    writeFileSync(source, cfg);
    writeFileSync(members, '# who has what\n61002 Gold\n\n');
    const args = ['import', source, '--cores', '8', '--members', members, '--uids', '2000-3000'];
    const imported = bulkhead(...args, '-o', target);
    assert.equal(imported.status, 0, imported.err);
    assert.match(imported.err, /:4:30: note: A "cpu" without "%" is .* converted for 8 cores$/m);
    const policy = readFileSync(target, 'utf8');
    assert.match(policy, /<tenants uids="2000-3000"\/>/);
    assert.match(
      policy,
      /<tenant uid="61001">\n {4}<cpu limit="200%"\/> {2}<!-- 25% of 8 cores -->/,
    );
    assert.match(policy, /<tenant uid="61002" package="Gold"\/>/);
    assert.equal(bulkhead(...args).out, policy);
    assert.match(bulkhead(...args, '-o', target).err, /exists already; pass --force/);
    const exported = bulkhead('export', 've.cfg', '-p', target);
    assert.match(
      exported.out,
      /<lve id="61001">\n {3}<cpu limit="200%"\/>\n {3}<ncpu limit="2"\/>\n <\/lve>/,
    );
    assert.match(exported.out, /<lve id="61002">\n {3}<pmem limit="524288"\/>\n <\/lve>/);
  });

  test('import writes nothing when the ve.cfg has an error', () => {
    const source = join(directory, 've.cfg');
    writeFileSync(source, '<lveconfig><lve id="61001"><cpu limit="2ghz"/></lve></lveconfig>');
    const { status, out, err } = bulkhead('import', source);
    assert.deepEqual([status, out], [1, '']);
    assert.match(err, /error: "2ghz" is a clock rate.*\n.*Nothing written/);
    assert.equal(bulkhead('import', source, '--core-mhz', '4000').status, 0);
    assert.equal(bulkhead('import', source, '--core-mhz', 'fast').status, 2);
    assert.equal(bulkhead('export', 'yaml').status, 2);
  });

  test('import reports a tenant that this host cannot have', () => {
    const source = join(directory, 've.cfg');
    writeFileSync(source, '<lveconfig><lve id="5"><nproc limit="9"/></lve></lveconfig>');
    const { status, err } = bulkhead('import', source);
    assert.equal(status, 1);
    assert.match(err, /error: .*cannot be a tenant: uid 5 belongs to the system/);
  });
});
