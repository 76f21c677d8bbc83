/** `nginxField()`, `apacheField()` and `bytesReader()`: the number of bytes of a line, whatever visitors send. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesReader } from '../../../src/web/core/access-logs/bytes-of-line.ts';
import {
  apacheCommon,
  apacheField,
  nginxCombined,
  nginxField,
  type FieldOrReason,
} from '../../../src/web/core/access-logs/log-format.ts';

const read = (field: FieldOrReason, line: string) => {
  assert.ok(field.ok, field.ok ? '' : field.error);
  return bytesReader(field.value)(line);
};
const time = '[01/Dec/2026:17:00:00 +0000]';

describe('the format of an access log', () => {
  test("nginx's combined, with what visitors can write in it", () => {
    const line = (user: string, request: string, bytes: string, agent: string) =>
      `192.0.2.1 - ${user} ${time} "${request}" 200 ${bytes} "-" "${agent}"`;
    assert.equal(read(nginxCombined, line('-', 'GET / HTTP/1.1', '612', 'curl/8')), 612);
    const forged = String.raw`\x22 200 999999 \x22-\x22 \x22`;
    assert.equal(read(nginxCombined, line(`a 200 77 ${forged}`, forged, '5', forged)), 5);
    for (const bad of ['', line('-', 'GET /', '-1', ''), line('-', 'a"b', '1', ''), '" 200 7 "'])
      assert.equal(read(nginxCombined, bad), undefined, bad);
    assert.equal(read(nginxCombined, line('-', '', '1234567890123456', '')), undefined);
  });

  test('nginx: headers count where the format has them, and JSON is read', () => {
    const both = nginxField(['"$request" $status $body_bytes_sent "$http_referer" $bytes_sent']);
    assert.equal(read(both, '"GET /" 200 10 "" 250'), 250);
    const json = nginxField([
      'escape=json',
      '{"agent":"$http_user_agent",',
      '"bytes":$bytes_sent}',
    ]);
    assert.equal(read(json, String.raw`{"agent":"a\",\"bytes\":9,\\\"","bytes":42}`), 42);
    assert.equal(read(nginxField(['${bytes_sent} $request']), '17 GET / 18'), 17);
  });

  test('nginx: formats in which a visitor could write the number are not counted by', () => {
    const reasons = {
      'escape=none': /escape=none/,
      '$request $bytes_sent $http_referer': /apart/,
      '"$http_referer$bytes_sent"': /apart/,
      '"$bytes_sent$http_referer"': /apart/,
      '$remote_addr $status': /no number/,
    };
    for (const [format, reason] of Object.entries(reasons)) {
      const field = nginxField(format === 'escape=none' ? [format, '$bytes_sent'] : [format]);
      assert.ok(!field.ok, format);
      assert.match(field.error, reason);
    }
    // What comes before ends in a space, and the line ends after it.
    const last = nginxField(['$remote_user $bytes_sent']);
    assert.equal(read(last, 'x 5 999 12'), 12);
  });

  test('Apache: %O, %B and %b, with what visitors can write', () => {
    const combined = apacheField('%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"');
    const line = (bytes: string, agent: string) =>
      `host.example - a 200 9 ${time} "GET /${agent} HTTP/1.1" 200 ${bytes} "-" "${agent}"`;
    assert.equal(read(combined, line('5012', String.raw`\" 200 7 \"\\`)), 5012);
    assert.equal(read(apacheCommon, `::1 - - ${time} "GET /" 304 -`), 0);
    assert.equal(read(apacheCommon, `::1 - - ${time} "GET /" 200 15`), 15);
    const hosts = apacheField('%v:%p %h %l %u %t "%r" %>s %O');
    assert.equal(read(hosts, `shop.example:80 ::1 - - ${time} "GET /" 200 15`), 15);
    // Of two lines for a request, as cPanel writes them, nobody can tell which is what.
    for (const format of [String.raw`%{%s}t %I .\n%{%s}t %O .`, '%U %O %q', '%>s'])
      assert.ok(!apacheField(format).ok, format);
  });
});
