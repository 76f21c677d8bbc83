/** Reports between the snapshots of an incident: they are in the next one, and they are bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptReports } from '../../src/usage/incident-log.ts';

const link = (name: string) => ({
  at: 1,
  program: 'nginx',
  link: name,
  target: '',
  targetOwner: 'bob',
});
const links = (...names: readonly string[]) => ({
  requests: [],
  links: names.map((each) => link(each)),
  tries: [],
});

test('reports add up until they are taken, each incident for itself', () => {
  const [reports, one, other] = [new KeptReports(), {}, {}];
  reports.add(one, links('a'));
  reports.add(one, links('b', 'c'));
  reports.add(other, links('d'));
  assert.deepEqual(reports.take(one), links('a', 'b', 'c'));
  assert.deepEqual(reports.take(one), links());
  assert.equal(reports.has(one), false);
  assert.deepEqual(reports.take(other), links('d'));
});

test('without a report nothing is kept', () => {
  const [reports, one] = [new KeptReports(), {}];
  reports.add(one, links());
  assert.equal(reports.has(one), false);
});

test('the first twenty of each kind are kept', () => {
  const [reports, one] = [new KeptReports(), {}];
  const names = Array.from({ length: 30 }, (_, index) => `${index}`);
  for (const name of names) reports.add(one, links(name));
  assert.deepEqual(reports.take(one), links(...names.slice(0, 20)));
});
