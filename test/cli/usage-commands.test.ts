/** The monitoring commands, run as programs against generated responses: what they request and print. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  IncidentResponse,
  IncidentsResponse,
  ProcessesResponse,
  TopResponse,
} from '../../src/agent/api/api.ts';
import type { AdviseResponse, UsageResponse } from '../../src/agent/api/usage-api.ts';
import { whoIs } from './agent-server.ts';
import { askingProgram, options, type Ran } from './asking-program.ts';
import { jsonOf } from '../../testing/json-output.ts';

const instance = 'bulkhead-usage-commands';
const asking = askingProgram(instance);

async function bulkhead(...args: string[]): Promise<Ran> {
  const ran = await asking.run(args, { NO_COLOR: '', LC_ALL: 'C.UTF-8' });
  assert.doesNotMatch(ran.err, /^\s+at /m);
  // A pipe gets no colour, and nobody's terminal gets what tenants wrote.
  assert.doesNotMatch(
    ran.out,
    // oxlint-disable-next-line no-control-regex -- these are what must not get through
    /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e]/,
  );
  return ran;
}

async function prints(...args: string[]): Promise<string> {
  const { status, out, err } = await bulkhead(...args);
  assert.deepEqual([status, err], [0, '']);
  return out;
}

const linesOf = (out: string) => out.trimEnd().split('\n');

test('top prints one table with every column when there is no terminal', options, async () => {
  const lines = linesOf(await prints('top', '-n', '5', '--sort', 'name', '--filter', 'tenant00'));
  assert.match(
    lines[1] ?? '',
    /^CPU [\d.]+ of 128 cores, memory .* of 256GiB, \d+ faults a minute$/,
  );
  assert.match(lines[3] ?? '', /TENANT .*CACHE .*IOPS .*WAIT C\/M\/I% FAULTS HIT NOW$/);
  assert.deepEqual(
    lines.slice(4).map((line) => line.trim().split(' ')[0]),
    ['tenant0000', 'tenant0001', 'tenant0002', 'tenant0003', 'tenant0004'],
  );
});

test("faults, incident and advise print the agent's answer with --json", options, async () => {
  const { incidents } = jsonOf<IncidentsResponse>('faults', await prints('faults', '--json'));
  assert.ok(incidents.length > 0);
  const incident = jsonOf<IncidentResponse>('incident', await prints('incident', '12', '--json'));
  assert.equal(incident.id, 12);
  const { tenants } = jsonOf<AdviseResponse>('advise', await prints('advise', '--json'));
  assert.ok(tenants.length > 0);
});

test('top --json prints all rows, or those of -n and --filter', options, async () => {
  const whole = jsonOf<TopResponse>('top', await prints('top', '--json', '--all'));
  assert.equal(whole.rows.length, 1001);
  assert.ok(asking.server.asked.includes('/v1/top?all=1'));
  const some = jsonOf<TopResponse>(
    'top',
    await prints('top', '--json', '-n', '3', '--filter', 'pro'),
  );
  assert.deepEqual(
    some.rows.map((row) => row.package),
    ['pro', 'pro', 'pro'],
  );
});

test('ps sorts processes by --sort', options, async () => {
  const lines = linesOf(await prints('ps', '10004', '--sort', 'pid'));
  assert.match(lines[0] ?? '', /PID +S +THREADS +CPU +MEMORY +READ +WRITE +AGE +COMMAND/);
  assert.equal(lines.length, 42);
  assert.match(lines[4] ?? '', /^100303 .*sh -c \\u\{1b\}\]0;owned\\u\{7\}/);
  assert.equal(lines[41], '… and 17 more, which use less');
  const { processes } = jsonOf<ProcessesResponse>(
    'ps',
    await prints('ps', 'tenant0003', '--json', '--sort', 'memory'),
  );
  const sizes = processes.map(({ memoryBytes }) => memoryBytes);
  assert.deepEqual(
    sizes,
    sizes.toSorted((a, b) => b - a),
  );
});

test('ps without a name is a usage error for root', options, async () => {
  const { status, err } = await bulkhead('ps');
  assert.equal(status, 2);
  assert.match(err, /root is not a tenant; name a tenant/);
});

test('usage sorts by --by, and says how many rows are left out', options, async () => {
  const lines = linesOf(await prints('usage', '-n', '3', '--by', 'memory', '--period', '10m'));
  assert.match(lines[0] ?? '', / to .*, 10m$/);
  assert.match(lines[2] ?? '', /^TENANT +AVERAGE +P95 +MAX +LIMIT +OF LIMIT +FAULTS$/);
  assert.equal(lines[6], '… and 997 more; -n shows them');
  // Their largest values are above the limit of 1 GiB, which is not left unsaid.
  assert.match(
    lines.slice(7).join(' '),
    /^ A maximum above the limit is from before the limit was lowered; or .*\.$/,
  );
  const both = await prints('usage', '-n', '1', '--by', 'io');
  assert.match(both, /READ AVERAGE .* WRITE AVERAGE .*FAULTS/);
  assert.match(both, /∞/);
  assert.match(await prints('usage', '-n', '1', '--by', 'faults'), /cpu 999, memory 2/);
});

test('usage of one tenant shows every metric with its trend', options, async () => {
  const lines = linesOf(await prints('usage', 'tenant0009'));
  assert.match(lines[2] ?? '', /^METRIC .*OF LIMIT +TREND$/);
  assert.match(lines[3] ?? '', /^CPU .* 100% .*[▁-█]{20}/);
  assert.ok(lines.some((line) => line.startsWith('I/O pressure')));
  assert.equal(lines.at(-1), 'tenant0009: 11 faults: cpu 9, memory 2');
  const sent = lines.at(-2) ?? '';
  assert.match(
    sent,
    /^tenant0009: 5\.00MiB sent by web servers since 2025-11-24 [\d:]{8} \(partial: /,
  );
  assert.ok(sent.endsWith(' was cut)') && !sent.includes('\u001b'), sent);
  assert.match(
    lines.at(-3) ?? '',
    /^tenant0009: 12 messages accepted, 3 refused, since 2025-11-24 \d\d:\d\d:\d\d$/,
  );
  const without = linesOf(await prints('usage', 'tenant0010'));
  assert.equal(
    without.at(-2),
    'tenant0010: what web servers sent is unknown: no access log of its sites shows it',
  );
  assert.equal(
    without.at(-3),
    'tenant0010: mail is unknown: only jails count it, or the count cannot be read',
  );
});

test('usage --spark requests only the series that it prints', options, async () => {
  const asked = () => asking.server.asked.filter((each) => each.startsWith('/v1/series')).length;
  const earlier = asked();
  assert.match(await prints('usage', '-n', '7', '--spark'), /TREND\n.*[▁-█]{20}/);
  assert.equal(asked() - earlier, 7);
});

test(
  'usage --csv prints one header with units, and the same fields in every line',
  options,
  async () => {
    const out = await prints('usage', '--csv', '--from', '2026-11-01', '--to', '2026-11-02');
    const lines = out.split('\r\n');
    assert.equal(lines.length, 1002);
    assert.match(
      lines[0] ?? '',
      /^from,to,name,uid,.*,cpu average \(cores\),.*,memory\.limit \(bytes\)/,
    );
    const fields = new Set(lines.slice(0, -1).map((line) => line.split(',').length));
    assert.equal(fields.size, 1);
    const json = jsonOf<UsageResponse>(
      'usage',
      await prints('usage', '--json', 'tenant0003', 'tenant0004'),
    );
    assert.deepEqual(
      new Set(json.rows.map(({ name }) => name)),
      new Set(['tenant0003', 'tenant0004']),
    );
  },
);

test('faults lists incidents, or says that there are none', options, async () => {
  const lines = linesOf(
    await prints('faults', '-n', '4', '--limit', 'memory', '--severity', 'killed'),
  );
  assert.match(lines[0] ?? '', /^ *ID +WHEN +LASTED +WHO +LIMIT +SEVERITY +FAULTS +VALUE$/);
  assert.equal(
    lines.filter((line) => /1m35s .* memory +killed +~?\d+ +100%$/.test(line)).length,
    4,
  );
  assert.match(lines.at(-1) ?? '', /^… and \d+ more/);
  assert.match(asking.server.asked.at(-1) ?? '', /limit=memory\.limit&severity=killed&count=4$/);
  await prints('faults', '--limit', 'jail');
  assert.match(asking.server.asked.at(-1) ?? '', /limit=jail\.isolation&/);
  const none = await prints('faults', 'tenant0999');
  assert.match(none, /^No limit was hit from .* to .*\n$/);
  const csv = await prints('faults', '--csv', '-n', '2');
  assert.match(
    csv,
    /^id,begin,.*\r\n1,20.*Z,tenant0001,10002,tenant,,business,memory\.limit,killed,/,
  );
});

test('incident prints what happened, and the processes', options, async () => {
  const out = await prints('incident', '12');
  assert.match(out, /^Limit +cpu 100%, from policy\.xml:12$/m);
  assert.match(out, /^Raise the limit, or make it use less\.$/m);
  assert.match(out, /^Killed: 4242 mysqld\\u\{1b\}\[0m$/m);
  assert.deepEqual(out.match(/^Refused: .*$/gm), [
    String.raw`Refused: nginx /a\u{1b}[2J to a file, which belongs to ben`,
    'Refused: nginx a link to what ben owns',
  ]);
  assert.equal(out.match(/^ +PID +S +THREADS +CPU TIME/gm)?.length, 2);
  assert.match(out, /^… and 35 more, which used less$/m);
  const { status, err } = await bulkhead('incident', '999');
  assert.equal(status, 1);
  assert.match(err, /^bulkhead: Cannot find "\/v1\/incidents\/999": nobody knows it$/m);
});

test('advise prints notable limits, all with --all, and --commands', options, async () => {
  const out = await prints('advise');
  assert.match(out, /^cpu +100000% +6400% +15\.60x +2100% +3$/m);
  assert.match(out, /^business \(333\) +memory +4GiB +1GiB +512MiB +0 +-$/m);
  assert.match(out, /^tenant0001 +cpu +50% +180% +120% +12 +-$/m);
  assert.doesNotMatch(out, /tenant0002/);
  assert.match(await prints('advise', '--all'), /^tenant0002 /m);
  const commands = linesOf(await prints('advise', '--commands'));
  assert.equal(commands[0], `bulkhead --instance ${instance} package set business memory=1GiB`);
  assert.ok(commands.includes(`bulkhead --instance ${instance} set ${whoIs(7).uid} cpu=180%`));
});

test('a wrong option value is a usage error with one clear line', options, async () => {
  const rows: readonly (readonly [words: readonly string[], expected: RegExp])[] = [
    [['usage', '--period', 'x'], /the period "x": that is not a period; use for example/],
    [['usage', '--by', 'x'], /Allowed choices are cpu/],
    [['usage', '--csv', '--json'], /cannot be used with/],
    [['faults', '--limit', 'cpux'], /did you mean "cpu"/],
    [['faults', '--severity', 'bad'], /Allowed choices are observed, throttled/],
    [['incident', '../x'], /Use a whole number/],
    [['top', '--delay', '0'], /Use a number of seconds from 0\.2/],
    [['top', '-n', '-1'], /Use a whole number/],
  ];
  for (const [words, expected] of rows) {
    const { status, err } = await bulkhead(...words);
    assert.equal(status, 2, words.join(' '));
    assert.match(err, expected);
  }
});

test('--help of every monitoring command has examples', options, async () => {
  for (const name of ['top', 'ps', 'usage', 'faults', 'incident', 'advise'])
    assert.match(await prints(name, '--help'), /Examples:\n {2}bulkhead/);
});
