/**
 * The state of `top`, and how keys change it. Pure. The cursor stays on its tenant while the order changes around it;
 * on the first row it stays on top.
 */
import type { TopRow } from '../../agent/api/api.ts';
import type { Member } from '../../usage/member.ts';
import { isText, type Key } from './keys.ts';
import type { ProcessSort } from '../shared/process-table.ts';
import { topSorts, type Selection, type TopSort } from './top-rows.ts';

export interface TopState extends Selection {
  /** The tenant opened by Enter. */
  readonly opened?: Pick<TopRow, 'member' | 'uid' | 'name'> | undefined;
  readonly help: boolean;
  /** Whether keys are typed into the filter. */
  readonly typing: boolean;
  /** Whether idle tenants are included. */
  readonly all: boolean;
  readonly cursor: number;
  /** First row on the screen. */
  readonly offset: number;
  readonly pinned?: Member | undefined;
  /** First process on the screen of an opened tenant. */
  readonly processOffset: number;
  readonly processSort: ProcessSort;
}

export const firstState: TopState = {
  sort: 'cpu',
  reverse: false,
  filter: '',
  kind: 'tenant',
  help: false,
  typing: false,
  all: false,
  cursor: 0,
  offset: 0,
  processOffset: 0,
  processSort: 'cpu',
};

/** The contents of the screen when a key is pressed. */
export interface ShownTop {
  readonly rows: readonly TopRow[];
  /** The number of rows that fit. */
  readonly height: number;
  readonly processes: number;
}

/** `ask`: the new view needs data that is not loaded yet. */
export type Effect = 'quit' | 'suspend' | 'repaint' | 'ask';

interface Pressed {
  readonly state: TopState;
  readonly effect?: Effect;
}

const longestFilter = 64;

export function press(state: TopState, key: Key, shown: ShownTop): Pressed {
  const effect = effects[key];
  if (effect !== undefined) return { state, effect };
  if (state.help) return { state: { ...state, help: false } };
  if (state.typing) return { state: typeFilter(state, key) };
  if (key === 'q') return { state, effect: 'quit' };
  if (key === 'h' || key === '?') return { state: { ...state, help: true } };
  return state.opened === undefined
    ? pressInList(state, key, shown)
    : pressInTenant(state, key, shown);
}

const effects: Readonly<Record<Key, Effect>> = {
  'ctrl-c': 'quit',
  'ctrl-z': 'suspend',
  'ctrl-l': 'repaint',
};

const toTop = { cursor: 0, offset: 0, pinned: undefined } as const;

function typeFilter(state: TopState, key: Key): TopState {
  const { filter } = state;
  if (key === 'enter') return { ...state, typing: false };
  if (key === 'escape') return { ...state, ...toTop, typing: false, filter: '' };
  if (key === 'ctrl-u') return { ...state, ...toTop, filter: '' };
  if (key === 'backspace') return { ...state, ...toTop, filter: filter.replace(/.$/su, '') };
  if (!isText(key) || filter.length >= longestFilter) return state;
  return { ...state, ...toTop, filter: filter + key };
}

const sortKeys: Readonly<Record<Key, TopSort>> = {
  c: 'cpu',
  m: 'memory',
  i: 'io',
  p: 'processes',
  f: 'faults',
  n: 'name',
};

function pressInList(state: TopState, key: Key, shown: ShownTop): Pressed {
  const sort = sortKeys[key];
  if (sort !== undefined) return { state: sortBy(state, sort) };
  switch (key) {
    case '/':
      return { state: { ...state, typing: true } };
    case '<':
    case '>':
      return { state: sortBy(state, neighbour(state.sort, key === '<' ? -1 : 1)) };
    case 'r':
      return {
        state: { ...state, ...toTop, kind: toggled(state.kind, 'reseller'), of: undefined },
      };
    case 's':
      return { state: { ...state, ...toTop, kind: toggled(state.kind, 'site'), of: undefined } };
    case 'a':
      return { state: { ...state, all: !state.all }, effect: 'ask' };
    case 'enter':
      return open(state, shown.rows[state.cursor]);
    case 'escape':
    case 'backspace':
      return { state: back(state) };
    default:
      return { state: move(state, key, shown) };
  }
}

const toggled = (kind: TopState['kind'], to: TopState['kind']) => (kind === to ? 'tenant' : to);

const sortBy = (state: TopState, sort: TopSort): TopState => ({
  ...state,
  sort,
  reverse: sort === state.sort && !state.reverse,
});

function neighbour(sort: TopSort, step: number): TopSort {
  const next = topSorts.indexOf(sort) + step;
  return topSorts[Math.max(0, Math.min(topSorts.length - 1, next))] ?? sort;
}

/** Opens a row; a reseller opens as its tenants rather than its processes. */
function open(state: TopState, row: TopRow | undefined): Pressed {
  if (row === undefined) return { state };
  if (row.kind === 'reseller')
    return { state: { ...state, ...toTop, kind: 'tenant', of: row.name, filter: '' } };
  const { member, uid, name } = row;
  return { state: { ...state, opened: { member, uid, name }, processOffset: 0 }, effect: 'ask' };
}

/** Clears the filter first, then goes back from a reseller's tenants to the resellers. */
function back(state: TopState): TopState {
  if (state.filter !== '') return { ...state, ...toTop, filter: '' };
  return state.of === undefined ? state : { ...state, ...toTop, of: undefined, kind: 'reseller' };
}

/** Returns the position to which a key moves in a list; undefined if it is not a movement key. */
function moved(key: Key, from: number, height: number, length: number): number | undefined {
  const page = Math.max(1, height - 1);
  const steps: Readonly<Record<Key, number>> = {
    up: from - 1,
    k: from - 1,
    down: from + 1,
    j: from + 1,
    pageup: from - page,
    pagedown: from + page,
    ' ': from + page,
    home: 0,
    g: 0,
    end: length - 1,
    G: length - 1,
  };
  const to = steps[key];
  return to === undefined ? undefined : Math.max(0, Math.min(length - 1, to));
}

function move(state: TopState, key: Key, { rows, height }: ShownTop): TopState {
  const cursor = moved(key, state.cursor, height, rows.length);
  if (cursor === undefined) return state;
  return { ...state, cursor, pinned: cursor === 0 ? undefined : rows[cursor]?.member };
}

const processSortKeys: Readonly<Record<Key, ProcessSort>> = { c: 'cpu', m: 'memory', i: 'io' };

function pressInTenant(state: TopState, key: Key, { height, processes }: ShownTop): Pressed {
  if (key === 'escape' || key === 'backspace') return { state: { ...state, opened: undefined } };
  const processSort = processSortKeys[key];
  if (processSort !== undefined) return { state: { ...state, processSort, processOffset: 0 } };
  const to = moved(key, state.processOffset, height, processes);
  if (to === undefined) return { state };
  return { state: { ...state, processOffset: Math.min(to, Math.max(0, processes - height)) } };
}

/** Puts the cursor on its row and the row on the screen, after the rows or the screen have changed. */
export function settle(state: TopState, rows: readonly TopRow[], height: number): TopState {
  const found =
    state.pinned === undefined ? -1 : rows.findIndex(({ member }) => member === state.pinned);
  const cursor = Math.max(0, Math.min(rows.length - 1, found === -1 ? state.cursor : found));
  const room = Math.max(1, height);
  const lowest = Math.max(0, cursor - room + 1);
  const offset = Math.max(lowest, Math.min(cursor, state.offset, Math.max(0, rows.length - room)));
  return cursor === state.cursor && offset === state.offset ? state : { ...state, cursor, offset };
}
