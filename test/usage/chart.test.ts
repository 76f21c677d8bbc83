/** The picture of a tenant's use: what is in it, and that nobody's name gets out of its text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SaxesParser } from 'saxes';
import type { ChartIncident } from '../../src/usage/chart/bands.ts';
import type { ChartPanel } from '../../src/usage/chart/panel.ts';
import { runsOf, xOf, yOf } from '../../src/usage/chart/plot.ts';
import { fitText, textWidth, wrapText } from '../../src/usage/chart/text.ts';
import { lengthText, periodText, timeTicks } from '../../src/usage/chart/time-axis.ts';
import { themeNames, themes } from '../../src/usage/chart/theme.ts';
import { usageChartSvg, type UsageChart } from '../../src/usage/chart/usage-chart.ts';
import { valueAxis, valueText } from '../../src/usage/chart/value-axis.ts';
import { metricKeys } from '../../src/usage/metrics.ts';

const hour = 3_600_000;
const from = Date.UTC(2026, 10, 24, 12);

const incident = (id: number, severity: ChartIncident['severity'], begin: number, end: number) => ({
  id,
  severity,
  begin: from + begin * hour,
  end: from + end * hour,
  faults: 3,
});

const cpu: ChartPanel = {
  metric: 'cpu',
  averages: [0.5, null, 1, 0],
  maxima: [0.75, null, 1, 0],
  whole: { average: 0.5, max: 1 },
  limit: 1,
  incidents: [],
};

const chart: UsageChart = {
  host: 'web7.example.net',
  from,
  to: from + 4 * hour,
  timeZone: 'UTC',
  panels: [cpu],
  notes: [],
};

const look = { name: 'alice', width: 900, theme: 'light' } as const;

interface Parsed {
  readonly names: ReadonlySet<string>;
  readonly attributes: readonly (readonly [string, string])[];
  readonly texts: readonly string[];
  readonly paths: readonly string[];
}

/** Reads it as a browser does, which refuses what is not well-formed. */
function parse(svg: string): Parsed {
  const [names, texts] = [new Set<string>(), [] as string[]];
  const attributes: (readonly [string, string])[] = [];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes: own }) => {
    names.add(name);
    attributes.push(...Object.entries(own));
  });
  parser.on('text', (text) => texts.push(text));
  parser.write(svg).close();
  const paths = attributes.flatMap(([key, value]) => (key === 'd' ? [value] : []));
  return { names, attributes, texts: texts.filter((each) => each.trim() !== ''), paths };
}

test('usageChartSvg() says who, where, when, which zone and in which unit', () => {
  const { texts } = parse(usageChartSvg({ ...chart, timeZone: 'Europe/Berlin' }, look));
  for (const each of [
    'Use of alice on web7.example.net',
    'alice',
    'on web7.example.net',
    '24 November 2026, 13:00 to 24 November 2026, 17:00, Europe/Berlin (UTC+01:00)',
    'CPU (percent of one core)',
    'average 50 %, highest 100 %, limit now 100 %',
    'average of each hour',
    'empty: not measured',
  ])
    assert.ok(texts.includes(each), `${each} is not in ${texts.join(' | ')}`);
});

test('usageChartSvg() leaves a gap where nothing was measured, and draws zero where it was', () => {
  const [area = '', line = ''] = parse(usageChartSvg(chart, look)).paths;
  for (const path of [area, line]) assert.equal(path.match(/M/g)?.length, 2, path);
  // Steps as wide as a part: the plot is 64 to 848, so that a part is 196 wide.
  assert.match(line, /^M64,[\d.]+V[\d.]+H260M456,[\d.]+V[\d.]+H652V[\d.]+H848$/);
  assert.deepEqual(runsOf([1, null, null, 0, 2, null]), [
    { first: 0, values: [1] },
    { first: 3, values: [0, 2] },
  ]);
});

test('usageChartSvg() draws nothing for a metric that was not measured, and says so', () => {
  const { whole: _, ...rest } = { ...cpu, averages: [null, null], maxima: [null, null] };
  const { texts, paths } = parse(usageChartSvg({ ...chart, panels: [rest] }, look));
  assert.deepEqual(paths, []);
  assert.ok(texts.includes('not measured'));
  assert.ok(texts.includes('not measured, limit now 100 %'));
});

test('usageChartSvg() has a word next to every color of an incident', () => {
  const incidents = [
    incident(1, 'throttled', 0, 1),
    incident(2, 'refused', 2, 2.1),
    incident(3, 'killed', 3.5, 3.5),
    incident(4, 'observed', 3.51, 3.52),
  ];
  const { texts } = parse(usageChartSvg({ ...chart, panels: [{ ...cpu, incidents }] }, look));
  // The legend, and the words above bands; the last two have no room for a word each.
  for (const word of ['slowed', 'refused'])
    assert.equal(texts.filter((each) => each === word).length, 2, word);
  for (const word of ['ended', 'observed only', 'ended, observed only'])
    assert.equal(texts.filter((each) => each === word).length, 1, word);
  assert.ok(
    texts.some((each) => each.includes('incidents ended: 1, refused: 1, slowed: 1, observed')),
    texts.join('\n'),
  );
  const slowed = 'slowed, 24 November 2026, 12:00 to 24 November 2026, 13:00';
  assert.ok(texts.includes(slowed), texts.join('\n'));
});

test('usageChartSvg() never lets words of incidents overlap', () => {
  const incidents = Array.from({ length: 300 }, (_, id) =>
    incident(
      id,
      id % 7 === 0 ? 'killed' : 'throttled',
      ((id * 37) % 240) / 60,
      ((id * 37) % 240) / 60,
    ),
  );
  for (const width of [360, 900, 4000]) {
    const svg = usageChartSvg({ ...chart, panels: [{ ...cpu, incidents }] }, { ...look, width });
    const words = [
      ...svg.matchAll(
        /<text x="([\d.]+)" y="[\d.]+" font-size="11" [^>]*>((?:ended|slowed)[^<]*)</g,
      ),
    ].map(([, x, text = '']) => {
      const half = textWidth(text, 11) / 2;
      return { left: Number(x) - half, right: Number(x) + half, text };
    });
    assert.ok(words.length > 0);
    for (const [index, word] of words.entries()) {
      const next = words[index + 1];
      assert.ok(word.left >= 63 && word.right <= width - 51, `${word.text} leaves the plot`);
      if (next !== undefined) assert.ok(word.right < next.left, `${word.text} and ${next.text}`);
    }
  }
});

test('usageChartSvg() keeps hostile names as text, without scripts or references', () => {
  const name = '</text><script>alert(1)</script><image href="http://x"/>&\u001b[2J\u202e"\'';
  const hostile = { ...chart, host: name, notes: [name] };
  for (const theme of themeNames) {
    const { names, attributes, texts } = parse(usageChartSvg(hostile, { ...look, name, theme }));
    const allowed = ['svg', 'title', 'desc', 'rect', 'g', 'line', 'path', 'text'];
    for (const each of names) assert.ok(allowed.includes(each), each);
    for (const [key, value] of attributes) {
      assert.doesNotMatch(key, /^on|href|src|style/);
      if (key !== 'xmlns') assert.doesNotMatch(value, /url\(|:\/\//);
    }
    // oxlint-disable-next-line no-control-regex -- these are what must not get through
    for (const each of texts) assert.doesNotMatch(each, /[\u0000-\u001f\u202a-\u202e]/);
  }
});

test('usageChartSvg() can be read by people who do not see it', () => {
  const svg = usageChartSvg(chart, look);
  assert.match(
    svg,
    /^<svg [^>]*role="img" aria-labelledby="bulkhead-chart-title bulkhead-chart-desc"/,
  );
  assert.match(svg, /<title id="bulkhead-chart-title">Use of alice on web7.example.net<\/title>/);
  const sentence = 'CPU: average 50 %, highest 100 %, limit now 100 %, no incidents.';
  assert.match(svg, new RegExp(`<desc id="bulkhead-chart-desc">.*${sentence}`));
});

test('text and lines contrast with the background', () => {
  for (const name of themeNames) {
    const theme = themes[name];
    for (const text of [theme.text, theme.quiet])
      assert.ok(contrast(text, theme.background) >= 4.5, `${name} ${text}`);
    for (const line of [theme.average, theme.limit])
      assert.ok(contrast(line, theme.background) >= 3, `${name} ${line}`);
  }
});

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [a, b].map(luminance).toSorted((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: string): number {
  const parts = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) / 255);
  const [r = 0, g = 0, b = 0] = parts.map((each) =>
    each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

test('valueAxis() has few lines, at round values, up to the highest value', () => {
  const gibibyte = valueAxis('memory', 2 ** 30);
  assert.equal(gibibyte.words, 'mebibytes');
  assert.deepEqual(
    gibibyte.ticks.map(({ label }) => label),
    ['0', '256', '512', '768', '1,024'],
  );
  for (const metric of metricKeys)
    for (const max of [0, 1e-9, 0.3, 1, 7, 99, 1001, 2 ** 31, 1e18]) {
      const { highest, ticks } = valueAxis(metric, max);
      assert.ok(highest >= max * (1 - 1e-6) && highest > 0, `${metric} ${max}`);
      assert.ok(ticks.length >= 2 && ticks.length <= 6, `${metric} ${max}`);
      assert.equal(new Set(ticks.map(({ label }) => label)).size, ticks.length, `${metric} ${max}`);
    }
  assert.equal(valueText('memory', 620 * 2 ** 20), '620 MiB');
  assert.equal(valueText('read', 0), '0 bytes/s');
  assert.equal(valueText('cpu', 1.5), '150 %');
});

test('timeTicks() follows the clocks of a zone', () => {
  const dayAt = Date.UTC(2026, 9, 24, 22);
  // Clocks in Berlin are set back on 25 October 2026: that day has 25 hours.
  const ticks = timeTicks({ from: dayAt, to: dayAt + 73 * hour }, 'Europe/Berlin', 4);
  assert.deepEqual(ticks, [
    { at: dayAt, label: '25 Oct' },
    { at: dayAt + 25 * hour, label: '26 Oct' },
    { at: dayAt + 49 * hour, label: '27 Oct' },
    { at: dayAt + 73 * hour, label: '28 Oct' },
  ]);
  // Clocks are set forward on 28 March 2027, from 02:00 to 03:00: no clock shows 02:00.
  const night = Date.UTC(2027, 2, 28);
  assert.deepEqual(timeTicks({ from: night, to: night + 2 * hour }, 'Europe/Berlin', 3), [
    { at: night, label: '01:00' },
    { at: night + hour, label: '03:00' },
    { at: night + 2 * hour, label: '04:00' },
  ]);
  const kathmandu = timeTicks({ from, to: from + 4 * hour }, 'Asia/Kathmandu', 4);
  assert.deepEqual(
    kathmandu.map(({ label }) => label),
    ['18:00', '19:00', '20:00', '21:00'],
  );
  for (const length of [1, 60_000, hour, 24 * hour, 400 * 24 * hour, 3660 * 24 * hour])
    assert.ok(timeTicks({ from, to: from + length }, 'UTC', 6).length <= 7, String(length));
  assert.match(
    periodText({ from: dayAt, to: dayAt + 73 * hour }, 'Europe/Berlin'),
    /Europe\/Berlin \(UTC\+02:00, then UTC\+01:00\)$/,
  );
  assert.equal(lengthText(300_000), '5 minutes');
  assert.equal(lengthText(hour), 'hour');
  assert.equal(lengthText(2 * hour), '2 hours');
});

test('text is cut and wrapped before it leaves the picture', () => {
  const long = 'W'.repeat(300);
  for (const each of [fitText(long, 12, 200), ...wrapText(`a ${long} b c`, 12, 200)])
    assert.ok(textWidth(each, 12) <= 200, each);
  assert.deepEqual(wrapText('one two', 12, 30), ['one', 'two']);
});

test('moments and values outside the plot are at its edges', () => {
  const plot = { left: 10, top: 20, width: 100, height: 50, from: 0, to: 10, highest: 4 };
  assert.deepEqual([xOf(plot, -5), xOf(plot, 5), xOf(plot, 50)], [10, 60, 110]);
  assert.deepEqual([yOf(plot, 9), yOf(plot, 1), yOf(plot, -1)], [20, 57.5, 70]);
});
