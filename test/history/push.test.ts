/** The push of the history: the requests, the state, and servers that do not take them. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { after, before, suite, test } from 'node:test';
import type { Problem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import { due, after as afterWindow, parsePushState } from '../../src/history/core/push-state.ts';
import { writeRequest } from '../../src/history/core/remote-write.ts';
import { snappy } from '../../src/history/core/snappy.ts';
import { coarse } from '../../src/history/core/window-series.ts';
import { pushHistory } from '../../src/history/io/push.ts';
import { refusedByAccept } from '../../src/policy/fleet/accept.ts';
import { parsePushUrl } from '../../src/policy/elements/push-url.ts';
import { windowMilliseconds } from '../../src/usage/push/window.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { begin, end, RecordedHost, windows } from './recorded-host.ts';

const none = { old: 0, refused: 0 };

test('parsePushUrl() takes https, and http of this host only', () => {
  for (const url of [
    'https://m.example/api/v1/write?a=b',
    'http://127.0.0.1:8428/api/v1/write',
    'http://[::1]/',
  ])
    assert.deepEqual(parsePushUrl(url), ok(url));
  const reason = (url: string) => {
    const parsed = parsePushUrl(url);
    return parsed.ok ? '' : parsed.error.reason;
  };
  assert.match(reason('http://m.example/'), /is not https/);
  assert.match(reason('https://u:p@m.example/'), /more than/);
  assert.match(reason('https://m.example/#a'), /more than/);
  assert.match(reason('file:///etc'), /not a URL/);
});

test('a fleet names an address only if root lets it', () => {
  const text =
    '<bulkhead version="1"><agent><history push="https://m.example/"/></agent></bulkhead>';
  const word = (...accepted: Parameters<typeof refusedByAccept>[1]) =>
    refusedByAccept(text, accepted).map((each) => each.word);
  assert.deepEqual(word('agent', 'history'), ['history-push']);
  assert.deepEqual(word('agent', 'history', 'history-push'), []);
});

test('writeRequest() writes what the format says', () => {
  const request = writeRequest([
    { name: 'a', labels: { z: '1', empty: '', b: 'ü' }, samples: [{ at: 300, value: 1 }] },
  ]);
  const label = (name: string, value: string) => {
    const [n, v] = [Buffer.from(name), Buffer.from(value)];
    const body = Buffer.concat([Buffer.from([10, n.length]), n, Buffer.from([18, v.length]), v]);
    return Buffer.concat([Buffer.from([10, body.length]), body]);
  };
  const sample = Buffer.from([18, 12, 9, 0, 0, 0, 0, 0, 0, 240, 63, 16, 172, 2]);
  const series = Buffer.concat([label('__name__', 'a'), label('b', 'ü'), label('z', '1'), sample]);
  assert.deepEqual(Buffer.from(request), Buffer.concat([Buffer.from([10, series.length]), series]));
});

/** Reads the fields of a message: numbers, doubles and bytes. */
function fieldsOf(message: Buffer): readonly (readonly [number, number | Buffer])[] {
  const fields: [number, number | Buffer][] = [];
  let at = 0;
  const varint = () => {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = message[at++] ?? assert.fail();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const kind = key & 7;
    const number = kind === 1 ? message.readDoubleLE(at) : varint();
    if (kind === 1) at += 8;
    fields.push([key >> 3, kind === 2 ? message.subarray(at, (at += number)) : number]);
  }
  assert.equal(at, message.length);
  return fields;
}

test('writeRequest() writes long labels and late times, and the same labels again', () => {
  const labels = { host: 'h'.repeat(127), tenant: 'ü'.repeat(5000) };
  const samples = [127, 128, 2 ** 31 - 1, 2 ** 31, 1_800_000_000_123].map((at) => ({
    at,
    value: at / 3,
  }));
  const all = [
    { name: 'a', labels, samples },
    { name: 'b'.repeat(200), labels, samples: [] },
    { name: 'a', labels: { ...labels, host: 'web-1' }, samples },
    { name: 'c', labels, samples },
  ];
  const series = fieldsOf(Buffer.from(writeRequest(all))).map(([, own]) => {
    const parts = fieldsOf(own as Buffer).map(([field, part]) => ({
      field,
      values: fieldsOf(part as Buffer).map(([, value]) => value),
    }));
    const texts = parts.filter(({ field }) => field === 1).map(({ values }) => values.map(String));
    const [[, name] = [], ...others] = texts;
    return {
      name,
      labels: Object.fromEntries(others),
      samples: parts.flatMap(({ field, values: [value, at] }) =>
        field === 2 ? [{ at, value }] : [],
      ),
    };
  });
  assert.deepEqual(series, all);
});

/** Reads what snappy() writes; the servers' tests read it with Prometheus. */
function unsnappy(bytes: Uint8Array): Uint8Array {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? assert.fail();
    length += (byte & 127) * 2 ** shift;
    if (byte < 128) break;
  }
  const out: number[] = [];
  while (at < bytes.length) {
    const tag = bytes[at++] ?? 0;
    if ((tag & 3) === 0) {
      let size = (tag >>> 2) + 1;
      if (size === 64) {
        size = 1 + Buffer.from(bytes).readUInt32LE(at);
        at += 4;
      }
      for (const byte of bytes.subarray(at, at + size)) out.push(byte);
      at += size;
    } else {
      assert.equal(tag & 3, 2);
      const offset = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
      assert.ok(offset > 0 && offset <= out.length);
      at += 2;
      for (let each = 0; each <= tag >>> 2; each++) out.push(out[out.length - offset] ?? 0);
    }
  }
  assert.equal(out.length, length);
  return Uint8Array.from(out);
}

test('snappy() loses nothing, and makes repetitions short', () => {
  let seed = 1;
  const random = () => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) >>> 16;
  for (let round = 0; round < 300; round++) {
    const text = new Uint8Array(round < 50 ? round : random() * 3);
    const kinds = 1 + (random() % 255);
    for (let at = 0; at < text.length; at++) text[at] = random() % kinds;
    assert.deepEqual(unsnappy(snappy(text)), text);
  }
  const same = new Uint8Array(200_000).fill(7);
  const short = snappy(same);
  assert.ok(short.length < same.length / 20);
  assert.deepEqual(unsnappy(short), same);
});

test('coarse() keeps 16 significant bits', () => {
  for (const value of [0, 1, 2.5, 65_535, 2 ** 40]) assert.equal(coarse(value), value);
  for (const value of [0.1, Math.PI, 123_456_789, 1e12, 0.999_999])
    assert.ok(Math.abs(coarse(value) - value) <= value * 2 ** -16, `${value}`);
});

test('due() returns what has ended, the oldest first, and drops what is older than a day', () => {
  const state = { until: begin, dropped: none };
  assert.deepEqual(due(undefined, end + 31_000).windows, [end - windowMilliseconds]);
  assert.deepEqual(due(undefined, end + 29_000).windows, [end - 2 * windowMilliseconds]);
  assert.equal(due(state, end + 31_000).windows.length, windows);
  const late = due({ ...state, until: end - 400 * windowMilliseconds }, end + 31_000);
  assert.equal(late.windows.length, 288);
  assert.equal(late.windows.at(-1), end - windowMilliseconds);
  assert.deepEqual(late.state.dropped, { old: 112, refused: 0 });
  // The clock was set back.
  const early = due({ ...state, until: end + 100 * windowMilliseconds }, end + 31_000);
  assert.deepEqual(early, { state: { ...state, until: end }, windows: [] });
});

test('parsePushState() reads what was written, and nothing else', () => {
  const accepted = { url: 'https://m.example/', compression: 'zstd' } as const;
  const state = afterWindow({ until: begin, dropped: none }, begin, accepted);
  assert.deepEqual(parsePushState(JSON.stringify(state)), state);
  for (const text of ['', '[]', '{}', '{"until":1}', JSON.stringify({ ...state, until: 7 })])
    assert.equal(parsePushState(text), undefined, text);
  for (const compression of ['gzip', 7])
    assert.equal(
      parsePushState(JSON.stringify({ ...state, accepted: { ...accepted, compression } })),
      undefined,
    );
});

suite('a window of the history', () => {
  let host: RecordedHost;
  before(() => (host = new RecordedHost()));
  after(() => host[Symbol.asyncDispose]());

  test('is for root and for the account that pushes', async () => {
    const status = async (...args: Parameters<RecordedHost['answer']>) => {
      const answer = await host.answer(...args);
      return answer.ok ? 200 : answer.error.status;
    };
    const some = { kind: 'uid', uid: 999 } as const;
    assert.equal(await status(begin, some, 'bulkhead-history'), 200);
    assert.equal(await status(begin, { kind: 'token' }), 200);
    for (const account of ['bulkhead-fleet', 'alice', undefined])
      assert.equal(await status(begin, some, account), 403);
    assert.equal(await status(begin, { kind: 'jailed', uid: 999 }, 'bulkhead-history'), 403);
    for (const from of [0, begin + 1, end]) assert.equal(await status(from), 400);
  });

  test('has no tenant that got its uid later', async () => {
    host.beginning = begin + 1;
    const answer = await host.answer(begin);
    host.beginning = 0;
    assert.ok(answer.ok);
    assert.deepEqual(answer.value.tenants, []);
  });
});

type Status = readonly [number, Readonly<Record<string, string>>?];

suite('a server that', () => {
  const requests: { readonly headers: IncomingHttpHeaders; readonly body: Buffer }[] = [];
  let statuses: readonly Status[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests.push({ headers: request.headers, body: Buffer.concat(chunks) });
      const [status, headers = {}] = statuses[requests.length - 1] ?? [204];
      response.writeHead(status, headers).end(status === 204 ? '' : 'because\u001b[31m');
    });
  });
  let host: RecordedHost;
  let runs = 0;

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    host = new RecordedHost();
    host.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/write`;
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await host[Symbol.asyncDispose]();
  });

  async function push(answers: readonly Status[], text?: string) {
    statuses = answers;
    requests.length = 0;
    const directory = suiteDirectory(`pusher-${runs++}`);
    const state = { until: end - windowMilliseconds, dropped: none };
    writeFileSync(join(directory, 'pushed.json'), text ?? JSON.stringify(state));
    const problems: Problem[] = [];
    const pushed = await pushHistory({
      ask: host.answer,
      directory,
      token: 'secret',
      now: end + 31_000,
      onDropped: (problem) => void problems.push(problem),
      backoffMilliseconds: 1,
    });
    return { pushed, problems };
  }

  test('is busy is asked again', async () => {
    const { pushed } = await push([[503], [429, { 'retry-after': '0' }], [500], [204]]);
    assert.ok(pushed.ok);
    assert.equal(pushed.value.windows, 1);
    assert.equal(requests.length, 4);
    const { headers, body } = requests[0] ?? assert.fail();
    assert.equal(headers.authorization, 'Bearer secret');
    assert.equal(headers['content-encoding'], 'zstd');
    assert.match(zstdDecompressSync(body).toString('latin1'), /bulkhead_history_tenant_cpu_cores/);
  });

  test('stays busy, or does not know the token or the path, loses nothing', async () => {
    const answers = [[500], [500], [500], [500]] as const;
    for (const [status, headers] of [
      ...[401, 403, 404, 500].map((each) => [each] as const),
      [302, { location: 'https://elsewhere.example/' }] as const,
      [429, { 'retry-after': '3600' }] as const,
    ] as readonly Status[]) {
      const { pushed, problems } = await push(
        answers.map((): Status => (headers === undefined ? [status] : [status, headers])),
      );
      assert.ok(!pushed.ok);
      assert.match(pushed.error.reason, new RegExp(`status ${status}.*because`));
      assert.ok(!pushed.error.reason.includes('\u001b'));
      assert.deepEqual(problems, []);
      assert.equal(requests.length, headers?.['retry-after'] === undefined ? 4 : 1);
    }
  });

  test('refuses zstd gets snappy', async () => {
    for (const status of [400, 415]) {
      const { pushed } = await push([[status], [204]]);
      assert.ok(pushed.ok);
      assert.equal(pushed.value.windows, 1);
      assert.deepEqual(
        requests.map(({ headers }) => headers['content-encoding']),
        ['zstd', 'snappy'],
      );
    }
  });

  test('refuses a window does not get it again', async () => {
    for (const answers of [[[400], [400]], [[422]]] as const) {
      const { pushed, problems } = await push([...answers]);
      assert.ok(pushed.ok);
      assert.deepEqual(pushed.value, { windows: 0, bytes: 0, dropped: { old: 0, refused: 1 } });
      assert.equal(requests.length, answers.length);
      assert.match(problems[0]?.reason ?? '', /status 4\d\d/);
    }
  });

  test('gets the last window if the state is damaged', async () => {
    const { pushed, problems } = await push([], '{"until":');
    assert.ok(pushed.ok);
    assert.equal(pushed.value.windows, 1);
    assert.match(problems[0]?.reason ?? '', /damaged/);
  });
});
