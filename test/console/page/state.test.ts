/** The functions of the page that need no browser: addresses, events, the order and the visible rows of tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StatusResponse } from '../../../src/agent/api/status-response.ts';
import { sortedBy } from '../../../src/console/page/table/table-order.ts';
import { slotsOf } from '../../../src/console/page/table/row-slots.ts';
import { needsSomebody } from '../../../src/console/page/overview/needs-somebody.ts';
import { rowsInView } from '../../../src/console/page/table/table-window.ts';
import { takeEvents } from '../../../src/console/page/state/connection/sse.ts';
import { href, parseRoute } from '../../../src/console/page/state/route.ts';
import { numbersOf } from '../../../src/console/page/words/numbers.ts';

test('parseRoute() reads what href() writes, and any other text', () => {
  const text = fc
    .string({ minLength: 1, unit: 'grapheme' })
    .filter((each) => each !== '.' && each !== '..');
  fc.assert(
    fc.property(fc.array(text, { maxLength: 3 }), text, (path, value) => {
      const route = parseRoute(href(path, { value }));
      assert.deepEqual(route.path, path);
      assert.equal(route.query.get('value'), value);
    }),
  );
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (hash) => void parseRoute(hash)));
});

test('takeEvents() finds the same events however the stream is cut', () => {
  const stream = ':\n\nevent: frame\ndata: {"at":1}\n\n:\n\nevent: frame\ndata: {"at":2}\n\n';
  fc.assert(
    fc.property(fc.nat(stream.length), (cut) => {
      const first = takeEvents(stream.slice(0, cut));
      const second = takeEvents(first.rest + stream.slice(cut));
      const frames = [...first.events, ...second.events].filter(({ event }) => event === 'frame');
      assert.deepEqual(
        frames.map(({ data }) => data),
        ['{"at":1}', '{"at":2}'],
      );
      assert.equal(second.rest, '');
    }),
  );
});

test('sortedBy() keeps an order that is held, and puts new rows last', () => {
  const rows = ['a', 'b', 'c', 'd'].map((key, value) => ({ key, value }));
  const options = {
    value: ({ value }: { readonly value: number }) => value,
    sorting: { key: 'value', isDescending: true },
    keyOf: ({ key }: { readonly key: string }) => key,
    groupOf: undefined,
    before: undefined,
  };
  const keys = (before?: readonly string[]) =>
    sortedBy(rows, { ...options, before }).map(({ key }) => key);
  assert.deepEqual(keys(), ['d', 'c', 'b', 'a']);
  assert.deepEqual(keys(['b', 'a', 'gone']), ['b', 'a', 'd', 'c']);
});

test('rowsInView() has the rows of the window and some more, and never others', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e6, max: 1e4 }), fc.nat(5000), (top, count) => {
      const { first, end } = rowsInView(top, 900, count, 56);
      assert.ok(first >= 0 && first <= end && end <= count);
      const isInside = (row: number) => row >= 0 && row < count;
      for (const row of [Math.floor(-top / 56), Math.floor((900 - top) / 56)])
        if (isInside(row)) assert.ok(row >= first && row < end, String(row));
    }),
  );
});

test('slotsOf() lets rows that stay keep their key, and makes no more keys than there are rows', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(fc.array(names, { minLength: 1 }), (views) => {
      let before = new Map<string, number>();
      for (const rows of views) {
        const slots = slotsOf(rows, before);
        assert.equal(new Set(slots).size, rows.length);
        for (const [at, row] of rows.entries())
          if (before.has(row)) assert.equal(slots[at], before.get(row));
        before = new Map(rows.map((row, at) => [row, slots[at] ?? -1]));
      }
      assert.deepEqual(
        slotsOf(
          ['x', 'a'],
          new Map([
            ['a', 3],
            ['b', 7],
          ]),
        ),
        [7, 3],
      );
    }),
  );
});

test('slotsOf() gives nobody the key of the row that has the focus', () => {
  const before = new Map([
    ['alice', 0],
    ['bob', 1],
  ]);
  assert.deepEqual(slotsOf(['carol', 'dave'], before), [0, 1]);
  assert.deepEqual(slotsOf(['carol', 'dave'], before, 0), [1, 2]);
  assert.deepEqual(slotsOf(['alice', 'carol'], before, 0), [0, 1]);
});

test('needsSomebody() is true if changes that were to go back stay in force', () => {
  const status = {
    policy: { state: 'in force', problems: [] },
    placement: { state: 'on', outside: [], unknown: [] },
    history: { state: 'on' },
  } as unknown as StatusResponse;
  const { policy } = status;
  assert.equal(needsSomebody({ status }), false);
  const damaged = { ...status, policy: { ...policy, notGoingBack: 'the file was damaged' } };
  assert.equal(needsSomebody({ status: damaged }), true);
});

test('numbersOf() writes numbers as people of a language do', () => {
  const [en, de] = [numbersOf('en'), numbersOf('de')];
  assert.equal(en.bytes(620 * 2 ** 20), '620\u00a0MiB');
  assert.equal(en.bytes(1023 * 2 ** 20), '1\u00a0GiB');
  assert.equal(de.number(1234.5, 1), '1.234,5');
  assert.equal(en.bytes(Number.NaN), '0\u00a0B');
  assert.equal(en.duration(5400), '1 hr 30 min');
  assert.equal(en.count(1, { one: 'tenant', other: 'tenants' }), '1 tenant');
});
