/** `bulkhead chart`, run as a program against generated responses: the SVG, the PNG, the JSON, and what it refuses. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SaxesParser } from 'saxes';
import { withRecord } from '../../src/apply/change-record.ts';
import type { ChartJson } from '../../src/cli/commands/json.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { NewChange } from '../../src/store/changes/change-store.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { whoIs } from './agent-server.ts';
import { askingProgram, options, type Ran } from './asking-program.ts';

const asking = askingProgram('bulkhead-chart-command');

const chart = (...args: string[]) => chartIn('Europe/Berlin', ...args);

const chartIn = (timeZone: string, ...args: readonly string[]): Promise<Ran> =>
  asking.run(['chart', ...args], { TZ: timeZone });

function assertXml(text: string): void {
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.write(text).close();
}

/** 48 hours, which end on the hour. */
const period = ['--from', '2026-11-22 12:00', '--to', '2026-11-24 12:00'];

test(
  'prints one SVG with a panel for each metric, the time zone and incidents',
  options,
  async () => {
    const { status, out, err } = await chart('tenant0004', ...period);
    assert.deepEqual([status, err], [0, '']);
    assertXml(out);
    for (const each of ['CPU (', 'Memory (', 'Disk reading (', 'Disk writing (', 'Processes and'])
      assert.ok(out.includes(`>${each}`), each);
    assert.match(out, /Europe\/Berlin \(UTC\+01:00\)/);
    assert.match(out, /empty: not measured/);
    assert.match(out, /slowed|refused|ended/);
    const hostile = await chart(whoIs(7).name, ...period);
    assertXml(hostile.out);
    assert.ok(!hostile.out.includes('\u001b'));
  },
);

test('--output writes an SVG or a PNG, and replaces nothing unasked', options, async (t) => {
  const directory = testDirectory(t, 'chart');
  const picture = join(directory, 'chart.png');
  const args = ['10010', ...period, '--metric', 'cpu', '--width', '640'];
  assert.deepEqual(await chart(...args, '--output', picture), { status: 0, out: '', err: '' });
  const png = readFileSync(picture);
  assert.equal(png.subarray(1, 4).toString('latin1'), 'PNG');
  assert.equal(png.readUInt32BE(16), 640);
  const again = await chart(...args, '--output', picture);
  assert.equal(again.status, 1);
  assert.match(again.err, /it exists already; pass --force/);
  assert.equal((await chart(...args, '--output', picture, '--force')).status, 0);
  assert.ok(png.equals(readFileSync(picture)), 'the same picture has the same bytes');
  const svg = join(directory, 'chart.svg');
  assert.equal((await chart(...args, '--output', svg)).status, 0);
  assert.match(readFileSync(svg, 'utf8'), /^<svg .*width="640"/);
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'kept');
  symlinkSync(victim, join(directory, 'link.png'));
  assert.equal(
    (await chart(...args, '--force', '--output', join(directory, 'link.png'))).status,
    1,
  );
  assert.equal(readFileSync(victim, 'utf8'), 'kept');
});

test('--json has the numbers of the chart, with gaps as null', options, async () => {
  const { status, out } = await chart('10010', ...period, '--metric=cpu,threads', '--json');
  assert.equal(status, 0);
  const { who, panels, partSeconds, from, to, timeZone } = jsonOf<ChartJson>('chart', out);
  assert.equal(who.name, 'tenant0009');
  assert.deepEqual([timeZone, partSeconds, (to - from) / 3_600_000], ['Europe/Berlin', 600, 48]);
  assert.deepEqual(
    panels.map(({ metric, limit }) => [metric, limit]),
    [
      ['cpu', 1],
      ['threads', 100],
    ],
  );
  const [cpu] = panels;
  assert.deepEqual([cpu?.averages.length, cpu?.averages.slice(0, 3)], [288, [null, null, null]]);
  assert.ok((cpu?.maxima[10] ?? 0) > (cpu?.averages[10] ?? 0));
  assert.ok(panels.some(({ incidents }) => incidents.length > 0));
});

test('the limit is drawn as it was, as far as the record of changes has it', options, async (t) => {
  const paths = pathsOf('bulkhead-chart-command');
  t.after(() => rmSync(paths.state, { recursive: true, force: true }));
  const at = (time: string) => new Date(`2026-11-${time}:00+01:00`).getTime();
  const policy = (limits: string) =>
    `<bulkhead version="1"><package name="small"><cpu limit="25%"/></package>
       <tenant uid="10010"${limits}</tenant></bulkhead>`;
  const texts = [
    policy(' package="small">'),
    policy('><cpu limit="50%"/>'),
    policy('>'),
    '<bulkhead version="1"><tenat/></bulkhead>',
    policy('><cpu limit="100%"/><processes limit="100"/>'),
    policy('><cpu limit="300%"/>'),
  ];
  const times = ['22T10:00', '22T18:00', '23T06:00', '23T08:00', '23T12:00', '24T20:00'];
  for (const [index, text] of texts.entries()) {
    const before = texts[index - 1];
    const change: NewChange = {
      at: at(times[index] ?? ''),
      file: '/etc/bulkhead/policy.xml',
      ...(before !== undefined && { before }),
      text,
      way: 'set',
      outcome: text.includes('tenat') ? 'refused' : 'in force',
      problems: [],
    };
    const added = withRecord(paths, (store) => store.add(change));
    assert.ok(added.ok, JSON.stringify(added));
  }
  const { out, err } = await chart('10010', ...period, '--metric=cpu,threads', '--json');
  assert.equal(err, '');
  const [cpu, threads] = jsonOf<ChartJson>('chart', out).panels;
  const begin = at('22T12:00');
  assert.deepEqual(cpu?.limits, [
    { from: begin, limit: 0.25 },
    { from: at('22T18:00'), limit: 0.5 },
    { from: at('23T06:00') },
    { from: at('23T12:00'), limit: 1 },
  ]);
  assert.deepEqual([cpu?.limit, threads?.limits?.length, threads?.limit], [1, 2, 100]);
  const drawn = await chart('10010', ...period, '--metric=cpu');
  assertXml(drawn.out);
  assert.match(drawn.out, /limit at the time/);
  // Two lines, with a gap in which there was no limit.
  assert.match(
    drawn.out,
    /<path d="M[\d.,]+H[\d.]+V[\d.]+H[\d.]+M[\d.,]+H[\d.]+" fill="none" stroke="/,
  );
  // Nothing changed in this period, but after it.
  const past = ['--from', '2026-11-23 14:00', '--to', '2026-11-24 12:00'];
  const later = await chart('10010', ...past, '--metric=cpu', '--json');
  assert.equal(jsonOf<ChartJson>('chart', later.out).panels[0]?.limits, undefined);
  const early = ['--from', '2026-11-22 19:00', '--to', '2026-11-23 05:00'];
  const short = await chart('10010', ...early, '--metric=cpu', '--json');
  const [step, ...more] = jsonOf<ChartJson>('chart', short.out).panels[0]?.limits ?? [];
  assert.deepEqual([step?.limit, more], [0.5, []]);
});

test('a time zone that does not exist is UTC', options, async () => {
  for (const zone of ['', 'Foo/Bar']) {
    const { status, out, err } = await chartIn(zone, '10010', ...period, '--metric=cpu');
    assert.deepEqual([status, err], [0, '']);
    assert.match(out, /24 November 2026, 12:00, UTC/);
  }
});

test('draws no zeros for a metric that the host cannot measure', options, async (t) => {
  const metrics = { cpu: { average: 1, p95: 1, max: 1 } };
  const row = { ...whoIs(9), metrics, limits: {}, limitTexts: {}, faults: {} };
  asking.server.instead.set('/v1/usage', { from: 0, to: 1, measuredSeconds: 9, rows: [row] });
  t.after(() => asking.server.instead.delete('/v1/usage'));
  const { out } = await chart('10010', ...period, '--metric=cpu,cpuPressure', '--json');
  const [cpu, pressure] = jsonOf<ChartJson>('chart', out).panels;
  assert.ok(cpu?.averages.some((each) => each !== null));
  for (const values of [pressure?.averages, pressure?.maxima])
    assert.ok(values?.every((each) => each === null));
});

test('a long period has whole hours, and no part is shorter than two ticks', options, async () => {
  const month = await chart('10010', '--period=30d', '--metric=cpu', '--json');
  const { from, to, partSeconds } = jsonOf<ChartJson>('chart', month.out);
  assert.deepEqual([from % 3_600_000, to % 3_600_000, partSeconds], [0, 0, 7200]);
  const minutes = await chart('10010', '--period=10m', '--metric=cpu', '--json');
  const short = jsonOf<ChartJson>('chart', minutes.out);
  assert.deepEqual([short.partSeconds, short.panels[0]?.averages.length], [60, 10]);
});

test('refuses what it cannot draw, and writes nothing then', options, async (t) => {
  const directory = testDirectory(t, 'chart-refused');
  const rows: readonly (readonly [number, RegExp, ...string[]])[] = [
    [2, /root is not a tenant; name a tenant/],
    [2, /ends neither in \.svg nor in \.png/, '10010', '--output', join(directory, 'x.jpg')],
    [2, /No metric is called "cpus".*cpu/, '10010', '--metric', 'cpus'],
    [2, /No metric is called "memoryPeak"/, '10010', '--metric', 'memoryPeak'],
    [2, /from 360 to 4000/, '10010', '--width', '1e9'],
    [2, /from 360 to 4000/, '10010', '--width', '-5'],
    [2, /Allowed choices are light, dark/, '10010', '--theme', 'blue'],
    [2, /that is not a period/, '10010', '--period', 'long'],
    [2, /cannot be used with option/, '10010', '--json', '--output', join(directory, 'x.svg')],
  ];
  for (const [code, message, ...args] of rows) {
    const { status, out, err } = await chart(...args);
    assert.deepEqual([status, out], [code, ''], err);
    assert.match(err, message);
  }
  const gone = await chart('nobody', '--output', join(directory, 'x.svg'));
  assert.equal(gone.status, 1);
  assert.ok(!existsSync(join(directory, 'x.svg')));
});
