/** The use of database servers and of the network in the tables of `top` and `usage`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { TopRow } from '../../src/agent/api/api.ts';
import type { UsageRow } from '../../src/agent/api/usage-api.ts';
import { usageCsv } from '../../src/cli/commands/usage/usage-csv.ts';
import { metricCells, sortUsage } from '../../src/cli/commands/usage/usage-rows.ts';
import { fitColumns, headerLine, rowLine, type Style } from '../../src/cli/tui/top-columns.ts';
import { selectRows } from '../../src/cli/tui/top-rows.ts';
import { firstState } from '../../src/cli/tui/top-state.ts';
import { terminalOf } from '../../src/cli/shared/terminal.ts';
import { topResponse } from './agent-server.ts';

const style: Style = { colors: terminalOf(process.stdout).colors, unicode: true };
const [first, second] = topResponse(1_763_992_900_000, true).rows;
assert.ok(first !== undefined && second !== undefined);
const database = { databaseCpu: 0.42, databaseConnections: 3, databasePaused: 0 };
const alice: TopRow = {
  ...first,
  usage: { ...first.usage, ...database },
  limits: { ...first.limits, 'database.cpu': 0.4, 'database.connections': 20 },
};
const site: TopRow = { ...second };

const textOf = (rows: readonly TopRow[], width = 200) => {
  const columns = fitColumns(rows, width);
  const lines = [
    headerLine(columns, 'cpu', style),
    ...rows.map((each) => rowLine(each, columns, style)),
  ];
  return lines.map((each) => stripVTControlCharacters(each));
};

describe('top', () => {
  test('has columns of databases where something is known of them', () => {
    const [header = '', own = '', other = ''] = textOf([alice, site]);
    assert.match(header, / DB CPU DB CONN FAULTS/);
    assert.match(own, / 42\.0%\s+3\/20 /);
    assert.match(other, /  - +- /);
    assert.doesNotMatch(textOf([site])[0] ?? '', /DB/);
    assert.doesNotMatch(textOf([alice], 80)[0] ?? '', /DB/);
  });

  test('shows the one that is known if the other is not', () => {
    const { databaseCpu: _, databaseConnections: _1, ...rest } = alice.usage;
    const counted = { ...alice, usage: { ...rest, databaseCpu: 0.42 } };
    assert.match(textOf([counted])[0] ?? '', / DB CPU FAULTS/);
    const connected = { ...alice, usage: { ...rest, databaseConnections: 3 } };
    assert.match(textOf([connected])[0] ?? '', /(?<!DB CPU) DB CONN FAULTS/);
  });

  test('shows for how long tenants were paused, if one was', () => {
    const paused = { ...alice, usage: { ...alice.usage, databasePaused: 0.25 } };
    const [header = '', own = ''] = textOf([paused]);
    assert.match(header, /DB CONN PAUSED/);
    assert.match(own, / 25\.0%/);
  });

  test('has what is sent and received, where it is counted', () => {
    const usage = { ...first.usage, sent: 2 ** 20, received: 0 };
    const sending = { ...first, usage, limits: { 'network.send': 2 ** 20 } };
    const [header = '', own = '', other = ''] = textOf([sending, site]);
    assert.match(header, / SENT\/S RECEIVED\/S FAULTS/);
    assert.match(own, / 1\.00?MiB\/s +0 /);
    assert.match(other, /  - +- /);
    const choice = { ...firstState, sort: 'network' as const };
    const kinds = [{ ...second, kind: sending.kind }, sending];
    assert.equal(selectRows(kinds, choice)[0], sending);
  });

  test('sorts by them, and what is unknown is last', () => {
    const idle = { ...second, usage: { ...second.usage, ...database, databaseCpu: 0 } };
    const order = selectRows([site, idle, alice], { ...firstState, sort: 'database' });
    assert.deepEqual(order, [alice, idle, site]);
  });
});

describe('usage', () => {
  const row = (name: string, metrics: UsageRow['metrics']): UsageRow => ({
    ...first,
    name,
    metrics,
    limits: { 'database.cpu': 0.5 },
    faults: {},
  });
  const known = { average: 0.25, p95: 0.5, max: 0.75 };

  test('shows a dash for what is unknown', () => {
    assert.deepEqual(metricCells(row('a', { databaseCpu: known }), 'databaseCpu'), [
      '25.0%',
      '50.0%',
      '75.0%',
      '50.0%',
      '50.0%',
    ]);
    assert.deepEqual(metricCells(row('a', {}), 'databaseCpu'), ['-', '-', '-', '50.0%', '-']);
  });

  test('sorts by the CPU of databases, not by a sum of units', () => {
    const many = row('many', {
      databaseCpu: { ...known, average: 0.1 },
      databaseConnections: { average: 90, p95: 99, max: 99 },
    });
    const busy = row('busy', { databaseCpu: known });
    assert.deepEqual(
      sortUsage([many, busy], 'database').map(({ name }) => name),
      ['busy', 'many'],
    );
  });

  test('has blank fields in CSV for what is unknown', () => {
    const rows = [row('a', { databaseCpu: known }), row('b', {})];
    const [header = '', own = '', other = ''] = usageCsv({
      from: 0,
      to: 1,
      detail: 'ticks',
      measuredSeconds: 1,
      rows,
    }).split(/\r?\n/);
    const at = header.split(',').findIndex((each) => each.includes('databaseCpu average'));
    assert.match(header.split(',')[at] ?? '', /cores/);
    assert.equal(own.split(',')[at], '0.25');
    assert.equal(other.split(',')[at], '');
  });
});
