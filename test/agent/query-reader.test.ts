/** Parameters of requests. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HttpResult } from '../../src/agent/api/http-result.ts';
import { QueryReader } from '../../src/agent/api/query-reader.ts';

describe('QueryReader', () => {
  const reader = (query: string) => new QueryReader(new URLSearchParams(query));
  const refused = (result: HttpResult<unknown>, reason: RegExp, object?: string) => {
    assert.ok(!result.ok);
    assert.equal(result.error.status, 400);
    assert.equal(result.error.object, object);
    assert.match(result.error.reason, reason);
  };

  test('names() takes a repeated parameter, at most 2,000 times', () => {
    assert.deepEqual(reader('tenant=a&tenant=b').names('tenant'), { ok: true, value: ['a', 'b'] });
    refused(reader('tenant=a&'.repeat(2001)).names('tenant'), /more than 2000 times/, 'tenant');
  });

  test('whole() takes only digits, and caps them at the maximum', () => {
    assert.deepEqual(reader('').whole('count', 7, 10), { ok: true, value: 7 });
    assert.deepEqual(reader('count=99').whole('count', 7, 10), { ok: true, value: 10 });
    for (const text of ['', '-1', '1.5', '1e3', '0x10', 'x'])
      refused(reader(`count=${text}`).whole('count', 7, 10), /must be a whole number/, 'count');
  });

  test('choice() takes only known values', () => {
    assert.deepEqual(reader('').choice('metric', ['cpu']), { ok: true, value: undefined });
    assert.deepEqual(reader('metric=cpu').choice('metric', ['cpu']), { ok: true, value: 'cpu' });
    refused(reader('metric=x').choice('metric', ['cpu', 'io']), /one of cpu, io/, 'metric');
  });

  test('period() is the last hour by default, and never empty', () => {
    assert.deepEqual(reader('').period(7_200_000), {
      ok: true,
      value: { from: 3_600_000, to: 7_200_000 },
    });
    refused(reader('from=5&to=5').period(9), /ends before it begins/);
    refused(reader('from=y').period(9), /must be a whole number/, 'from');
  });
});
