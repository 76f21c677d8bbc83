import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  databaseCpuEvidence,
  databaseCpuIncidents,
  watchedRung,
  type DatabaseCpuEvidence,
} from '../../src/database/core/cpu-incidents.ts';
import {
  sessionEvidence,
  type SessionEvidence,
} from '../../src/database/core/use/session-incidents.ts';
import { evidenceOf, type Evidence } from '../../src/usage/evidence.ts';
import { explainIncident, incidentTitle } from '../../src/usage/explain-incident.ts';
import type { Incident } from '../../src/usage/incident.ts';
import { incidentOf, kinds, snapshotOf, whole } from '../usage/incidents.ts';
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

  test('tells that the tenants of a reseller used too much together', () => {
    const text = databaseCpuEvidence.describe([{ ...item, rung: 'reseller' }], true);
    assert.match(
      text,
      /allowed\. The tenants of its reseller used more together than the reseller may\. Its programs/,
    );
    const watched = databaseCpuEvidence.describe([{ ...item, rung: 'watched reseller' }], true);
    assert.match(
      watched,
      /more together than the reseller may\. If its limit were not only watched/,
    );
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

suite('incidents of database servers', () => {
  const told = (evidence: Evidence, changes: Partial<Incident>) => {
    const incident = incidentOf({ faults: 3, value: '50%', ...changes });
    const title = incidentTitle(incident, 'alice', { kinds });
    const text = explainIncident(incident, [snapshotOf([], {}, { evidence })], 'alice', whole);
    return [title, ...text].join('\n');
  };
  const cpu = (changes: Partial<DatabaseCpuEvidence> = {}) =>
    evidenceOf(databaseCpuEvidence, [{ ...item, ...changes }]);
  const session = (why: string, found: number) =>
    evidenceOf(sessionEvidence, [
      { at: item.at, why, account: 'alice_wp', found, statement: 'SELECT * FROM t' },
    ]);

  test('a limit that is only watched pauses nobody', () => {
    const text = told(cpu({ rung: watchedRung('freeze') }), {
      limit: 'database.cpu',
      severity: 'observed',
    });
    assert.match(text, /would have been paused for 8\.1 s in all/);
    assert.match(
      text,
      /With <databases hold="on"\/> the limit is enforced, unless the policy only observes limits\./,
    );
    assert.doesNotMatch(text, /were paused|was paused/);
    assert.match(
      databaseCpuEvidence.line({ ...item, rung: watchedRung('freeze') }),
      /pauses due: /,
    );
  });

  test('who could not be paused was not paused', () => {
    const text = told(cpu({ pausedSeconds: 0, rung: 'connections' }), { limit: 'database.cpu' });
    assert.match(text, /It could not be paused: it got a quarter of its connections/);
    assert.match(text, /\nalice was held back at a database server 3 times/);
    assert.doesNotMatch(text, /were paused/);
  });

  test('ended statements and closed connections say how much was seen', () => {
    const connections = told(session('connections', 23), {
      limit: 'database.connections',
      severity: 'refused',
      value: '20',
    });
    assert.match(connections, /alice had database connections closed 3 times/);
    assert.match(connections, /The most that was seen: one of 23 connections/);
    const killed = { limit: 'database.statement', severity: 'killed', value: '30s' } as const;
    const statement = told(session('statement', 31), killed);
    assert.match(statement, /alice had database statements ended 3 times/);
    assert.match(statement, /a statement of 31 s\. The statement there: SELECT/);
    assert.doesNotMatch(statement, /kernel/);
  });

  test('a hostile reason in the file is left out', () => {
    for (const why of ['constructor', '__proto__', 'x\n'])
      assert.equal(
        sessionEvidence.line(session(why, 1).items[0] as SessionEvidence),
        'alice_wp, SELECT * FROM t',
      );
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
