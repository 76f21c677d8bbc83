/** The judgement of a server: advisories about its version, and its clock. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeVersion } from '../../src/fleet/core/advisories.ts';
import { clockProblem } from '../../src/fleet/io/nats/server-clock.ts';

const dangers = (version: string) =>
  judgeVersion(version).concerned.map((each) => each.slice(0, 14));
const others = (version: string) => judgeVersion(version).unconcerned.length;

test("judgeVersion() finds no danger in Debian's version, and names what is known about it", () => {
  assert.deepEqual(dangers('2.10.27'), []);
  assert.ok(others('2.10.27') >= 10);
});

test('judgeVersion() names what a host could use', () => {
  assert.deepEqual(dangers('2.10.26'), ['CVE-2025-30215']);
  assert.deepEqual(dangers('2.11.0'), ['CVE-2025-30215', 'CVE-2026-33249']);
  assert.deepEqual(dangers('2.11.14'), ['CVE-2026-33249']);
  assert.deepEqual(dangers('2.12.5'), ['CVE-2026-33249']);
  assert.match(judgeVersion('2.12.5').concerned[0] ?? '', /update to 2\.11\.15 or 2\.12\.6$/);
});

test('judgeVersion() knows series between two that were fixed, and later ones', () => {
  assert.equal(others('2.12.7'), 1);
  assert.equal(others('2.12.12'), 0);
  assert.equal(others('2.13.9'), 3);
  assert.equal(others('2.14.3'), 0);
  assert.equal(others('2.15.0'), 0);
  assert.deepEqual(judgeVersion('3.0.0'), { concerned: [], unconcerned: [] });
});

test('judgeVersion() does not take an unknown version for a good one', () => {
  assert.deepEqual(judgeVersion('dev').unconcerned, []);
  assert.match(judgeVersion('dev').concerned[0] ?? '', /not known/);
  assert.deepEqual(judgeVersion(null), { concerned: [], unconcerned: [] });
});

test('clockProblem() says how far a clock is off, and does not take silence for agreement', () => {
  const now = Date.parse('2027-01-31T12:00:00.000Z');
  assert.equal(clockProblem('2027-01-31T11:59:45.123456789Z', now), undefined);
  assert.match(clockProblem('2027-01-31T11:58:00.000Z', now) ?? '', /120 s behind/);
  assert.match(clockProblem('2027-01-31T12:02:00.000Z', now) ?? '', /120 s ahead/);
  assert.match(clockProblem(undefined, now) ?? '', /does not say/);
  assert.match(clockProblem('now', now) ?? '', /does not say/);
});
