import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkJailPath, commandsOf, describeJail } from '../../src/policy/jail.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { jailOf, jailOriginOf, type HostFacts } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const facts: HostFacts = { accounts: [], uidMin: 1000 };

function resolve(body: string) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const policy = resolvePolicy(document, facts);
  return { policy, messages: document.diagnostics.list.map(({ message }) => message) };
}

const jailsOf = (body: string) =>
  resolve(body).policy.tenants.map((tenant) => describeJail(jailOf(tenant)));

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
  const site = '<tenant uid="5001"><site name="a.example"><jail profile="web"/></site></tenant>';
  assert.match(resolve(site).messages.join(), /<jail> is not known inside <site>/);
});

test('commands are those of the list, without one those that are usual, or none', () => {
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

test('mistakes in <jail> are reported', () => {
  const said = (jail: string) => resolve(`<defaults>${jail}</defaults>`).messages.join();
  assert.match(said('<jail/>'), /needs the attribute "profile"/);
  assert.match(
    said('<jail profile="web" commands="sendmail su"/>'),
    /"su" cannot be run outside of a jail; sendmail, crontab, passwd can/,
  );
  assert.match(said('<jail profile="wbe"/>'), /is not one of web, shell, strict, none/);
  assert.match(said('<jail profile="none"><path at="/srv/a"/></jail>'), /has no paths/);
  assert.match(said('<jail profile="web"><path at="/srv/a"/><path at="/srv/a"/></jail>'), /twice/);
  const many = Array.from({ length: 33 }, (_, index) => `<path at="/srv/${index}"/>`).join('');
  assert.match(said(`<jail profile="web">${many}</jail>`), /33 paths; 32 are the most/);
});

test('checkJailPath() refuses what would lead out', () => {
  assert.ok(checkJailPath('/srv/media').ok);
  assert.ok(checkJailPath('/run/mysqld').ok);
  const refused = `/ /etc /etc/mysql /home /home/alice /proc/1/root /dev/shm /sys /tmp/x /srv/../etc /srv/./x
    /srv//x /srv/ srv /run /root/.ssh /var /usr/local`;
  for (const path of refused.split(/\s+/)) {
    assert.ok(!checkJailPath(path).ok, path);
  }
});
