/** Quantities, widths, periods and CSV as the monitoring commands print them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from '../../packages/base/problem.ts';
import { adviceCommands, isNotable, shellWord } from '../../src/cli/commands/usage/advice.ts';
import { printable } from '../../packages/base/printable.ts';
import {
  bytesRate,
  countsText,
  duration,
  percent,
  quantity,
  shortCount,
} from '../../src/cli/shared/format.ts';
import { bar, showsUnicode, sparkline } from '../../src/cli/shared/graph.ts';
import { parsePeriod } from '../../src/cli/shared/period.ts';
import { processTable } from '../../src/cli/shared/process-table.ts';
import {
  clip,
  cutTo,
  displayWidth,
  fitLeft,
  fitRight,
  visibleWidth,
} from '../../src/cli/shared/width.ts';

test('duration() returns at most two units', () => {
  const rows = [
    [0, '0s'],
    [0.44, '0.4s'],
    [9.96, '10s'],
    [59.6, '1m'],
    [192, '3m12s'],
    [7500, '2h05m'],
    [86_399.9, '1d'],
    [12 * 86_400 + 3 * 3600 + 59, '12d03h'],
    [-3, '0s'],
    [Number.NaN, '0s'],
  ] as const;
  for (const [seconds, text] of rows) assert.equal(duration(seconds), text, String(seconds));
});

test('percent(), shortCount() and rates shorten large numbers', () => {
  assert.deepEqual([0, 0.0001, 0.5, 0.9994, 1.5].map(percent), [
    '0%',
    '<0.1%',
    '50.0%',
    '99.9%',
    '150%',
  ]);
  assert.deepEqual([0, 999, 999.6, 1234, 45_000, 999_700, 3.14e6].map(shortCount), [
    '0',
    '999',
    '1.0k',
    '1.2k',
    '45k',
    '1.0M',
    '3.1M',
  ]);
  assert.deepEqual([0, 0.3, 2048].map(bytesRate), ['0', '0', '2.00KiB/s']);
  assert.deepEqual(
    [quantity('bytes', undefined), quantity('count', null), quantity('count', 2.5)],
    ['-', '-', '2.5'],
  );
  assert.equal(
    countsText({ 'memory.limit': 3, 'cpu.limit': 12, 'io.read': 0 }),
    'cpu 12, memory 3',
  );
});

test('printable() escapes control characters, and cutTo() and fitLeft() keep to the width', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 0, max: 40 }), (text, columns) => {
      const safe = printable(text);
      assert.doesNotMatch(safe, /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
      assert.ok(displayWidth(cutTo(safe, columns)) <= columns);
      assert.equal(displayWidth(fitLeft(safe, columns)), columns);
      assert.equal(displayWidth(fitRight(safe, columns)), columns);
    }),
  );
});

test('displayWidth() counts wide characters twice, and combining marks as 0', () => {
  const rows = [
    ['abc', 3],
    ['日本', 4],
    ['한국', 4],
    ['e\u0301', 1],
    ['😀', 2],
    ['ﾊ', 1],
    ['Ａ', 2],
    ['│█', 2],
    ['ä', 1],
  ] as const;
  for (const [text, width] of rows) assert.equal(displayWidth(text), width, text);
  assert.equal(visibleWidth('\u001b[31m日本\u001b[39m'), 4);
  assert.equal(clip('\u001b[31mab\u001b[39m日本', 5), '\u001b[31mab\u001b[39m日…');
  assert.equal(cutTo('日本語', 5), '日本…');
  assert.equal(cutTo('日本語', 4), '日…');
});

test('bar() and sparkline() keep their width when numbers are out of range', () => {
  for (const share of [-1, 0, 0.01, 0.5, 0.999, 1, 7, Number.NaN])
    for (const unicode of [true, false]) assert.equal(displayWidth(bar(share, 8, unicode)), 8);
  assert.equal(bar(0.5, 4, false), '##..');
  assert.equal(bar(1, 3), '███');
  assert.equal(sparkline([null, 0, 5, 10]), ' ▁▅█');
  assert.equal(sparkline([0, 5, 10], 20), '▁▃▅');
  assert.equal(sparkline([0, 0.5, 1], 20), '▁▅█');
  assert.match(sparkline([1, 2, null], undefined, false), /^[ -~]{3}$/);
  assert.equal(showsUnicode({ LC_ALL: '', LANG: 'en_US.UTF-8' }), true);
  assert.equal(showsUnicode({ LC_ALL: 'C', LANG: 'en_US.UTF-8' }), false);
});

const now = new Date(2026, 10, 24, 18, 30, 5).getTime();
const period = (options: { period?: string; from?: string; to?: string }) =>
  parsePeriod({ period: '1h', ...options }, now);

test('parsePeriod() reads lengths, calendar days and local dates', () => {
  const at = (...parts: [number, number, number, number?, number?, number?]) =>
    new Date(...parts).getTime();
  const rows = [
    [{}, now - 3_600_000, now],
    [{ period: '10m' }, now - 600_000, now],
    [{ period: '1w' }, now - 7 * 86_400_000, now],
    [{ period: '1h30m' }, now - 5_400_000, now],
    [{ period: 'today' }, at(2026, 10, 24), now],
    [{ period: 'yesterday' }, at(2026, 10, 23), at(2026, 10, 24)],
    [{ from: '2026-11-01' }, at(2026, 10, 1), now],
    [
      { from: '2026-11-01 08:30', to: '2026-11-01T09:00:30' },
      at(2026, 10, 1, 8, 30),
      at(2026, 10, 1, 9, 0, 30),
    ],
    [{ period: '2d', to: '2026-11-03' }, at(2026, 10, 3) - 2 * 86_400_000, at(2026, 10, 3)],
  ] as const;
  for (const [options, from, to] of rows)
    assert.deepEqual(period(options), { ok: true, value: { from, to } }, JSON.stringify(options));
});

test('parsePeriod() refuses an invalid period with an example of a valid one', () => {
  const rows = [
    [{ period: '0m' }, /not a period; use/],
    [{ period: '5' }, /not a period/],
    [{ period: '999999w' }, /ten years/],
    [{ period: 'today', to: '2026-11-03' }, /not a period/],
    [{ from: '2026-02-30' }, /not a date; use/],
    [{ from: '2026-11-01 25:00' }, /not a date/],
    [{ from: '11/01/2026' }, /not a date/],
    [{ from: '2026-11-25' }, /not before now/],
    [{ from: '2026-11-02', to: '2026-11-01' }, /not before 2026-11-01/],
  ] as const;
  for (const [options, expected] of rows) {
    const parsed = period(options);
    assert.ok(!parsed.ok, JSON.stringify(options));
    assert.match(formatProblem(parsed.error), expected);
  }
});

const advice = {
  member: 'u1001',
  uid: 1001,
  name: 'alice',
  kind: 'tenant',
  limit: 'cpu.limit',
  current: '100%',
  neverHit: '180%',
  onePercentHit: '120%',
  faults: 3,
} as const;

test('isNotable() is true when a limit was hit and is too low, or is twice the need', () => {
  assert.equal(isNotable(advice), true);
  assert.equal(isNotable({ ...advice, neverHit: '100%' }), false);
  assert.equal(isNotable({ ...advice, faults: 0, neverHit: '60%' }), false);
  assert.equal(isNotable({ ...advice, faults: 0, neverHit: '50%' }), true);
  assert.equal(isNotable({ ...advice, faults: 0, current: 'unlimited', neverHit: '50%' }), false);
});

test("adviceCommands() prints a line per tenant, and leaves a package's limits to it", () => {
  const memory = {
    ...advice,
    limit: 'memory.limit',
    current: '1GiB',
    neverHit: '2GiB',
    onePercentHit: '1.5GiB',
  } as const;
  const starter = {
    package: 'starter',
    tenants: 2,
    tenantsKnown: 2,
    limit: 'cpu.limit',
    current: '100%',
    neverHit: '200%',
    onePercentHit: '150%',
    faults: 9,
  } as const;
  const ofStarter = { ...advice, name: 'bob', uid: 1002, package: 'starter' };
  const lines = adviceCommands(
    [advice, memory, ofStarter, { ...ofStarter, current: '50%' }],
    [starter],
    '1%',
  );
  assert.deepEqual(lines, [
    'bulkhead package set starter cpu=150%',
    'bulkhead set alice cpu=120% memory=1.5GiB',
    'bulkhead set bob cpu=120%',
  ]);
  const [hostile] = adviceCommands(
    [{ ...advice, name: 'a\u001b[2J' }],
    [],
    'never',
    'bulkhead --instance x',
  );
  assert.equal(hostile, 'bulkhead --instance x set 1001 cpu=180%');
});

test('shellWord() quotes any text as one word', () => {
  assert.deepEqual(['alice', 'cpu=150%', '-rf', "a'; rm b", '$(x)', ''].map(shellWord), [
    'alice',
    'cpu=150%',
    "'-rf'",
    String.raw`'a'\''; rm b'`,
    "'$(x)'",
    "''",
  ]);
});

test('processTable() cuts commands to the width, and shows names without commands', () => {
  const process = {
    pid: 7,
    name: 'php-fpm',
    command: `php ${'日'.repeat(200)}`,
    state: 'R',
    threads: 2,
    cpuSeconds: 61,
    memoryBytes: 2 ** 20,
    readBytes: 0,
    writeBytes: 2048,
    ageSeconds: 3700,
  };
  for (const columns of [60, 80, 120])
    for (const line of processTable([process], columns).split('\n'))
      assert.ok(displayWidth(line) <= columns, line);
  const request = { method: 'GET', path: '/a.php', script: '/srv/a.php', seconds: 12 };
  const serving = { ...process, command: 'php-fpm: pool a', request };
  assert.match(processTable([serving]), /GET \/a\.php \(12s\): php-fpm: pool a$/m);
  const rewritten = { ...serving, request: { ...request, script: '/srv/index.php\u001b[2J' } };
  assert.match(
    processTable([rewritten]),
    /GET \/a\.php \(12s by \/srv\/index\.php\\u\{1b\}\[2J\): php-fpm: pool a$/m,
  );
  const { command: _, ...nameless } = process;
  assert.match(
    processTable([nameless]),
    /^ *7 +R +2 +1m01s +1\.00MiB +0B +2\.00KiB +1h01m +\[php-fpm\]$/m,
  );
  assert.match(processTable([{ ...process, cpu: 0.5 }]), /PID +S +THREADS +CPU +MEMORY/);
  const { cpuSeconds: _cpu, ageSeconds: _age, readBytes: _read, ...hung } = process;
  assert.match(processTable([hung]), /^ *7 +R +2 +\? +1\.00MiB +\? +2\.00KiB +\? +php/m);
});
