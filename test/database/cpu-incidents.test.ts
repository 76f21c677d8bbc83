import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  databaseCpuEvidence,
  databaseCpuIncidents,
  type DatabaseCpuEvidence,
} from '../../src/database/core/cpu-incidents.ts';
import { withoutLiterals } from '../../src/database/core/statement-text.ts';

const item: DatabaseCpuEvidence = {
  at: 1_764_547_200_000,
  seconds: 12,
  usedSeconds: 16.8,
  limit: 0.5,
  pausedSeconds: 8.1,
  rung: 'freeze',
  statement: 'SELECT option_value FROM wp_options WHERE name = ?',
  seen: 92,
  statementSeconds: 10.12,
};

suite('databaseCpuEvidence', () => {
  test('tells what was used and allowed, for how long it paused, and what took most', () => {
    assert.equal(
      databaseCpuEvidence.describe([item], true),
      'Its database statements used 140 % of a core for 12 s; 50 % are allowed. Its programs with a connection to the server were paused for 8.1 s in all, in slices of at most 1 s. The statement that took most: SELECT option_value FROM wp_options WHERE name = ?, seen 92 times, 0.11 s each.',
    );
  });

  test('adds up several, and tells of the last rung', () => {
    const more = { ...item, seconds: 8, usedSeconds: 3.2, pausedSeconds: 0, rung: 'statements' };
    const text = databaseCpuEvidence.describe([item, more], true);
    assert.match(
      text,
      /^Its database statements used 100 % of a core for 20 s; 50 % are allowed\./,
    );
    assert.match(text, /the statements that used most were ended/);
  });

  test('shows statements only to root and the tenant', () => {
    assert.doesNotMatch(databaseCpuEvidence.describe([item], false), /wp_options/);
    assert.equal(databaseCpuEvidence.redact(item).statement, '');
  });

  test('numbers may be zero', () => {
    const none = { ...item, seconds: 0, usedSeconds: 0, pausedSeconds: 0, seen: 0 };
    assert.doesNotMatch(databaseCpuEvidence.describe([none], true), /NaN|Infinity/);
    assert.equal(databaseCpuEvidence.line(none).includes('NaN'), false);
  });

  test('an observed fault says that nothing was paused', () => {
    const happened = databaseCpuIncidents.happened?.({ severity: 'observed', faults: 2 }, [item]);
    assert.equal(happened, 'used more of a database server than allowed twice');
  });
});

suite('withoutLiterals()', () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      "SELECT * FROM t WHERE a = 'eve' AND id IN (1, 2, 3)",
      'SELECT * FROM t WHERE a = ? AND id IN (?)',
    ],
    ["SELECT 'it''s', \"a\\\"b\"", 'SELECT ?'],
    ["SET PASSWORD = 'secr", 'SET PASSWORD = ?'],
    [
      'SELECT `a 1`, t1.c2 FROM t1 -- hidden\nWHERE x=0xff',
      'SELECT `a 1`, t1.c2 FROM t1 WHERE x=?',
    ],
    ['SELECT /* pass: x */ 1.5e3', 'SELECT ?'],
    ["INSERT INTO t VALUES (1, 'a'), (2, 'b')", 'INSERT INTO t VALUES (?), (?)'],
    ["SELECT '\\", 'SELECT ?'],
  ];
  for (const [statement, shown] of cases)
    test(JSON.stringify(statement), () => assert.equal(withoutLiterals(statement), shown));

  test('shows no text in quotation marks, wherever it is cut', () => {
    const secret = 'hunter_two';
    const statement = `UPDATE t SET p = '${secret}', q = "${secret}" WHERE r = '\\'${secret}'`;
    fc.assert(
      fc.property(fc.nat({ max: statement.length }), (at) => {
        const shown = withoutLiterals(statement.slice(0, at));
        assert.equal(/hunt|two/.test(shown), false, shown);
      }),
    );
  });

  test('ends for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        assert.equal(withoutLiterals(text).includes('\n'), false);
      }),
    );
  });
});
