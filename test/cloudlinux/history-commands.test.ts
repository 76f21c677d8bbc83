/** `lvechart`, `lve-read-snapshot` and `lveps` on a socket that answers as the agent does. */
import assert from 'node:assert/strict';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { chartMoment } from '../../src/cloudlinux/commands/history/usage-chart.ts';
import type { LveSnapshots, LveSnapshotTimes } from '../../src/cloudlinux/commands/json.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { hitAt } from './lve-history.ts';
import { LveStage, options } from './lve-stage.ts';
import { readChart } from './panel-readers.ts';

const stage = new LveStage('bulkhead-lvehist-test');
const { run } = stage;
const period = ['--from', '2026-01-31 18:30', '--to', '2026-01-31 19:30'];

test('lvechart draws charts that a client reads the numbers back from', options, async () => {
  const { status, out, err } = await run('lvechart', '--id', '1003', ...period);
  assert.deepEqual([status, err], [0, '']);
  const charts = readChart(out);
  assert.deepEqual(
    charts.map(({ title }) => title),
    ['CPU', 'Physical memory'],
    'only resources with a limit',
  );
  const [cpu, memory] = charts;
  // 60 points, the first of which was not measured: 58 lines of use, 59 of the limit, one fault.
  assert.deepEqual(
    [cpu?.series.get('average')?.length, cpu?.series.get('limit')?.length, cpu?.faults],
    [116, 118, 1],
  );
  assert.deepEqual(cpu?.series.get('average')?.[0], { time: 'Jan-31 06:31PM', value: '100%' });
  assert.deepEqual(cpu?.series.get('limit')?.at(-1), { time: 'Jan-31 07:29PM', value: '200%' });
  assert.deepEqual(memory?.series.get('average')?.[0]?.value, '512MB');
  assert.equal(memory?.faults, 0);
});

test('lvechart draws reads and writes that are limited apart', options, async () => {
  const limited = await run('lvechart', '--id', '1005', ...period);
  assert.deepEqual([limited.status, limited.err], [0, '']);
  const [reads, ...others] = readChart(limited.out);
  assert.equal(reads?.title, 'IO, reads');
  assert.equal(reads?.series.get('limit')?.[0]?.value, '1024KB/s');
  assert.deepEqual(others, []);
  const all = await run('lvechart', '--id', '1005', ...period, '--show-all');
  assert.deepEqual(
    readChart(all.out).map(({ title }) => title),
    ['CPU', 'Physical memory', 'IO, reads', 'IOPS', 'Processes'],
  );
});

test('lvechart --show-all, --style and --output', options, async (t) => {
  const all = await run('lvechart', '--user', 'user3', ...period, '--show-all');
  assert.equal(readChart(all.out).length, 5);
  const shares = await run('lvechart', '--user=user3', ...period, '--style=user');
  assert.equal(readChart(shares.out)[0]?.series.get('average')?.[0]?.value, '50%');
  const directory = testDirectory(t, 'lvechart');
  const output = join(directory, 'chart.svg');
  const args = ['lvechart', '--id=1003', ...period, '--output'];
  assert.equal((await run(...args, output)).status, 0);
  assert.equal(readChart(readFileSync(output, 'utf8')).length, 2);
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'kept');
  symlinkSync(victim, join(directory, 'link.svg'));
  assert.equal((await run(...args, join(directory, 'link.svg'))).status, 1);
  assert.equal(readFileSync(victim, 'utf8'), 'kept');
});

test('chartMoment() has no hour 0', () => {
  assert.equal(chartMoment(new Date(2026, 0, 9, 0, 5).getTime()), 'Jan-09 12:05AM');
  assert.equal(chartMoment(new Date(2026, 11, 9, 12, 5).getTime()), 'Dec-09 12:05PM');
});

test('lve-read-snapshot shows processes, without what acts on a terminal', options, async () => {
  const { status, out, err } = await run('lve-read-snapshot', '-u', 'user3', ...period);
  assert.deepEqual([status, err], [0, '']);
  assert.match(out, /^>>> 2026-01-31T18:45:00.000Z, 1769885100, UID 1003\nFaults: cpu.limit 9 /);
  assert.match(out, /4711/);
  assert.match(out, /… and 2 more/);
  assert.equal(out.includes('\u001b'), false);
  const list = await run('lve-read-snapshot', '-i', '1003', ...period, '--list');
  assert.equal(list.out, `${hitAt / 1000}\n`);
  const json = await run('lve-read-snapshot', '-i', '1003', '-j', '--timestamp', `${hitAt / 1000}`);
  const found = jsonOf<{
    snapshots: readonly { uid: number; processes: readonly { pid: number }[] }[];
  }>('lve-read-snapshot', json.out);
  assert.deepEqual(
    found.snapshots.map(({ uid, processes }) => [uid, processes[0]?.pid]),
    [[1003, 4711]],
  );
  const later = await run('lve-read-snapshot', '-i', '1003', '-j', '--timestamp', '1769885101');
  assert.deepEqual(JSON.parse(later.out), { success: 1, snapshots: [] });
  const none = await run('lve-read-snapshot', '-i', '1003', '--period', '5m');
  assert.equal(none.out.trim(), 'No snapshots in this period');
});

test(
  'lve-read-snapshot skips incidents without snapshots, and says what it left out',
  options,
  async () => {
    stage.server.asked.length = 0;
    const args = ['lve-read-snapshot', '-u', 'user7', ...period];
    const text = await run(...args);
    assert.equal(text.status, 0, text.err);
    assert.match(text.err, /only the latest 1000 incidents were read; use a shorter period/);
    assert.equal(text.out.match(/^>>> /gm)?.length, 1);
    const asked = stage.server.asked.map(({ pathname }) => pathname);
    assert.deepEqual(asked, ['/v1/incidents', '/v1/incidents/9', '/v1/incidents/7']);
    assert.equal(stage.server.asked[0]?.searchParams.get('count'), '1000');
    const json = await run(...args, '--json');
    assert.deepEqual([json.status, json.err], [0, '']);
    const found = jsonOf<LveSnapshots>('lve-read-snapshot', json.out);
    assert.deepEqual([found.incomplete, found.snapshots.length], [true, 1]);
    const list = await run(...args, '--json', '--list');
    const times = jsonOf<LveSnapshotTimes>('lve-read-snapshot', list.out);
    assert.deepEqual([times.incomplete, times.timestamps], [true, [hitAt / 1000]]);
  },
);

test('commands say once that they wait for the agent, and not with --json', options, async () => {
  const parts = ['--id', '1003', ...period, '--time-unit', '30m'];
  stage.server.delayMilliseconds = 2_000;
  try {
    for (const command of ['lveinfo', 'cloudlinux-statistics']) {
      const text = await run(command, ...parts);
      assert.equal(text.err.match(/waiting for the agent/g)?.length, 1, text.err);
      const json = await run(command, ...parts, '--json');
      assert.deepEqual([json.status, json.err], [0, '']);
    }
    assert.equal((await run('cloudlinux-top', '--json')).err, '');
    assert.equal((await run('lve-read-snapshot', '-i', '1003', ...period, '-j')).err, '');
  } finally {
    stage.server.delayMilliseconds = 0;
  }
});

test('lveps shows tenants, and with -p their processes', options, async () => {
  const plain = await run('lveps', '-s', 'mem', '-o', 'id:10,ep,pno,tno,cpu,mem,io');
  assert.equal(plain.status, 0, plain.err);
  const [header, first] = plain.out.split('\n').map((line) => line.trim().split(/ +/).join(' '));
  assert.equal(header, 'ID EP PNO TNO CPU MEM IO');
  // User 300 has no processes, and user 299 has 49.
  assert.equal(first, 'user299 - 49 99 - 299 -');
  const now = await run('lveps', '-d', '-n', '-s', 'mem', '-o', 'id,cpu,io');
  assert.match(now.out, /^1299 +45% +449$/m);
  const processesNow = await run('lveps', '-p', '-d', '-o', 'pid,cpu,io');
  assert.match(processesNow.out, /^ *4711 +- +-$/m, 'only averages since their start are known');
  const more = await run('lveps', '-d', '-n', '-s', 'mem', '-o', 'id,iops,do,dt,tid');
  assert.match(more.out, /^ *ID +IOPS +DO +DT +TID$/m);
  assert.match(more.out, /^1299 +\d+ +- +- +-$/m);
  const first3 = await run('lveps', '-p', '-o', 'pid,tid,iops');
  assert.match(first3.out, /^ *4711 +4711 +-$/m);
  const processes = await run('lveps', '-p');
  const lines = processes.out.split('\n').map((line) => line.trim().split(/ +/).join(' '));
  assert.equal(lines[0], 'ID PID COM TNO CPU MEM IO');
  assert.ok(
    lines.includes(String.raw`user3 4711 x\u{1b}[2J 2 12 5 3`),
    processes.out.slice(0, 500),
  );
});

test('the commands say what they cannot do', options, async () => {
  const rows: readonly (readonly [code: number, message: RegExp, ...args: string[]])[] = [
    [2, /Cannot use the format "png": charts are SVG/, 'lvechart', '--id=1', '--format=png'],
    [2, /Cannot use the style "x"/, 'lvechart', '--id=1', '--style=x'],
    [2, /no tenant is named; add --user or --id/, 'lvechart'],
    [2, /Cannot show the server "other"/, 'lvechart', '--id=1', '--server=other'],
    [1, /Cannot find/, 'lvechart', '--id=4000'],
    [2, /no tenant is named; add -u or -i/, 'lve-read-snapshot'],
    [2, /Cannot use the time "1;id"/, 'lve-read-snapshot', '-i1', '--timestamp', '1;id'],
    [2, /see "bulkhead faults"/, 'lve-read-snapshot', '-i', '1003', '--stats'],
    [2, /see "bulkhead top"/, 'lveps', '-t'],
    [2, /Cannot sort by "constructor"/, 'lveps', '-s', 'constructor'],
    [2, /Cannot show the column "__proto__"/, 'lveps', '-o', '__proto__'],
  ];
  for (const [code, message, ...args] of rows) {
    const { status, out, err } = await run(...args);
    assert.deepEqual([status, out], [code, ''], args.join(' '));
    assert.match(err, message);
  }
  const json = await run('lve-read-snapshot', '--json');
  assert.deepEqual([json.status, json.err], [2, '']);
  assert.match(jsonOf<{ message: string }>('lve-read-snapshot', json.out).message, /no tenant/);
});
