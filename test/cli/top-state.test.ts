/** The effect of keys in `top`, and how its rows are chosen and drawn: without a terminal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopRow } from '../../src/agent/api/api.ts';
import { decodeKeys, flushKeys } from '../../src/cli/tui/keys.ts';
import { composeWrite } from '../../src/cli/tui/paint.ts';
import { helpFrame } from '../../src/cli/tui/help-frame.ts';
import { tenantFrame } from '../../src/cli/tui/tenant-frame.ts';
import { fitColumns } from '../../src/cli/tui/top-columns.ts';
import { listFrame, listHeight, remarkOf, sumRows } from '../../src/cli/tui/top-frame.ts';
import { selectRows, topSorts } from '../../src/cli/tui/top-rows.ts';
import { firstState, press, settle, type TopState } from '../../src/cli/tui/top-state.ts';
import { colorsIf } from '../../src/cli/shared/terminal.ts';
import { visibleWidth } from '../../src/cli/shared/width.ts';
import { topResponse } from './agent-server.ts';

const answer = topResponse(1_700_000_000_000, false);
const size = { columns: 80, rows: 24 };
const style = { colors: colorsIf(true), unicode: true };

test('decodeKeys() reads keys of every terminal, and drops unknown sequences', () => {
  const { keys, rest } = decodeKeys(
    '\u001b[A\u001bOB\u001b[5~\u001b[1~\u001bOF\r\u007fqä日\u0003\u001b[200~x\u001b[1;5C',
  );
  const expected = ['up', 'down', 'pageup', 'home', 'end', 'enter', 'backspace', 'q', 'ä', '日'];
  assert.deepEqual(keys, [...expected, 'ctrl-c', 'x']);
  assert.equal(rest, '');
});

test('decodeKeys() keeps an unfinished sequence, up to a bound', () => {
  for (const begun of ['\u001b', '\u001b[', '\u001bO', '\u001b[1;'])
    assert.deepEqual(decodeKeys(`j${begun}`), { keys: ['j'], rest: begun });
  assert.deepEqual(decodeKeys(`\u001b[${'1'.repeat(100)}`), { keys: [], rest: '' });
  assert.deepEqual(decodeKeys('\u001b\u001b[B').keys, ['escape', 'down']);
  assert.deepEqual([flushKeys('\u001b'), flushKeys('\u001b[')], [['escape'], []]);
});

function pressAll(state: TopState, ...keys: string[]): TopState {
  let now = state;
  for (const key of keys) {
    const rows = selectRows(answer.rows, now);
    const shown = { rows, height: listHeight(size), processes: 40 };
    now = press(settle(now, rows, shown.height), key, shown).state;
    now = settle(now, selectRows(answer.rows, now), shown.height);
  }
  return now;
}

test('press() reverses the order at the same sort key, and changes columns by < and >', () => {
  assert.deepEqual(topSorts, [
    'name',
    'cpu',
    'memory',
    'io',
    'iops',
    'processes',
    'database',
    'network',
    'faults',
  ]);
  assert.equal(pressAll(firstState, 'm').sort, 'memory');
  assert.equal(pressAll(firstState, 'c').reverse, true);
  assert.equal(pressAll(firstState, 'm', 'm', 'c').reverse, false);
  assert.equal(pressAll(firstState, '<', '<', '<').sort, 'name');
  assert.equal(pressAll(firstState, '>', '>', '>').sort, 'iops');
});

test('selectRows() sorts largest first, and smallest first with reverse', () => {
  for (const sort of topSorts) {
    const rows = selectRows(answer.rows, { ...firstState, sort });
    assert.equal(rows.length, answer.rows.length - 1, 'the reseller is not among the tenants');
    const back = selectRows(answer.rows, { ...firstState, sort, reverse: true });
    assert.deepEqual(back.toReversed(), rows);
  }
  const cpu = selectRows(answer.rows, firstState).map(({ usage }) => usage.cpu);
  assert.deepEqual(
    cpu,
    cpu.toSorted((a, b) => b - a),
  );
});

test('settle() keeps the cursor on its row when rows move, or at the top', () => {
  const state = pressAll(firstState, 'j', 'j', 'j');
  const who = selectRows(answer.rows, state)[state.cursor];
  const sorted = pressAll(state, 'n');
  assert.equal(selectRows(answer.rows, sorted)[sorted.cursor]?.member, who?.member);
  assert.ok(sorted.cursor >= sorted.offset && sorted.cursor < sorted.offset + listHeight(size));
  assert.equal(pressAll(firstState, 'j', 'k', 'n').cursor, 0);
});

test('settle() keeps the cursor in the list and on the screen', () => {
  const end = pressAll(firstState, 'end', 'down');
  const { length } = selectRows(answer.rows, end);
  assert.deepEqual([end.cursor, end.offset], [length - 1, length - listHeight(size)]);
  assert.deepEqual(pressAll(end, 'home', 'up').cursor, 0);
  assert.deepEqual(settle({ ...end, pinned: undefined }, [], 10).cursor, 0);
});

test('press() edits a filter of at most 64 characters, which matches packages too', () => {
  const typed = pressAll(firstState, '/', 'B', 'u', 's', 'q');
  assert.deepEqual([typed.filter, typed.typing], ['Busq', true]);
  const kept = pressAll(typed, 'backspace', 'enter');
  assert.deepEqual([kept.filter, kept.typing], ['Bus', false]);
  const packages = selectRows(answer.rows, kept).map((row) => row.package);
  assert.ok(packages.length > 0 && packages.every((each) => each === 'business'));
  assert.equal(pressAll(kept, 'escape').filter, '');
  assert.equal(pressAll(typed, ...Array<string>(500).fill('x')).filter.length, 64);
  assert.equal(pressAll(typed, 'ctrl-d', 'tab', 'up').filter, 'Busq');
});

test("press() opens a tenant or a reseller's tenants at Enter, and goes back at Esc", () => {
  const opened = pressAll(firstState, 'j', 'enter');
  assert.equal(opened.opened?.member, selectRows(answer.rows, firstState)[1]?.member);
  assert.deepEqual(pressAll(opened, 'end').processOffset, 40 - listHeight(size));
  assert.equal(pressAll(opened, 'm').processSort, 'memory');
  assert.equal(pressAll(opened, 'escape').opened, undefined);
  const theirs = pressAll(firstState, 'r', 'enter');
  assert.deepEqual([theirs.kind, theirs.of], ['tenant', 'acme']);
  assert.ok(selectRows(answer.rows, theirs).every(({ reseller }) => reseller === 'acme'));
  assert.deepEqual(pressAll(theirs, 'escape').kind, 'reseller');
});

function widthsOf(frame: readonly string[]): number {
  return Math.max(...frame.map(visibleWidth));
}

test('listFrame(), tenantFrame() and helpFrame() fill a screen of any size', () => {
  const rows = selectRows(answer.rows, firstState);
  const opened: TopState = {
    ...firstState,
    opened: { member: 'u1', uid: 1, name: 'x'.repeat(300) },
  };
  for (let columns = 1; columns <= 200; columns += 7) {
    for (const lines of [1, 2, 5, 6, 7, 24, 60]) {
      const of = { columns, rows: lines };
      for (const remark of [undefined, 'Something is wrong, '.repeat(20)]) {
        const list = listFrame({ answer, rows, state: firstState, remark }, of, style);
        for (const frame of [
          list,
          tenantFrame(opened, {}, remark, of, style),
          helpFrame(of, style),
        ]) {
          assert.equal(frame.length, lines);
          assert.ok(widthsOf(frame) <= columns, `${widthsOf(frame)} of ${columns}: ${frame[0]}`);
        }
      }
    }
  }
});

test('fitColumns() keeps the important columns when the terminal is narrow', () => {
  const titles = (width: number) => fitColumns(answer.rows, width).map(({ title }) => title);
  assert.deepEqual(titles(34), ['TENANT', 'CPU', 'MEMORY']);
  assert.deepEqual(titles(1), ['TENANT']);
  assert.deepEqual(titles(35), ['TENANT', 'CPU', 'MEMORY', 'FAULTS']);
  const usual = ['TENANT', 'CPU', 'OF LIMIT', 'MEMORY', 'READ/S', 'WRITE/S', 'PROCS', 'FAULTS'];
  assert.deepEqual(titles(80), usual);
  assert.ok(titles(120).includes('CACHE') && titles(120).includes('IOPS'));
  assert.ok(titles(160).includes('HIT NOW'));
});

test('listFrame() formats only the rows on the screen', () => {
  let formatted = 0;
  const watched = answer.rows.map((row) =>
    Object.defineProperty({ ...row }, 'limitsHit', {
      get: () => {
        formatted++;
        return row.limitsHit;
      },
    }),
  ) as TopRow[];
  const rows = selectRows(watched, firstState);
  listFrame({ answer, rows, state: firstState, remark: undefined }, size, style);
  assert.ok(formatted > 0 && formatted < 10 * size.rows, String(formatted));
});

test('listFrame() marks a limit that was hit, also without colors', () => {
  const hits = answer.rows.find(({ usage }) => usage.cpu > 0);
  assert.ok(hits !== undefined);
  const row: TopRow = { ...hits, faults: { 'cpu.limit': 12 }, limitsHit: ['cpu.limit'] };
  const plain = { colors: colorsIf(false), unicode: false };
  const draw = (each: TopRow, as: typeof style) =>
    listFrame({ answer, rows: [each], state: firstState, remark: undefined }, size, as)[5] ?? '';
  assert.match(draw(row, plain), /! 12/);
  assert.doesNotMatch(draw({ ...row, limitsHit: [] }, plain), /!/);
  assert.ok(draw(row, style).includes('\u001b[31m'));
  assert.ok(!draw({ ...row, limitsHit: [] }, style).includes('\u001b[31m'));
});

test('sumRows() counts only tenants, and memory without cache', () => {
  const { tenants, memory, cpu } = sumRows(answer.rows);
  const own = answer.rows.filter(({ kind }) => kind === 'tenant');
  assert.equal(tenants, own.length);
  const expected = own.reduce((sum, { usage }) => sum + usage.memory - usage.cache, 0);
  assert.ok(Math.abs(memory / expected - 1) < 1e-9);
  assert.ok(cpu > 0);
});

test('remarkOf() says that data is old, and why the agent does not answer', () => {
  assert.equal(remarkOf(answer, undefined, answer.at + 4000), undefined);
  assert.match(remarkOf(answer, undefined, answer.at + 30_000) ?? '', /30s ago/);
  assert.match(remarkOf(answer, 'No\u001b agent', answer.at) ?? '', /retrying: No\\u\{1b\} agent/);
});

test('composeWrite() writes only lines that differ, or all without a screen before', () => {
  const before = ['one', 'two', 'three'];
  const small = { columns: 5, rows: 3 };
  assert.equal(composeWrite(before, before, small), '');
  const changed = composeWrite(before, ['one', '2', 'three'], small);
  assert.equal(changed, '\u001b[?2026h\u001b[2;1H2\u001b[0m\u001b[K\u001b[?2026l');
  // Behind a full line the cursor stands on its last character: nothing may be erased there.
  assert.ok(composeWrite(undefined, before, small).endsWith('three\u001b[0m\u001b[?2026l'));
});

test('helpFrame() keeps all words on a narrow terminal', () => {
  const words = (columns: number) =>
    helpFrame({ columns, rows: 24 }, style).join(' ').trim().split(/\s+/);
  assert.deepEqual(words(60), words(120));
  for (const line of helpFrame({ columns: 60, rows: 24 }, style))
    assert.ok(visibleWidth(line) <= 60, line);
});
