import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  databaseCpuEvidence,
  type DatabaseCpuEvidence,
} from '../../src/database/core/cpu-incidents.ts';
import { CpuLedger, type OwedUse } from '../../src/database/core/cpu-ledger.ts';
import type { Session } from '../../src/database/core/look.ts';

const session = (id: number, statement: string, cpu: number, milliseconds = 10): Session => ({
  id,
  account: 'alice',
  isLocal: true,
  isRunning: statement !== '',
  statementMilliseconds: milliseconds,
  transactionMilliseconds: undefined,
  threadCpuMicroseconds: cpu,
  statement,
});

const owed = (sessions: readonly Session[], more: Partial<OwedUse> = {}): OwedUse => ({
  uid: 1001,
  rung: 'freeze',
  usedMicroseconds: 1_400_000,
  elapsedMicroseconds: 1_000_000,
  limitFraction: 0.5,
  pausedMicroseconds: 600_000,
  sessions,
  ...more,
});

const itemsOf = (ledger: CpuLedger) =>
  ledger.take(5).flatMap(({ evidence }) => evidence.items as readonly DatabaseCpuEvidence[]);

suite('CpuLedger', () => {
  test('adds up samples into one fault, and begins anew', () => {
    const ledger = new CpuLedger('on');
    for (let at = 0; at < 12; at++)
      ledger.note([owed([session(7, `SELECT ${at} FROM t`, 1_000_000 * at)])]);
    const [fault, ...others] = ledger.take(5);
    assert.ok(fault);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [fault.member, fault.limit, fault.severity],
      ['u1001', 'database.cpu', 'throttled'],
    );
    const text = databaseCpuEvidence.describe(fault.evidence.items as DatabaseCpuEvidence[], true);
    assert.match(text, /used 140 % of a core for 12 s; 50 % are allowed\. .*paused for 7\.2 s/);
    assert.match(text, /SELECT \? FROM t/);
    assert.deepEqual(ledger.take(6), []);
  });

  test('shows at most ten statements, the one that took most first, and counts times once', () => {
    const ledger = new CpuLedger('on');
    const all = (cpu: number) =>
      Array.from({ length: 30 }, (_, id) => session(id, `SELECT a FROM t${id}`, cpu * (id + 1)));
    ledger.note([owed(all(0))]);
    ledger.note([owed(all(1_000))]);
    const items = itemsOf(ledger);
    assert.equal(items.length, 10);
    assert.equal(items[0]?.statement, 'SELECT a FROM t29');
    assert.equal(items[0]?.seconds, 2);
    assert.equal(
      items.slice(1).every(({ seconds }) => seconds === 0),
      true,
    );
  });

  test('counts a statement that still runs once, and again when it begins anew', () => {
    const ledger = new CpuLedger('on');
    for (const milliseconds of [10, 110, 210, 5])
      ledger.note([owed([session(7, 'SELECT 1', 0, milliseconds)])]);
    assert.equal(itemsOf(ledger)[0]?.seen, 2);
  });

  test('a connection of another server with the same id is another one', () => {
    const ledger = new CpuLedger('on');
    ledger.note([owed([session(7, 'SELECT 1', 1_000_000)])], 'a');
    ledger.note([owed([session(7, 'SELECT 1', 9_000_000)])], 'b');
    assert.equal(itemsOf(ledger)[0]?.statementSeconds, 0);
  });

  test('keeps few of many statements, and shows the highest rung', () => {
    const ledger = new CpuLedger('watch');
    for (let at = 0; at < 1_000; at++)
      ledger.note([
        owed([session(at, `SELECT c${at} FROM t`, 0)], at === 5 ? { rung: 'statements' } : {}),
      ]);
    const [fault] = ledger.take(1);
    assert.ok(fault);
    assert.equal(fault.severity, 'observed');
    assert.equal((fault.evidence.items as DatabaseCpuEvidence[])[0]?.rung, 'statements');
  });
});
