/** Which requests of a vhost count, what of its own keeps our directives from it, and words in nginx's file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseNginxFile } from '../../src/web/core/nginx/file.ts';
import { httpLevelOf } from '../../src/web/core/nginx/http-level.ts';
import { vhostOf, type NginxVhost } from '../../src/web/core/nginx/vhost.ts';
import { nginxEntriesFile } from '../../src/web/core/entries/nginx-file.ts';
import { apacheSiteEntries } from '../../src/web/core/entries/apache-enforcement.ts';
import { apacheMemberFileName, memberOfFile } from '../../src/web/core/entries/apache-files.ts';
import {
  boundsText,
  entryLimitsOf,
  limitsText,
  siteBounds,
} from '../../src/web/core/entries/limits.ts';
import { policyOf } from '../conformance/suite.ts';
import { nginxQuoted } from '../../src/web/core/entries/nginx-quoted.ts';
import { siteFileFor } from '../../src/web/core/entries/nginx-site-files.ts';
import { tenantMember } from '../../src/usage/member.ts';
import {
  entriesIncidents,
  requestEvidence,
  type RequestEvidence,
} from '../../src/web/core/entries/entries-incidents.ts';

function vhost(text: string): NginxVhost {
  const { directives, problems } = parseNginxFile('a.conf', `server {\n${text}\n}`);
  assert.deepEqual(problems, []);
  const [server] = directives;
  assert.ok(server);
  return vhostOf(server);
}

const php = 'location ~ \\.php$ { fastcgi_pass unix:/php.sock; }';
test('vhostOf() returns the same server name as $server_name', () => {
  const nameOf = (text: string) => vhost(text).serverName;
  assert.equal(nameOf('server_name .a.example b.example;'), 'a.example');
  assert.equal(nameOf('server_name "" b.example;'), '');
  assert.equal(nameOf('server_name ~^x$;'), '~^x$');
  assert.equal(nameOf('listen 80;'), '');
});

test("vhostOf() finds directives that replace Bulkhead's, and Bulkhead's that follow them", () => {
  const lost = (text: string) => {
    const { limitLost, logLost } = vhost(text);
    return [limitLost?.line, limitLost?.canInclude, logLost?.line, logLost?.canInclude];
  };
  const none = [undefined, undefined];
  assert.deepEqual(lost(php), [...none, ...none]);
  assert.deepEqual(lost(`limit_conn a 1;\n${php}`), [2, true, ...none]);
  assert.deepEqual(lost('location / {\nlimit_conn a 1; }'), [3, false, ...none]);
  assert.deepEqual(lost('limit_conn_dry_run on;'), [2, false, ...none]);
  assert.deepEqual(lost('limit_conn a 1; limit_conn bulkhead_5 5;'), [...none, ...none]);
  assert.deepEqual(lost('access_log /a;'), [...none, 2, true]);
  assert.deepEqual(lost('access_log /a; access_log syslog:x bulkhead if=$x;'), [...none, ...none]);
  assert.deepEqual(lost('access_log off; access_log syslog:x bulkhead;'), [...none, 2, false]);
  const inLocation = 'location / {\naccess_log off; proxy_pass http://a; }';
  assert.deepEqual(lost(inLocation), [...none, 3, false]);
  assert.deepEqual(lost('location /x {\naccess_log off; }'), [...none, ...none]);
  // A vhost with the page logs a refusal there.
  assert.deepEqual(lost(`location @bulkhead_508 { return 508 x; }\n${inLocation}`), [
    ...none,
    ...none,
  ]);
});

test('siteFileFor() returns the same file whether or not the vhost includes it already', () => {
  const http = httpLevelOf([], [], '');
  const own = 'limit_conn a 1; access_log /a;';
  const ours = 'limit_conn bulkhead_5 5; access_log syslog:x bulkhead; location @bulkhead_508 { }';
  for (const text of [own, `${own} ${ours}`])
    assert.equal(siteFileFor(vhost(text), http), 'site-limit-log.conf');
  assert.equal(siteFileFor(vhost(ours), http), 'site.conf');
  assert.equal(siteFileFor(vhost(''), { ...http, accessLog: 'off' }), 'site-log.conf');
});

test("httpLevelOf() finds directives that are already set, except in Bulkhead's own file", () => {
  const text = `user web;\nhttp { limit_conn_status 503; access_log off;\nlimit_conn a 1; map_hash_bucket_size 64; }`;
  const { directives } = parseNginxFile('nginx.conf', text);
  const http = httpLevelOf(directives, ['nginx.conf'], '/own');
  assert.deepEqual(http.given, ['limit_conn_status', 'map_hash_bucket_size']);
  assert.deepEqual(
    [http.user, http.accessLog, http.mapBucketBytes, http.otherLimit?.line],
    ['web', 'off', 64, 3],
  );
  const own = httpLevelOf(directives, ['nginx.conf'], 'nginx.conf');
  assert.deepEqual([own.given, own.accessLog, own.otherLimit], [[], 'default', undefined]);
});

test('apacheSiteEntries() requires the include in a static vhost whose .htaccess may set a handler', () => {
  const limits = new Map([[1001, { limit: 5, sites: new Map() }]]);
  const site = { server: 'apache', owner: { uid: 1001 }, names: ['a'], handlers: [] };
  const stateOf = (more: object) =>
    apacheSiteEntries([{ ...site, ...more } as never], { limits, hasModQos: true })[0]?.state;
  assert.equal(stateOf({}), 'nothing to count');
  assert.equal(stateOf({ htaccess: true }), 'not enforced');
  assert.equal(stateOf({ htaccess: true, entriesOf: 'u1001' }), 'enforced');
  const redirects = [{ kind: 'other', text: 'Redirect' }];
  assert.equal(stateOf({ htaccess: true, handlers: redirects }), 'nothing to count');
});

test('nginxQuoted() makes one word of any text for the tokenizer', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      const { directives, problems } = parseNginxFile('a', `x ${nginxQuoted(text)} y;`);
      assert.deepEqual(problems, []);
      assert.deepEqual(
        directives.map(({ args }) => args),
        [[text, 'y']],
      );
    }),
  );
});

test('nginxEntriesFile() writes any server name as one map key, never as a directive', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary', maxLength: 30 }), { maxLength: 5 }),
      (names) => {
        const held = [...new Set(names)].map((name, index) => ({
          name,
          uid: 1_000 + index,
          bounds: [{ kind: 'tenant' as const, member: tenantMember(1_000 + index), limit: 20 }],
          counts: { rules: [], rest: 'counts' as const },
        }));
        const http = httpLevelOf([], [], '');
        const text = nginxEntriesFile(held, http, { socket: '/s', defaultLog: '/log' });
        const { directives, problems } = parseNginxFile('a', text);
        assert.deepEqual(problems, []);
        const owners = directives.find(({ args }) => args[1] === '$bulkhead_owner')?.block ?? [];
        assert.deepEqual(
          owners
            .slice(1)
            .map(({ name, args }) => [name, args[0]])
            .toSorted(),
          held.map(({ name, uid }) => [`:${name}`, String(uid)]).toSorted(),
        );
        const kinds = new Set(directives.map(({ name }) => name));
        assert.ok(kinds.size <= 13, [...kinds].join(' '));
      },
    ),
  );
});

test('siteBounds() returns limits of the first site that a vhost names, its tenant and its reseller', () => {
  const limits = entryLimitsOf(
    policyOf(`<reseller uid="1000"><entries limit="100000"/>
      <tenant uid="1001"><site name="a.example"><entries limit="5"/></site><site name="b.example"/></tenant>
      <tenant uid="1002"><entries limit="unlimited"/></tenant></reseller>
      <tenant uid="1003"><entries limit="7"/></tenant><tenant uid="1004"><site name="a.example"/></tenant>`),
  );
  assert.deepEqual([...limits.keys()], [1001, 1002, 1003]);
  const textOf = (uid: number, ...names: string[]) =>
    boundsText(siteBounds({ owner: { uid, name: '' } as never, names }, limits));
  assert.equal(textOf(1001, 'www.a.example', 'A.EXAMPLE'), 'site 5, reseller 65535');
  assert.equal(textOf(1001, 'b.example', 'a.example'), 'reseller 65535');
  assert.equal(textOf(1002), 'reseller 65535');
  assert.equal(textOf(1003, 'a.example'), '7');
  assert.equal(textOf(1004, 'a.example'), '-');
  assert.equal(
    limitsText(limits),
    '1001:+r1000=65535+a.example=5+b.example= 1002:+r1000=65535 1003:7',
  );
});

test('memberOfFile() returns the member from apacheMemberFileName(), and none for other files', () => {
  for (const member of ['u1001', 'u1001/shop.example', 'u1/1-x.example'] as const)
    assert.equal(memberOfFile(`/etc/apache2/bulkhead/${apacheMemberFileName(member)}`), member);
  for (const other of [
    'u1.conf',
    '/x/bulkhead/r1.conf',
    '/x/bulkhead/u1-.conf',
    '/bulkhead/u1-A.conf',
  ])
    assert.equal(memberOfFile(other), undefined, other);
});

const command = { at: 0, site: '', client: '', method: 'exec', url: 'php-cgi' };
const request = {
  at: 0,
  site: 'a.example',
  client: '192.0.2.1',
  method: 'GET',
  url: '/a?token=1',
};
const commands = [command, { ...command, url: '' }];

test('entriesIncidents distinguishes refused commands from refused requests', () => {
  const refused = { severity: 'refused', faults: 5 } as const;
  const both = [command, request];
  assert.deepEqual(
    [commands, both, []].map((each) => entriesIncidents.happened?.(refused, each)),
    ['had 5 commands refused', 'had 5 requests or commands refused', 'had 5 requests refused'],
  );
  assert.equal(entriesIncidents.happened?.({ ...refused, severity: 'throttled' }, both), undefined);
  const effect = entriesIncidents.effect?.(commands) ?? '';
  assert.match(effect, /^The commands .* not started.* status 75/);
  assert.doesNotMatch(effect, /508/);
  assert.match(entriesIncidents.effect?.(both) ?? '', /508.* not started/);
  assert.equal(entriesIncidents.effect?.([]), undefined);
  assert.equal(entriesIncidents.effect?.([request]), undefined);
});

test('requestEvidence.describe() names pages and addresses only to those who may see them', () => {
  const all = [
    request,
    { ...request, url: '/a?token=2' },
    { ...request, url: '/b', client: '192.0.2.2' },
  ];
  assert.equal(
    requestEvidence.describe(all, true),
    'More is known of 3 requests: GET a.example/a (2), GET a.example/b (1); from 2 addresses: 192.0.2.1 (2), 192.0.2.2 (1).',
  );
  assert.doesNotMatch(requestEvidence.describe(all, false), /192|\/a|token/);
  assert.equal(
    requestEvidence.describe(commands, true),
    'Not started: php-cgi (1), a command with an odd name (1).',
  );
  assert.equal(requestEvidence.describe(commands, false), '2 commands of them were not started.');
});

test('requestEvidence.line() describes a request, and redact() keeps what a reseller may see', () => {
  const line = (each: RequestEvidence) => requestEvidence.line(each);
  const redact = (each: RequestEvidence) => requestEvidence.redact(each);
  assert.equal(line(request), 'GET a.example/a?token=1 from 192.0.2.1');
  assert.equal(line(redact(request)), 'a.example');
  assert.deepEqual(
    commands.map((each) => line(each)),
    ['the command php-cgi, not started', 'the command (an odd name), not started'],
  );
  assert.equal(line(redact(command)), 'the command (an odd name), not started');
});
