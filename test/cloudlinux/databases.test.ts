/** The use of database servers in CloudLinux's commands: unknown is blank or absent, and never 0. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TopRow } from '../../src/agent/api/api.ts';
import type { UsageResponse, UsageRow } from '../../src/agent/api/usage-api.ts';
import { databaseTable } from '../../src/cloudlinux/commands/databases/dbtop.ts';
import { infoChoice } from '../../src/cloudlinux/commands/info-choice.ts';
import { infoJson, infoTable } from '../../src/cloudlinux/commands/info-format.ts';
import { statisticsChoice } from '../../src/cloudlinux/commands/statistics/statistics-choice.ts';
import { summaryOf } from '../../src/cloudlinux/commands/statistics/statistics-shape.ts';
import { topOf, type TopChoice } from '../../src/cloudlinux/commands/top-shape.ts';
import { lveUses } from '../../src/cloudlinux/core/lve-usage.ts';
import { value } from '../store/samples.ts';
import { topRow } from './lve-server.ts';

const usageOf = (number: number, metrics: UsageRow['metrics'], faults = 0): UsageRow => {
  const { usage: _usage, limitsHit: _hit, ...who } = topRow(number);
  return {
    ...who,
    metrics: { cpu: { average: 0.5, p95: 1, max: 1 }, ...metrics },
    limits: { 'database.cpu': 0.5 },
    faults: faults === 0 ? {} : { 'database.cpu': faults },
  };
};
const steady = (average: number) => ({ average, p95: average, max: average });
const held = usageOf(1, { databaseCpu: steady(0.48), databaseConnections: steady(3.5) }, 2);
const uncounted = usageOf(2, { databaseConnections: steady(1) });
const unknown = usageOf(3, {});
const period = { from: 0, to: new Date(2026, 10, 24, 14, 30).getTime() };
const answer: UsageResponse = {
  ...period,
  detail: 'ticks',
  measuredSeconds: 60,
  rows: [held, uncounted, unknown],
};
const asked = { percentage: '90', threshold: '1', limit: '0' };

describe('lveinfo --dbgov', () => {
  const rows = lveUses(answer).map((use) => ({ id: String(use.usage.uid), period, ...use }));

  test('has the columns that monitors read', () => {
    const { columns, choose } = value(infoChoice({ ...asked, dbgov: true, orderBy: 'cpu' }));
    const { success, data } = infoJson(columns, choose(rows));
    assert.equal(success, 1);
    assert.deepEqual(data[0], {
      TS: '2026-11-24 14:30:00',
      USER: 'user1',
      CPU: 48,
      READ: null,
      WRITE: null,
      CON: 3.5,
      lCPU: 50,
      lREAD: null,
      lWRITE: null,
      RESTRICT: 'C',
    });
    assert.deepEqual(
      data.map(({ USER, CPU, CON, RESTRICT }) => [USER, CPU, CON, RESTRICT]),
      [
        ['user1', 48, 3.5, 'C'],
        ['user2', null, 1, ''],
        ['user3', null, null, ''],
      ],
    );
    assert.match(infoTable(columns, rows, '-'), /user3 +- +- +- +- +50 /);
  });

  test('chooses rows by use and by faults', () => {
    for (const choice of [{ byUsage: ['cpu'] }, { byFault: ['any'] }]) {
      const { choose } = value(infoChoice({ ...asked, dbgov: true, ...choice }));
      assert.deepEqual(
        choose(rows).map(({ id }) => id),
        ['1001'],
      );
    }
    const { columns } = value(infoChoice({ ...asked, dbgov: true, showColumns: ['id,lcpu'] }));
    assert.deepEqual(
      columns.map(({ name }) => name),
      ['ID', 'lCPU'],
    );
    const refused = infoChoice({ ...asked, showColumns: ['mysql'] });
    assert.match(JSON.stringify(refused), /--dbgov shows the use of database servers/);
  });
});

describe('cloudlinux-statistics', () => {
  const of = (rows: readonly UsageRow[]) => {
    const choice = value(statisticsChoice({ ...asked, orderBy: 'mysql_cpu' }));
    return summaryOf({ ...answer, rows }, choice, new Map(), 0);
  };

  test('has mysql where it is known', () => {
    const { mySqlGov, users } = of(answer.rows);
    assert.equal(mySqlGov, 'enabled');
    const [first, ...others] = users;
    assert.deepEqual(first?.usage.cpu, { lve: 50, mysql: 48 });
    assert.deepEqual(first?.limits.cpu, { lve: 0, mysql: 50 });
    assert.deepEqual(first?.faults.cpu, { lve: 0, mysql: 2 });
    for (const { usage, limits, faults } of others)
      for (const cpu of [usage.cpu, limits.cpu, faults.cpu]) assert.ok(!('mysql' in (cpu ?? {})));
  });

  test('says that there is no governor where nothing is known', () => {
    assert.equal(of([unknown]).mySqlGov, 'error');
  });
});

const row = (number: number, databases: Partial<TopRow['usage']>): TopRow => ({
  ...topRow(number),
  usage: { ...topRow(number).usage, ...databases },
  limits: { ...topRow(number).limits, 'database.cpu': 0.5 },
});
const busy = row(1, { databaseCpu: 0.42, databaseConnections: 3, databasePaused: 0.25 });
const idle = row(2, { databaseCpu: 0, databaseConnections: 0, databasePaused: 0 });
const many = row(5, { databaseConnections: 7, databasePaused: 0 });

describe('cloudlinux-top', () => {
  const topWith = (rows: readonly TopRow[], changes: Partial<TopChoice> = {}) =>
    topOf(
      { at: 0, durationSeconds: 5, host: { cores: 1, memoryBytes: 1 }, rows, idle: 0 },
      { max: Infinity, orderBy: 'mysql_cpu', show: [], hidesDatabases: false, ...changes },
      () => undefined,
    );

  test('has mysql where it is known, and sorts by it', () => {
    const { mySqlGov, users } = topWith([row(3, {}), idle, busy]);
    assert.equal(mySqlGov, 'enabled');
    assert.deepEqual(
      users.map(({ id, usage }) => [id, usage.cpu?.mysql]),
      [
        [1001, 42],
        [1002, 0],
        [1003, undefined],
      ],
    );
    assert.equal(users[0]?.limit.cpu?.mysql, 50);
    assert.equal(users[0]?.usage.cpu?.all, topRow(1).usage.cpu * 100);
  });

  test('leaves it out where nothing is known, and on request', () => {
    assert.equal(topWith([row(3, {})]).mySqlGov, 'error');
    const { users } = topWith([busy], { hidesDatabases: true });
    assert.ok(!('mysql' in (users[0]?.usage.cpu ?? {})));
    const { users: few } = topWith([busy], { show: ['io'] });
    assert.deepEqual(Object.keys(few[0]?.usage ?? {}), ['io']);
  });
});

describe('dbtop', () => {
  test('shows who uses databases, and who is held', () => {
    const lines = databaseTable([idle, many, busy, row(3, {})]).split('\n');
    assert.match(lines[0] ?? '', /^USER +CPU +READ +WRITE +CON +CAUSE$/);
    assert.match(lines[1] ?? '', /^user1 +42 +- +- +3 +1\/c:cpu$/);
    assert.match(lines[2] ?? '', /^user5 +- +- +- +7 +-$/);
    assert.equal(lines.length, 3);
  });

  test('says so where nothing is known, and shows no control characters', () => {
    assert.match(databaseTable([row(3, {})]), /not known; "bulkhead db status" shows why/);
    const hostile = { ...busy, name: 'a\u001B[2Jb' };
    assert.ok(!databaseTable([hostile]).includes('\u001B'));
  });
});
