import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf } from '../../src/jail/core/jail-key.ts';
import { jailTenants } from '../../src/jail/io/jail-tenants.ts';
import { LineIndex } from '../../src/policy/diagnostic.ts';
import { explain } from '../../src/policy/explain.ts';
import { checkJailPath, commandsOf, formatJail } from '../../src/policy/jail.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { jailOf, jailOriginOf, type HostFacts } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const alice = { user: 'alice', uid: 6001, gid: 6001, home: '/home/alice' };
const bob = { user: 'bob', uid: 6002, gid: 6002, home: '/srv/bob' };
const facts: HostFacts = { accounts: [alice, bob], uidMin: 1000 };

function resolve(body: string) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const policy = resolvePolicy(document, facts);
  return { policy, messages: document.diagnostics.list.map(({ message }) => message) };
}

const jailsOf = (body: string) =>
  resolve(body).policy.tenants.map((tenant) => formatJail(jailOf(tenant)));

test('<jail> is inherited as a whole from the nearest element', () => {
  const body = `<defaults><jail profile="web"><path at="/srv/a"/></jail></defaults>
    <package name="p"><jail profile="shell"/></package>
    <tenant uid="5001"/><tenant uid="5002" package="p"/><tenant uid="5003"><jail profile="none"/></tenant>
    <tenant uid="5004" package="p"><cpu limit="50%"/><jail profile="strict"><path at="/run/db" access="write"/></jail></tenant>`;
  assert.deepEqual(jailsOf(body), [
    'web, /srv/a read-only',
    'shell',
    'none',
    'strict, /run/db writable',
  ]);
  const { policy } = resolve(body);
  const kinds = policy.tenants.map(({ chain }) => jailOriginOf(chain)?.link.kind);
  assert.deepEqual(kinds, ['defaults', 'package', 'tenant', 'tenant']);
});

test("a reseller's package gives its tenants a jail, and no other element can", () => {
  const body = `<package name="p"><jail profile="web"/></package>
    <reseller uid="4000" package="p"><tenant uid="5001"/></reseller>`;
  assert.deepEqual(jailsOf(body), ['web']);
  const wrong = '<reseller uid="4000"><jail profile="web"/></reseller>';
  assert.match(resolve(wrong).messages.join(), /<jail> is not known inside <reseller>/);
});

test('commandsOf() returns the listed commands, the defaults without a list, or none', () => {
  const commands = (attribute: string) => {
    const { tenants } = resolve(
      `<tenant uid="5001"><jail profile="web" ${attribute}/></tenant>`,
    ).policy;
    const [jail] = tenants.map(jailOf);
    return jail && commandsOf(jail);
  };
  assert.deepEqual(commands(''), ['sendmail', 'crontab']);
  assert.deepEqual(commands('commands="crontab"'), ['crontab']);
  assert.deepEqual(commands('commands="crontab, sendmail"'), ['sendmail', 'crontab']);
  assert.deepEqual(commands('commands="passwd"'), ['passwd']);
  assert.deepEqual(commands('commands="none"'), []);
  assert.deepEqual(jailsOf('<tenant uid="5001"><jail profile="web" commands="none"/></tenant>'), [
    'web, no commands outside',
  ]);
});

test('parsePolicy() reports mistakes in <jail>', () => {
  const said = (jail: string) => resolve(`<defaults>${jail}</defaults>`).messages.join();
  assert.match(said('<jail/>'), /needs the attribute "profile"/);
  assert.match(
    said('<jail profile="web" commands="sendmail su"/>'),
    /"su" cannot be run outside a jail; sendmail, crontab, passwd can/,
  );
  assert.match(said('<jail profile="wbe"/>'), /is not one of web, shell, strict, none/);
  assert.match(said('<jail profile="none"><path at="/srv/a"/></jail>'), /has no paths/);
  assert.match(said('<jail profile="web"><path at="/srv/a"/><path at="/srv/a"/></jail>'), /twice/);
  const many = Array.from({ length: 33 }, (_, index) => `<path at="/srv/${index}"/>`).join('');
  assert.match(said(`<jail profile="web">${many}</jail>`), /33 paths; 32 are the most/);
});

test('checkJailPath() refuses system directories, homes, and paths that are not normalized', () => {
  assert.ok(checkJailPath('/srv/media').ok);
  assert.ok(checkJailPath('/run/mysqld').ok);
  const refused = `/ /etc /etc/mysql /home /home/alice /proc/1/root /dev/shm /sys /tmp/x /srv/../etc /srv/./x
    /srv//x /srv/ srv /run /root/.ssh /var /usr/local`;
  for (const path of refused.split(/\s+/)) {
    assert.ok(!checkJailPath(path).ok, path);
  }
});

const ofSites = (...sites: readonly string[]) =>
  `<defaults><jail profile="web"/></defaults><tenant user="alice">${sites.join('')}</tenant>`;
const siteWith = (jail: string, name = 'shop.example') => `<site name="${name}">${jail}</site>`;

test("<jail> of a site replaces its tenant's; a site without one uses its tenant's", () => {
  const body = ofSites(
    siteWith('<jail profile="strict" home="/home/alice/shop"><path at="/run/db"/></jail>'),
    siteWith('<cpu limit="50%"/>', 'blog.example'),
  );
  const { policy, messages } = resolve(body);
  assert.deepEqual(messages, []);
  const [tenant] = policy.tenants;
  assert.ok(tenant);
  const [shop, blog] = tenant.sites;
  assert.ok(shop && blog);
  assert.equal(formatJail(jailOf(shop)), 'strict, home /home/alice/shop, /run/db read-only');
  assert.equal(jailOf(blog), undefined);
  assert.equal(formatJail(jailOf(tenant)), 'web');
  const lines = new LineIndex(policy.text);
  const [ofShop, ofBlog] = [shop, blog].map(
    (site) => explain({ tenant, site }, policy, lines).jail,
  );
  assert.deepEqual([ofShop?.jail?.home, ofShop?.from], ['/home/alice/shop', 'the site itself']);
  assert.deepEqual([ofBlog?.jail?.profile, ofBlog?.from], ['web', 'defaults']);
});

test('jailTenants() lists a site after its tenant, with its own home and at most sendmail', () => {
  const jails = (tenantsJail: string) =>
    jailTenants(
      resolve(
        `<tenant user="alice">${tenantsJail}${siteWith('<jail profile="web" home="/home/alice/shop"/>')}</tenant>`,
      ).policy,
    ).map((each) => [keyOf(each), each.account?.home, commandsOf(each.jail).join(' ')]);
  const site = ['6001-shop.example', '/home/alice/shop'];
  assert.deepEqual(jails('<jail profile="web"/>'), [
    ['6001', '/home/alice', 'sendmail crontab'],
    [...site, 'sendmail'],
  ]);
  assert.deepEqual(jails('<jail profile="web" commands="crontab passwd"/>')[1], [...site, '']);
  assert.deepEqual(jails('<jail profile="none"/>'), [[...site, 'sendmail']]);
});

test('jailTenants() marks the jails of a missing account, and none of the next owner of its uid', () => {
  const marked = (state: 'missing' | 'replaced') => {
    const { policy } = resolve(ofSites(siteWith('<jail profile="web" home="/data/shop"/>')));
    const missing = [{ account: alice, state, element: 'tenant' as const }];
    return jailTenants({ ...policy, missing }).map(({ missingHome }) => missingHome);
  };
  assert.deepEqual(marked('missing'), ['/home/alice', '/home/alice']);
  assert.deepEqual(marked('replaced'), [undefined, undefined]);
});

test('resolvePolicy() refuses a site jail without a home of its own, or with unsafe paths', () => {
  const said = (jail: string) => resolve(ofSites(siteWith(jail))).messages.join();
  const own = 'profile="web" home="/home/alice/shop"';
  assert.match(said('<jail profile="web"/>'), /<jail> of a site needs "home"/);
  assert.match(
    said('<jail profile="none" home="/home/alice/shop"/>'),
    /cannot have the profile "none"/,
  );
  assert.match(said(`<jail ${own} commands="sendmail"/>`), /A site has no "commands"/);
  for (const home of [
    '/home/alice',
    '/home/alice/',
    '/home',
    '/',
    '/etc/x/y',
    'shop',
    '/home/alice/../bob',
  ])
    assert.notEqual(said(`<jail profile="web" home="${home}"/>`), '', home);
  assert.match(said('<jail profile="web" home="/home/alice"/>'), /the home of alice is in it/);
  const elsewhere = `<tenant user="bob">${siteWith('<jail profile="web" home="/data/shop"><path at="/srv/bob"/></jail>')}</tenant>`;
  assert.match(
    resolve(elsewhere).messages.join(),
    /"\/srv\/bob" cannot be .* home of bob is in it/,
  );
  const ofTenant = '<tenant user="alice"><jail profile="web" home="/home/alice/shop"/></tenant>';
  assert.match(resolve(ofTenant).messages.join(), /Only the jail of a site has "home"/);
  const long = `${'a'.repeat(60)}.`.repeat(4).slice(0, -1);
  const named = ofSites(siteWith(`<jail ${own}/>`, long));
  assert.match(resolve(named).messages.join(), /a name of 200 characters at most/);
});

test('resolvePolicy() warns when a site sees the directory of another site', () => {
  const at = (home: string, name: string) =>
    siteWith(`<jail profile="web" home="/home/alice/${home}"/>`, name);
  const said = (...homes: readonly string[]) =>
    resolve(ofSites(...homes.map((home, index) => at(home, `s${index}.example`)))).messages;
  assert.deepEqual(said('shop', 'shop-2', 'blog'), []);
  const [inner = '', ...more] = said('shop', 'shop/addon');
  assert.match(inner, /"s0.example" sees this directory, too: its own is "\/home\/alice\/shop"/);
  assert.deepEqual(more, []);
  assert.equal(said('shop', 'shop').length, 1);
});
