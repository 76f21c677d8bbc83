/** Which names of vhosts can be sites of which tenant, what limits they have, and which limits no vhost uses. */
import assert from 'node:assert/strict';
import { rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { overviewText } from '../../src/web/commands/status-text.ts';
import { parseApacheDump } from '../../src/web/core/apache/dump.ts';
import { apacheSites } from '../../src/web/core/apache/sites.ts';
import type { AccountFacts } from '../../src/web/core/facts.ts';
import { nginxSites } from '../../src/web/core/nginx/sites.ts';
import { overviewOf, type ServerRead } from '../../src/web/core/overview.ts';
import { servedNamesMax, servedSites, withKnown } from '../../src/web/core/served-sites.ts';
import { rankedSites, type ServerSite } from '../../src/web/core/site.ts';
import { PoolSites } from '../../src/web/core/fpm/service/pool-sites.ts';
import { entryLimitsOf, limitsText, siteBounds } from '../../src/web/core/entries/limits.ts';
import type { CpuFraction } from '../../packages/base/quantity.ts';
import { ownLimitsOf, siteLimitIndex, unusedLimits } from '../../src/web/core/site-limits.ts';
import { readServed, servedPath, writeServed } from '../../src/web/io/served/record.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const [alice, bob] = [1001, 1002] as const;
const owners: Readonly<Record<string, number>> = { '/home/alice': alice, '/home/bob': bob };

const facts: AccountFacts = {
  uidOf: (user) => ({ alice, bob })[user],
  nameOf: (uid) => (uid === alice ? 'alice' : 'bob'),
  isTenant: (uid) => uid === alice || uid === bob,
  ownersOf: (path) => {
    const uid = owners[path];
    return uid === undefined ? undefined : { uids: [0, uid], writableByOthers: false };
  },
  listenersAt: () => [],
  isInside: () => true,
  agentRuns: true,
};

const nginx = (http: string): readonly ServerSite[] =>
  nginxSites([{ path: '/n.conf', text: `http {\n${http}\n}` }]).sites;
const read: ServerRead = { name: 'nginx', program: '/usr/sbin/nginx', problems: [] };
const overview = (sites: readonly ServerSite[], servers = [read]) =>
  overviewOf(servers, sites, [], facts);
const served = (sites: readonly ServerSite[]) =>
  Object.fromEntries(
    [...servedSites(overview(sites).sites)].map(([uid, names]) => [uid, [...names]]),
  );

function policyOf(body: string) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  return resolvePolicy(document, { accounts: [], uidMin: 1000 });
}

test('servedSites() returns the names of a vhost only for its owner', () => {
  const sites = nginx(`
    server { listen 80; server_name Shop.example www.shop.example; root /home/alice; }
    server { listen 80; server_name blog.example; root /home/bob; }
    server { listen 443; server_name shop.example; root /home/bob; }
    server { listen 80; server_name nobody.example; root /var/www; }`);
  assert.deepEqual(served(sites), {
    [alice]: ['shop.example', 'www.shop.example'],
    [bob]: ['blog.example', 'shop.example'],
  });
});

test('servedSites() skips names that are not host names', () => {
  const odd = `server { listen 80; root /home/alice; server_name
    _ "" *.example .dot.example ~^x$ "a;b{}.example" ../../etc/passwd "a b" a..b __proto__ a/b
    ${'x'.repeat(64)}.example good.example xn--bcher-kva.example; }`;
  assert.deepEqual(served(nginx(odd)), {
    [alice]: ['__proto__', 'good.example', 'xn--bcher-kva.example'],
  });
});

test("servedSites() reads Apache's vhosts, and returns at most servedNamesMax names of a tenant", () => {
  const dump = `# In file: /etc/apache2/sites-enabled/a.conf
#   1:
<VirtualHost *:80>
#   2:
  ServerName Shop.example
#   3:
  ServerAlias www.shop.example *.shop.example
#   4:
  DocumentRoot /home/alice
</VirtualHost>
`;
  const { directives, problems } = parseApacheDump(dump);
  assert.deepEqual(problems, []);
  assert.deepEqual(served(apacheSites(directives)), {
    [alice]: ['shop.example', 'www.shop.example'],
  });
  const many = Array.from({ length: servedNamesMax + 5 }, (_, index) => `n${index}.example`);
  const found = served(nginx(`server { root /home/alice; server_name ${many.join(' ')}; }`));
  assert.equal(found[alice]?.length, servedNamesMax);
});

test('withKnown() keeps known sites, up to servedNamesMax', () => {
  const known = new Map([
    [alice, new Set(['a.example', 'b.example'])],
    [bob, new Set(['c.example'])],
  ]);
  const found = new Map([[alice, new Set(['b.example', 'new.example'])]]);
  assert.deepEqual(
    withKnown(found, known),
    new Map([
      [alice, new Set(['b.example', 'new.example', 'a.example'])],
      [bob, new Set(['c.example'])],
    ]),
  );
  const many = new Set(Array.from({ length: servedNamesMax }, (_, index) => `n${index}.example`));
  assert.equal(withKnown(found, new Map([[alice, many]])).get(alice)?.size, servedNamesMax);
});

test('readServed() returns what writeServed() wrote, and skips damaged, invalid or linked files', () => {
  using scratch = temporaryDirectory('served');
  const directory = scratch.path;
  const paths = { ...pathsOf('bulkhead-test'), state: `${directory}/state` };
  assert.equal(readServed(paths), undefined);
  const found = servedSites(
    overview(nginx('server { server_name a.example __proto__; root /home/alice; }')).sites,
  );
  assert.ok(writeServed(paths, found).ok);
  assert.deepEqual(readServed(paths), found);
  assert.equal(statSync(servedPath(paths)).mode & 0o777, 0o600);
  const readsAs = (text: string) => {
    writeFileSync(servedPath(paths), text);
    return readServed(paths);
  };
  for (const damaged of ['', '{', '[]', '{"sites":[]}', '{"sites":1}'])
    assert.equal(readsAs(damaged), undefined, damaged);
  assert.deepEqual(
    readsAs('{"sites":{"1001":["../x","B.example",7],"x":["a.example"],"1002":"a.example"}}'),
    new Map([[alice, new Set(['b.example'])]]),
  );
  writeFileSync(`${directory}/planted`, '{"sites":{"1001":["a.example"]}}');
  rmSync(servedPath(paths));
  symlinkSync(`${directory}/planted`, servedPath(paths));
  assert.equal(readServed(paths), undefined, 'a link is not followed');
});

const limited = `<tenant uid="${alice}">
    <site name="shop.example"><cpu limit="50%" weight="20"/><memory limit="512MiB"/></site>
    <site name="bare.example"/>
    <site name="gone.example"><processes limit="9"/></site></tenant>`;
const vhosts = `
  server { listen 80; server_name www.shop.example Shop.example; root /home/alice; }
  server { listen 80; server_name bare.example; root /home/alice; }
  server { listen 80; server_name more.example; root /home/alice; }
  server { listen 80; server_name gone.example; root /home/bob; }`;

test('web status prints the own limits of vhosts', () => {
  const siteLimits = siteLimitIndex(policyOf(limited));
  const seen = overview(nginx(vhosts));
  const lines = overviewText(seen, [], { columns: 200, siteLimits }).split('\n');
  assert.match(lines[0] ?? '', /PLACED +OWN LIMITS$/);
  const ending = (name: string) => lines.find((line) => line.startsWith(name))?.trim();
  assert.match(ending('www.shop.example') ?? '', / cpu 50%, cpu weight 20, memory 512MiB$/);
  for (const without of ['bare.example', 'more.example', 'gone.example'])
    assert.match(ending(without) ?? '', / -$/, without);
  assert.deepEqual(
    seen.sites.map((each) => ownLimitsOf(each, siteLimits)?.limits),
    [
      { 'cpu.limit': '50%', 'cpu.weight': '20', 'memory.limit': '512MiB' },
      {},
      undefined,
      undefined,
    ],
  );
  // There is nothing to show if no tenant has sites.
  const plain = siteLimitIndex(policyOf(`<tenant uid="${alice}"/>`));
  assert.doesNotMatch(overviewText(seen, [], { columns: 200, siteLimits: plain }), /OWN LIMITS/);
});

test("ownLimitsOf() prefers sites of the policy to the reseller's, and those to the tenant's", () => {
  const body = `<defaults><sites limits="reseller tenant"/></defaults><reseller uid="1000"><tenant uid="${alice}">
    <entries limit="20"/><site name="policy.example"><cpu limit="20%"/><entries limit="5"/></site></tenant></reseller>`;
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const set = (name: string) =>
    new Map([[name, new Map([['cpu.limit', 0.9 as CpuFraction] as const])]]);
  const siteLimits = new Map([
    [
      alice,
      { tenant: set('tenant.example'), reseller: { uid: 1000, sites: set('reseller.example') } },
    ],
  ]);
  const policy = resolvePolicy(document, { accounts: [], uidMin: 1000, siteLimits });
  const index = siteLimitIndex(policy);
  const owner = { by: 'directory', what: '/', uid: alice, name: 'alice' } as const;
  const siteOf = (...names: readonly string[]) => ownLimitsOf({ owner, names }, index)?.site;
  assert.equal(siteOf('tenant.example', 'reseller.example', 'policy.example'), 'policy.example');
  assert.equal(siteOf('tenant.example', 'reseller.example'), 'reseller.example');
  assert.equal(siteOf('other.example', 'tenant.example'), 'tenant.example');
  const vhost =
    'server { server_name tenant.example policy.example; location / { fastcgi_pass unix:/run/a; } }';
  const ranked = rankedSites(policy.tenants[0]?.sites ?? []);
  assert.equal(new PoolSites(nginx(vhost)).at('/run/a', ranked), 'policy.example');
  // The same for entries: the policy's apply, whatever the tenant makes a site.
  const limits = entryLimitsOf(policy);
  const bounds = siteBounds({ owner, names: ['tenant.example', 'policy.example'] }, limits);
  assert.deepEqual(
    bounds.map(({ kind, limit }) => [kind, limit]),
    [
      ['site', 5],
      ['tenant', 20],
    ],
  );
  assert.doesNotMatch(limitsText(limits), /tenant\.example|reseller\.example/);
});

test('unusedLimits() returns limits that no vhost uses, or none when a server has problems', () => {
  const index = siteLimitIndex(policyOf(limited));
  const [note, ...others] = unusedLimits(overview(nginx(vhosts)), index);
  assert.deepEqual(note?.about, [`uid ${alice}/gone.example`], 'that of another is not its own');
  assert.match(note.message, /no vhost is of these sites/);
  assert.deepEqual(others, []);
  const problems = [{ message: 'unknown directive' }];
  assert.deepEqual(unusedLimits(overview(nginx(''), [{ ...read, problems }]), index), []);
  assert.deepEqual(unusedLimits(overview(nginx('')), index)[0]?.about, [
    `uid ${alice}/shop.example`,
    `uid ${alice}/gone.example`,
  ]);
});
