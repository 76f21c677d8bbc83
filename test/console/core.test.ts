/** The decisions that the console's front makes without rights. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeIn, judge, type Verdict } from '../../src/console/core/guard.ts';
import {
  commonHeaders,
  fileHeaders,
  frameAncestors,
  passedHeaders,
} from '../../src/console/core/headers.ts';
import { allowedNames } from '../../src/console/core/hosts.ts';
import { parseManifest } from '../../src/console/core/manifest.ts';

const token = 'A'.repeat(43);
const names = allowedNames(['limits.server.example', '[2001:db8::7]']);
assert.ok(names);
const host = ['Host', 'limits.server.example'];
const bearer = ['Authorization', `Bearer ${token}`];
const sameOrigin = ['Sec-Fetch-Site', 'same-origin'];

const see = (method: string, target: string, rawHeaders: readonly string[]): Verdict =>
  judge({ method, target, rawHeaders }, names);
const statusOf = (verdict: Verdict) => (verdict.kind === 'refused' ? verdict.status : verdict.kind);

describe('judge()', () => {
  test('passes on bodies of changes of the policy, and no others', () => {
    const etag = `"${'a'.repeat(64)}"`;
    const sent = (method: string, path: string, more: readonly string[], bytes = '10') =>
      see(method, path, [
        ...host,
        ...bearer,
        ...sameOrigin,
        'Content-Length',
        bytes,
        'Content-Type',
        'application/json',
        ...more,
      ]);
    const good = [
      ['PUT', '/v1/policy'],
      ['POST', '/v1/policy/plan'],
      ['POST', '/v1/policy/keep'],
      ['POST', '/v1/policy/simulate'],
      ['POST', '/v1/policy/changes/12/undo'],
    ] as const;
    for (const [method, path] of good) {
      const verdict = sent(method, path, ['If-Match', etag]);
      assert.ok(verdict.kind === 'api', path);
      assert.deepEqual([verdict.method, verdict.body], [method, { bytes: 10, ifMatch: etag }]);
      assert.equal(statusOf(sent(method, path, [], `${4 * 2 ** 20 + 1}`)), 413);
      assert.equal(statusOf(sent(method, path, ['If-Match', 'x\u0000'])), 400);
      assert.equal(statusOf(sent(method, path, ['If-Match', etag, 'if-match', etag])), 400);
      assert.equal(statusOf(sent(method, path, ['Transfer-Encoding', 'chunked'])), 413);
      const form = [...host, ...bearer, 'Content-Length', '3', 'Content-Type', 'text/plain'];
      assert.equal(statusOf(see(method, path, form)), 415);
      const foreign = [...host, ...bearer, 'Sec-Fetch-Site', 'same-site', 'Content-Length', '3'];
      assert.equal(statusOf(see(method, path, foreign)), 403);
      assert.equal(statusOf(see(method, path, [...host, ...sameOrigin])), 401);
    }
    assert.equal(statusOf(sent('GET', '/v1/policy', [])), 413);
    assert.equal(statusOf(sent('POST', '/v1/alerts/test', [])), 413);
    assert.equal(statusOf(sent('POST', '/v1/policy/changes/x/undo', [])), 413);
    for (const path of ['/v1/top', '/v1/policy/plan'])
      assert.equal(statusOf(see('PUT', path, [...host, ...bearer, ...sameOrigin])), 405, path);
    assert.equal(statusOf(sent('DELETE', '/v1/policy', [])), 405);
  });

  test('T7: answers only to names of the console, compared as a whole', () => {
    const good = [
      'limits.server.example',
      'LIMITS.server.example.',
      'limits.server.example:2443',
      'localhost:8642',
      '127.0.0.1',
      '[::1]:8642',
      '[2001:DB8::7]',
    ];
    for (const each of good) assert.equal(statusOf(see('GET', '/', ['host', each])), 'file', each);
    const bad = [
      '',
      'evil.example',
      'limits.server.example.evil.example',
      'xlimits.server.example',
      'localhost.evil.example',
      'localhost@evil.example',
      'limits.server.example:80@evil.example',
      'limits.server.example/',
      'limits.server.example ,evil.example',
      '127.0.0.1.evil.example',
      '127.0.0.2',
      '0.0.0.0',
      '[::1',
      'limits.server.example..',
      'limits.server.example:999999',
    ];
    for (const each of bad) {
      assert.equal(statusOf(see('GET', '/', ['host', each])), 421, each);
      const all = ['host', each, ...bearer, ...sameOrigin];
      assert.equal(statusOf(see('GET', '/v1/top', all)), 421, each);
    }
    assert.equal(statusOf(see('GET', '/', [])), 421);
    assert.equal(statusOf(see('GET', '/', [...host, 'HOST', 'evil.example'])), 400);
  });

  test("T4, T5: refuses other sites' pages, also with a token, and knows no cookie", () => {
    for (const site of ['same-site', 'cross-site', 'none', '', 'SAME-ORIGIN'])
      for (const method of ['GET', 'POST'])
        assert.equal(
          statusOf(see(method, '/v1/top', [...host, ...bearer, 'Sec-Fetch-Site', site])),
          403,
          site,
        );
    for (const origin of [
      'null',
      'https://evil.example',
      'https://alice.server.example',
      'file://',
    ])
      assert.equal(
        statusOf(see('POST', '/v1/console/end', [...host, ...bearer, 'Origin', origin])),
        403,
      );
    const own = [...host, ...bearer, 'Origin', 'https://limits.server.example:2443'];
    assert.equal(statusOf(see('POST', '/v1/console/end', own)), 'api');
    const cookie = ['Cookie', `token=${token}; session=${token}`];
    assert.equal(statusOf(see('GET', '/v1/top', [...host, ...sameOrigin, ...cookie])), 401);
    // A browser sends other programs' cookies of the same host: they do no harm.
    const both = [...host, ...sameOrigin, ...bearer, ...cookie];
    assert.deepEqual(see('GET', '/v1/top?all=1', both), {
      kind: 'api',
      method: 'GET',
      target: '/v1/top?all=1',
      token,
    });
  });

  test('passes only tokens on', () => {
    const bad = [
      '',
      'Basic cm9vdDo=',
      `Code ${token}`,
      `Bearer ${token}x`,
      `Bearer ${token} x`,
      `bearer ${token}`,
    ];
    for (const each of bad)
      assert.equal(statusOf(see('GET', '/v1/top', [...host, 'Authorization', each])), 401, each);
    const twice = [...host, ...bearer, 'authorization', `Bearer ${'B'.repeat(43)}`];
    assert.equal(statusOf(see('GET', '/v1/top', twice)), 400);
    assert.equal(statusOf(see('GET', '/v1/console/stream', [...host, ...bearer])), 'stream');
    assert.equal(statusOf(see('POST', '/v1/console/stream', [...host, ...bearer])), 405);
  });

  test('passes nothing on that is outside /v1/, whatever the path says', () => {
    const all = [...host, ...bearer];
    const outside = [
      '/v1/../metrics',
      '/v1/%2e%2e/metrics',
      '/v1/.%2E/metrics',
      '/metrics',
      '//x/v1/top',
      '/v1',
    ];
    for (const each of outside) assert.equal(statusOf(see('GET', each, all)), 'file', each);
    const bad = [
      '',
      '*',
      'http://limits.server.example/v1/top',
      'v1/top',
      '/v1/top#x',
      '/v1\\..\\x',
      '/v1/a b',
      '/v1/\t',
      '/v1/\u00e9',
      `/v1/${'x'.repeat(9000)}`,
    ];
    for (const each of bad) assert.equal(statusOf(see('GET', each, all)), 400, each);
    const verdict = see('GET', '/v1/x/../tenants/alice%2Fshop.example/limits', all);
    assert.ok(verdict.kind === 'api');
    assert.equal(verdict.target, '/v1/tenants/alice%2Fshop.example/limits');
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'TRACE', 'HEAD', 'CONNECT', 'get'])
      assert.equal(statusOf(see(method, '/v1/top', all)), 405, method);
    for (const method of ['POST', 'PUT', 'OPTIONS'])
      assert.equal(statusOf(see(method, '/', host)), 405, method);
  });

  test('takes a body only for an exchange, and only a short one', () => {
    const json = ['Content-Type', 'application/json'];
    const exchange = (more: readonly string[]) =>
      see('POST', '/v1/console/session', [...host, ...sameOrigin, ...more]);
    assert.deepEqual(exchange([...json, 'Content-Length', '54']), { kind: 'exchange', bytes: 54 });
    assert.equal(statusOf(exchange([...json, 'Content-Length', '257'])), 413);
    assert.equal(statusOf(exchange([...json, 'Content-Length', '-1'])), 413);
    assert.equal(statusOf(exchange([...json, 'Content-Length', '0x10'])), 413);
    assert.equal(statusOf(exchange([...json, 'Transfer-Encoding', 'chunked'])), 413);
    assert.equal(statusOf(exchange([...json, 'Content-Length', '5', 'Content-Length', '6'])), 400);
    assert.equal(statusOf(exchange(json)), 400);
    assert.equal(statusOf(exchange(['Content-Type', 'text/plain', 'Content-Length', '54'])), 415);
    assert.equal(statusOf(exchange(['Content-Length', '54'])), 415);
    const body = ['Content-Length', '1'];
    assert.equal(statusOf(see('POST', '/v1/console/end', [...host, ...bearer, ...body])), 413);
    assert.equal(statusOf(see('GET', '/', [...host, ...body])), 413);
  });
});

test('codeIn() finds only codes', () => {
  assert.equal(codeIn(JSON.stringify({ code: token })), token);
  for (const bad of [
    '',
    'null',
    '[]',
    '{}',
    '"x"',
    '{"code":1}',
    '{"code":"short"}',
    `{"code":"${token}\\n"}`,
  ])
    assert.equal(codeIn(bad), undefined, bad);
});

test('T6, T10: the headers let nothing in, and nobody frame the page who is not named', () => {
  const { 'content-security-policy': policy = '', ...others } = commonHeaders([]);
  assert.match(policy, /^default-src 'none';/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.match(policy, /require-trusted-types-for 'script'; trusted-types 'none'$/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.deepEqual(others, {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  });
  const panel = 'https://panel.example:2083';
  assert.deepEqual(frameAncestors([panel]), [panel]);
  assert.match(
    commonHeaders([panel])['content-security-policy'] ?? '',
    /frame-ancestors https:\/\/panel\.example:2083;/,
  );
  const bad = [
    '*',
    'https:',
    'https://*',
    'http://panel.example',
    'https://a.example; script-src *',
    'https://a.example/x',
    "'self'",
    'https://a.example https://b.example',
  ];
  for (const each of bad) assert.equal(frameAncestors([each]), undefined, each);
});

test('allowedNames() refuses what is not a name', () => {
  for (const bad of ['*', '', 'a b', 'https://a.example', 'a.example/', 'a.example:443', '::1'])
    assert.equal(allowedNames([bad]), undefined, bad);
});

test('passedHeaders() passes on no header that could harm', () => {
  const answer = {
    'content-type': 'text/html',
    'set-cookie': ['a=b'],
    location: 'https://evil.example',
    'retry-after': '5',
  };
  assert.deepEqual(passedHeaders(answer), {
    'content-type': 'text/plain; charset=utf-8',
    'retry-after': '5',
  });
  assert.deepEqual(passedHeaders({ 'content-type': 'application/json' }), {
    'content-type': 'application/json',
  });
  assert.equal(fileHeaders(false)['cache-control'], 'no-cache');
});

test('parseManifest() accepts only plain names of known types', () => {
  const one = (file: object) => parseManifest(JSON.stringify({ files: [file] }));
  const good = one({ path: '/', file: 'index.html' });
  assert.ok(good.ok);
  assert.deepEqual(good.value, [
    {
      path: '/',
      file: 'index.html',
      type: 'text/html; charset=utf-8',
      isImmutable: false,
      hasBrotli: false,
    },
  ]);
  const bad = [
    { path: '/', file: '../index.html' },
    { path: '/', file: '/etc/passwd' },
    { path: '/', file: '.index.html' },
    { path: '/', file: 'a/index.html' },
    { path: '/', file: 'index' },
    { path: '/', file: 'shadow.txt' },
    { path: '/../x', file: 'index.html' },
    { path: '/v1/top', file: 'index.html' },
    { path: 'x', file: 'index.html' },
    { path: '/', file: 'index.html', br: 1 },
    { file: 'index.html' },
  ];
  for (const each of bad) assert.equal(one(each).ok, false, JSON.stringify(each));
  for (const text of ['', 'null', '{}', '{"files":{}}', '{"files":[null]}'])
    assert.equal(parseManifest(text).ok, false, text);
  const twice = { path: '/', file: 'index.html' };
  assert.equal(parseManifest(JSON.stringify({ files: [twice, twice] })).ok, false);
});
