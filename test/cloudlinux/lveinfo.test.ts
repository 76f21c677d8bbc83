/** `lveinfo` prints usage of periods from a socket that answers as the agent does. */
import assert from 'node:assert/strict';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  parseLveLength,
  parseLvePeriod,
  shortMoment,
  periodSlices,
} from '../../src/cloudlinux/commands/lve-period.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { tenants, options, LveStage } from './lve-stage.ts';

const stage = new LveStage('bulkhead-lveinfo-test');
const { run, json } = stage;
const uncounted = new LveStage('bulkhead-lveinfo-none-test', false);

interface Info {
  readonly success: number;
  readonly message?: string;
  readonly data: readonly Readonly<Record<string, string | number | null>>[];
}

test('lveinfo --json computes average, share of the limit, limit and faults', options, async () => {
  const { success, data } = await json<Info>('lveinfo', '--json', '--id', '1003', '--show-all');
  assert.equal(success, 1);
  const [row] = data;
  const { From: _from, To: _to, ...values } = row ?? {};
  assert.deepEqual(values, {
    ID: '1003',
    aCPU: 30,
    uCPU: 15,
    mCPU: 37.5,
    lCPU: 200,
    CPUf: 7,
    aEP: null,
    uEP: null,
    mEP: null,
    lEP: 20,
    EPf: 0,
    aVMem: null,
    uVMem: null,
    mVMem: null,
    lVMem: 0,
    VMemF: null,
    aPMem: 1.5 * 2 ** 20,
    uPMem: 0.15,
    mPMem: 1.875 * 2 ** 20,
    lPMem: 2 ** 30,
    PMemF: 1,
    aNproc: 1.5,
    uNproc: 1.5,
    mNproc: 1.88,
    lNproc: 100,
    NprocF: 0,
    // Reads 1536 of 4 MiB/s, writes 768 of 1 MiB/s: the writes are nearer to their limit.
    aIO: 2304,
    uIO: 0.07,
    mIO: 2880,
    lIO: 4 * 2 ** 20,
    IOf: 3,
    aIOPS: 4.5,
    uIOPS: 0.6,
    mIOPS: 5.63,
    lIOPS: 1000,
    IOPSf: 0,
    anyF: 11,
  });
});

test('lveinfo sorts, filters and limits rows', options, async () => {
  const ids = async (...args: string[]) =>
    (await json<Info>('lveinfo', '-j', ...args)).data.map((each) => each['ID']);
  assert.equal((await ids()).length, 10);
  assert.equal((await ids('-l', '0')).length, tenants);
  assert.deepEqual(await ids('-o', 'pmem', '-l', '2', '-d'), ['user300', 'user299']);
  assert.deepEqual(await ids('-o', 'any_faults', '--limit=2'), ['1005', '1003']);
  assert.deepEqual((await ids('-d', '-l', '5')).slice(2), ['user3', '1004', 'user5']);
  assert.deepEqual(await ids('--by-fault', 'any'), ['1003', '1005']);
  assert.deepEqual(await ids('--by-fault', 'ep', '-r', '12'), ['1005']);
  assert.deepEqual(await ids('--by-fault', 'CPUf', '-r', '8'), []);
  assert.deepEqual(await ids('--by-fault', 'cpu,mem'), ['1003']);
  // 9 tenths of 2 cores in half of the period is 45 %.
  const busy = await ids('-b', 'cpu', '-p', '45', '-l', '0');
  assert.equal(busy.length, tenants / 10);
  assert.deepEqual(busy.slice(0, 2), ['1009', '1019']);
  assert.deepEqual(await ids('-b', 'cpu'), []);
});

test('lveinfo prints chosen columns as CSV and as a table', options, async () => {
  const csv = await run(
    'lveinfo',
    '--user=user3',
    '--show-columns',
    'id,acpu,aPMem',
    'aEP',
    '--csv',
  );
  assert.equal(csv.out, 'ID,aCPU,aPMem,aEP\nuser3,30,1572864,-\n');
  const table = await run('lveinfo', '--id=1003', '--show-columns', 'id', 'aPMem', 'lPMem', 'EPf');
  assert.equal(table.out, 'ID    aPMem  lPMem  EPf\n1003   1.5M   1.0G    0\n');
  const brief = await run('lveinfo', '--id=1003');
  assert.equal(
    brief.out.split('\n')[0]?.split(/ +/).join(' '),
    'ID aCPU uCPU lCPU CPUf aEP uEP lEP EPf aPMem uPMem lPMem PMemF aNproc uNproc lNproc NprocF aIO uIO lIO IOf aIOPS uIOPS lIOPS IOPSf anyF',
  );
});

test('lveinfo leaves refused requests blank while nothing counts them', options, async () => {
  const args = ['--show-columns', 'id', 'aEP', 'lEP', 'EPf', 'anyF', '-l', '5'];
  const { data } = await uncounted.json<Info>('lveinfo', '-j', ...args);
  assert.deepEqual(data[0], { ID: '1001', aEP: null, lEP: 20, EPf: null, anyF: 0 });
  // What was counted earlier stays known.
  assert.deepEqual(data[4], { ID: '1005', aEP: null, lEP: 20, EPf: 12, anyF: 12 });
  const csv = await uncounted.run('lveinfo', '--id=1001', '--show-columns', 'EPf', '--csv');
  assert.equal(csv.out, 'EPf\n-\n');
});

test('lveinfo --csv FILE writes a file, and follows no symbolic link', options, async () => {
  using scratch = temporaryDirectory('lveinfo');
  const directory = scratch.path;
  const path = join(directory, 'usage.csv');
  const args = ['lveinfo', '--id=1003', '--show-columns', 'id', 'anyF', '-c'];
  for (const _again of [1, 2]) assert.equal((await run(...args, path)).status, 0);
  assert.equal(readFileSync(path, 'utf8'), 'ID,anyF\n1003,11\n');
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'kept');
  symlinkSync(victim, join(directory, 'link.csv'));
  assert.equal((await run(...args, join(directory, 'link.csv'))).status, 1);
  assert.equal(readFileSync(victim, 'utf8'), 'kept');
});

test('lveinfo --time-unit asks the agent for each part of the period', options, async () => {
  stage.server.asked.length = 0;
  const args = ['--from', '2026-01-31 18:30', '--to', '26-01-31 20:00', '--time-unit=1h'];
  const { data } = await json<Info>('lveinfo', '-j', '-u', 'user3', ...args);
  const asked = stage.server.asked.map((url) => [
    url.pathname,
    new Date(Number(url.searchParams.get('from'))).toISOString(),
    new Date(Number(url.searchParams.get('to'))).toISOString(),
    url.searchParams.get('tenant'),
    url.searchParams.get('part'),
  ]);
  assert.deepEqual(asked, [
    ['/v1/usage', '2026-01-31T18:30:00.000Z', '2026-01-31T19:30:00.000Z', 'user3', 'first'],
    ['/v1/usage', '2026-01-31T19:30:00.000Z', '2026-01-31T20:00:00.000Z', 'user3', 'last'],
  ]);
  assert.deepEqual(
    data.map((each) => [each['From'], each['To'], each['ID']]),
    [
      ['01-31 18:30', '01-31 19:30', 'user3'],
      ['01-31 19:30', '01-31 20:00', 'user3'],
    ],
  );
});

test('lveinfo exits with a status and a message when it fails', options, async () => {
  const rows: readonly (readonly [code: number, message: RegExp, ...args: string[]])[] = [
    [2, /Cannot use the period "soon": that is not a period/, '--period', 'soon'],
    [2, /"2026-02-30": that is not a date/, '-f', '2026-02-30'],
    [
      2,
      /Cannot begin at "2026-02-02": it is not before 2026-02-01/,
      '-f',
      '2026-02-02',
      '-t',
      '2026-02-01',
    ],
    [2, /Cannot use the column "cpux": there is no such column; did you mean/, '-o', 'cpux'],
    [2, /Cannot use the column "x": there is no such column/, '--show-columns', 'x'],
    [2, /Cannot choose rows by "ep": web servers report which requests they refuse/, '-b', 'ep'],
    [2, /Cannot set --limit to "-1": that is not a number/, '--limit=-1'],
    [
      2,
      /Cannot split the period: only one tenant's period can be split; add --user or --id/,
      '--time-unit=1h',
    ],
    [
      2,
      /Cannot split the period: it would have more than 10080 parts/,
      '--id=1003',
      '--period=8d',
      '--time-unit=1m',
    ],
    [1, /Cannot show tenant "nobody-here": there is none/, '-u', 'nobody-here'],
  ];
  for (const [code, message, ...args] of rows) {
    const plain = await run('lveinfo', ...args);
    assert.deepEqual([plain.status, plain.out], [code, ''], plain.err);
    assert.match(plain.err, message);
    const shaped = await run('lveinfo', '--json', ...args);
    assert.deepEqual([shaped.status, shaped.err], [code, '']);
    const { success, message: said = '', data } = jsonOf<Info>('lveinfo', shaped.out);
    assert.deepEqual([success, data], [0, []]);
    assert.match(said, message);
  }
});

test("parseLvePeriod() reads CloudLinux's periods and their parts", () => {
  const now = new Date(2026, 2, 15, 18, 30).getTime();
  const minutes = (count: number) => count * 60_000;
  const lengths: readonly (readonly [text: string, minutes: number])[] = [
    ['5m', 5],
    ['4h', 240],
    ['2d', 2880],
    ['1h30m', 90],
    ['1d12h', 2160],
    ['10', 10],
    ['3M', 3],
  ];
  for (const [text, length] of lengths) {
    assert.deepEqual(parseLveLength(text), { ok: true, value: minutes(length) }, text);
    assert.deepEqual(parseLvePeriod({ period: text }, now), {
      ok: true,
      value: { from: now - minutes(length), to: now },
    });
  }
  for (const text of ['', '0m', 'm', '5x', '-5m', '9999999d', '5m!', '1 h']) {
    assert.equal(parseLveLength(text).ok, false, text);
  }
  assert.deepEqual(parseLvePeriod({ period: 'today', from: '2020-01-01' }, now), {
    ok: true,
    value: { from: new Date(2026, 2, 15).getTime(), to: now },
  });
  assert.deepEqual(parseLvePeriod({ period: 'yesterday' }, now), {
    ok: true,
    value: { from: new Date(2026, 2, 14).getTime(), to: new Date(2026, 2, 15).getTime() },
  });
  assert.deepEqual(parseLvePeriod({}, now), {
    ok: true,
    value: { from: now - minutes(10), to: now },
  });
  for (const text of ['2026-13-01', '2026-01-01 24:00', '2026-01-01 1:60', '1-1-1', 'x', '']) {
    assert.equal(parseLvePeriod({ from: text }, now).ok, false, text);
  }
  assert.equal(shortMoment(now), '03-15 18:30');
  assert.deepEqual(periodSlices({ from: 0, to: 25 }, 10), [
    { from: 0, to: 10, part: 'first' },
    { from: 10, to: 20, part: 'middle' },
    { from: 20, to: 25, part: 'last' },
  ]);
  assert.deepEqual(periodSlices({ from: 0, to: 10 }, 10), [{ from: 0, to: 10 }]);
});
