/** `countedLogs()`: each request counts once, for the tenant whose site it was for, or the reason is known. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { apacheLogging, apacheSiteLogs } from '../../../src/web/core/access-logs/apache-logs.ts';
import { countedLogs, withKnownLogs } from '../../../src/web/core/access-logs/counted-logs.ts';
import { nginxLogging, nginxSiteLogs } from '../../../src/web/core/access-logs/nginx-logs.ts';
import { parseApacheDump } from '../../../src/web/core/apache/dump.ts';
import { parseNginxFile } from '../../../src/web/core/nginx/file.ts';
import type { Handler } from '../../../src/web/core/site.ts';

const nginx = (
  name: string,
  uid: number | undefined,
  server: string,
  http = '',
  handlers = none,
) => ({
  server: 'nginx' as const,
  names: [name],
  handlers,
  owner: ownerOf(uid),
  logs: nginxSiteLogs(directives(server), nginxLogging(directives(http))),
});
const apache = (names: readonly string[], uid: number, host: string, main = '') => ({
  server: 'apache' as const,
  names,
  handlers: none,
  owner: ownerOf(uid),
  logs: apacheSiteLogs(
    parseApacheDump(host).directives,
    apacheLogging(parseApacheDump(main).directives),
  ),
});
const none: readonly Handler[] = [];
const proxy: readonly Handler[] = [{ kind: 'proxy', text: 'http://127.0.0.1:8080' }];
const directives = (text: string) => parseNginxFile('x.conf', text).directives;
const ownerOf = (uid: number | undefined) => (uid === undefined ? undefined : { uid });

const summary = (...sites: Parameters<typeof countedLogs>[0]) =>
  Object.fromEntries(
    [...countedLogs(sites)].map(([uid, { logs, gaps }]) => [
      uid,
      [logs.map(({ path }) => path), gaps],
    ]),
  );

const textOf = (gaps: readonly string[] = []) => gaps.join('; ');

describe('countedLogs()', () => {
  test('takes one log of each level, and none twice', () => {
    const log = 'access_log /l/a.log combined; access_log /l/a.bytes bytes;';
    const server = `${log} location / { ${log} } location /x { access_log /l/a.bytes bytes; }`;
    const http = "log_format bytes '$body_bytes_sent';";
    assert.deepEqual(summary(nginx('a.example', 1, server, http)), { 1: [['/l/a.bytes'], []] });
    const apart = 'access_log /l/a.log; location /x { access_log /l/x.log; }';
    assert.deepEqual(summary(nginx('a.example', 1, apart)), { 1: [['/l/a.log', '/l/x.log'], []] });
  });

  test('says what is missing', () => {
    const gapsOf = (server: string, http = '') =>
      summary(nginx('a.example', 1, server, http))[1]?.[1] ?? [];
    assert.match(
      textOf(gapsOf('access_log /a; location /i { access_log off; }')),
      /not log everything/,
    );
    assert.match(textOf(gapsOf('')), /no access_log names a file/);
    assert.match(textOf(gapsOf('access_log /l/$host.log;')), /variable/);
    assert.match(textOf(gapsOf('access_log /a combined if=$x;')), /only some requests/);
    assert.match(textOf(gapsOf('access_log /a combined gzip;')), /compressed/);
    assert.match(textOf(gapsOf('access_log syslog:server=unix:/x combined;')), /not a file/);
    assert.match(textOf(gapsOf('access_log /a nowhere;')), /not in the configuration/);
    assert.match(textOf(gapsOf('access_log /a; access_log /a;')), /twice/);
    const own = 'access_log /a; access_log syslog:server=unix:/x bulkhead if=$bulkhead_refused;';
    assert.deepEqual(gapsOf(own), []);
    assert.deepEqual(gapsOf('', 'access_log /l/all.log;'), []);
  });

  test('counts by no log that sites of others write to', () => {
    const shared = 'access_log /l/all.log;';
    const found = summary(nginx('a.example', 1, shared), nginx('b.example', 2, shared));
    assert.deepEqual([found[1]?.[0], found[2]?.[0]], [[], []]);
    assert.match(textOf(found[1]?.[1]), /sites of others/);
    const nobodys = summary(nginx('a.example', 1, shared), nginx('x.example', undefined, shared));
    assert.deepEqual(nobodys[1]?.[0], []);
  });

  test('keeps the logs that are known while a configuration cannot be read whole', () => {
    const known = countedLogs([nginx('a.example', 1, 'access_log /l/a.log;')]);
    const found = countedLogs([nginx('b.example', 1, 'access_log /l/b.log;')]);
    const both = withKnownLogs(found, withKnownLogs(new Map(), known)).get(1);
    assert.deepEqual(
      both?.logs.map(({ path }) => path),
      ['/l/b.log', '/l/a.log'],
    );
    assert.match(textOf(both.gaps), /^not all of the configuration/);
  });

  test('Apache: formats and logs of the main server, pipes, and what nginx passes on', () => {
    const main = `ServerRoot "/etc/apache2"\nLogFormat "%h \\"%r\\" %>s %O" own\nCustomLog "l/all.log" own`;
    assert.deepEqual(summary(apache(['a.example'], 1, '', main)), {
      1: [['/etc/apache2/l/all.log'], []],
    });
    const vhost = 'CustomLog "/l/a.log" own';
    const both = [
      nginx('a.example', 1, 'access_log /l/n.log;', '', proxy),
      apache(['a.example'], 1, vhost, main),
    ];
    assert.deepEqual(summary(...both), { 1: [['/l/n.log'], []] });
    const piped = summary(
      apache(['a.example'], 1, 'CustomLog "|/usr/bin/rotatelogs /l/a" own', main),
    );
    assert.match(textOf(piped[1]?.[1]), /a program gets it/);
    const some = summary(apache(['a.example'], 1, `${vhost} env=!quiet`, main));
    assert.match(textOf(some[1]?.[1]), /only some requests/);
  });
});
