/** A problem that comes again and again is logged once an hour, also if others come in between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Said } from '../../src/fleet/io/said.ts';

test('problems that alternate are each said once an hour', () => {
  const said = new Said();
  const minute = 60_000;
  const heard: string[] = [];
  for (let now = 0; now < 90 * minute; now += minute)
    for (const text of ['A', 'B', `wait ${90 - now / minute} s`])
      if (said.isNew(text, now)) heard.push(`${now / minute} ${text.slice(0, 4)}`);
  assert.deepEqual(heard, ['0 A', '0 B', '0 wait', '60 A', '60 B', '60 wait']);
  said.clear();
  assert.equal(said.isNew('A', 90 * minute), true);
});

test('texts that never come again take no memory', () => {
  const said = new Said();
  for (let each = 0; each < 1_000; each++) assert.equal(said.isNew(`text ${each}`, 0), true);
  assert.equal(said.isNew('text 999', 1), false);
  assert.equal(said.isNew('text 1', 1), true);
});
