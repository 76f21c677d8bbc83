/** Remarks on a policy with limits on database servers, and where `explain` shows these limits. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { databaseDoctor } from '../../src/database/commands/doctor.ts';
import { serverRemarks } from '../../src/database/core/server-remarks.ts';
import { LineIndex } from '../../src/policy/diagnostic.ts';
import { explain } from '../../src/policy/explain.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { panelTree } from '../../testing/panel-tree.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const account = { user: 'alice', uid: 1001, gid: 1001, home: '/home/alice' };

function policyOf(body: string) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">\n${body}\n</bulkhead>`);
  assert.ok(document !== undefined && !document.diagnostics.failed);
  return resolvePolicy(document, { accounts: [account], uidMin: 1000 });
}

const remarksOn = (body: string, kinds: readonly ('mysql' | 'postgresql')[]) =>
  serverRemarks(
    policyOf(body),
    kinds.map((kind) => ({ kind })),
  ).join('\n');

const limited = '<tenant user="alice"><database cpu="50%"/></tenant>';
const times = '<tenant user="alice"><database statement="30s"/></tenant>';

test('serverRemarks() says that nothing enforces limits without a server', () => {
  assert.match(remarksOn(limited, []), /limits of 1 tenant .*: no database server is found; name/);
  const server = '<databases><server kind="mariadb" socket="/s"/></databases>';
  assert.equal(remarksOn(times + server, []), '');
  assert.equal(remarksOn(times, ['mysql']), '');
  assert.equal(remarksOn(times, ['postgresql']), '');
});

test('serverRemarks() says that the CPU limit is only watched', () => {
  assert.match(remarksOn(limited, ['mysql']), /CPU limit of 1 tenant is only watched/);
  assert.equal(remarksOn(`${limited}<databases hold="on"/>`, ['mysql']), '');
});

test('serverRemarks() is silent where no limit is in force', () => {
  assert.equal(remarksOn('<tenant user="alice"/>', []), '');
  assert.equal(remarksOn(`<host limits="observe"/>${limited}`, []), '');
  const unlimited = '<tenant user="alice"><database cpu="unlimited"/></tenant>';
  assert.equal(remarksOn(unlimited, []), '');
});

test('explain() shows limits on database servers with their lines and the reseller’s', () => {
  const policy = policyOf(
    '<defaults><database connections="20"/></defaults>\n<reseller uid="1000"><database statement="30s"/>\n<tenant user="alice"><database statement="1min" cpu="50%"/></tenant></reseller>',
  );
  const [tenant] = policy.tenants;
  assert.ok(tenant !== undefined);
  const { limits } = explain({ tenant, site: undefined }, policy, new LineIndex(policy.text));
  const shown = limits.filter(({ limit }) => limit.startsWith('database '));
  assert.deepEqual(
    shown.map(({ limit, value, from, line, bound }) => [limit, value, from, line, bound]),
    [
      ['database cpu', '50%', 'the tenant itself', 4, undefined],
      ['database connections', '20', 'defaults', 2, undefined],
      ['database statement', '1min', 'the tenant itself', 4, '30s'],
      ['database transaction', 'unlimited', 'not set; this is the default', undefined, undefined],
    ],
  );
});

test('databaseDoctor() reports limits, and the servers that the host lacks', async (t) => {
  const { paths } = panelTree(testDirectory(t, 'database-doctor'), { alice: 1001 });
  const report = (body: string) =>
    databaseDoctor({ paths, policy: policyOf(body), driver: 'cgroup2' });
  const found = await report(limited);
  assert.equal(found?.text, 'no server found');
  assert.match(found.remarks.join(), /no database server is found/);
  assert.equal(await report('<tenant user="alice"/>'), undefined);
  assert.equal(await databaseDoctor({ paths, policy: undefined, driver: 'cgroup2' }), undefined);
});
