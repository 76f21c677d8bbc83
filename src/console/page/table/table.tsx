/**
 * A table of any number of rows, of which only the visible ones are in the page. All rows have the same height.
 *
 * The order is held while the pointer or the focus is in the table: what somebody looks at does not move. Sorting and
 * filtering are in the address.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { words } from '../state/language.ts';
import { queryOf, setQuery } from '../state/route.ts';
import { sortedBy, type Sorting } from './table-order.ts';
import { useSlots } from './row-slots.ts';
import { useWindow } from './table-window.ts';
import { ChooseAll, ChooseRow, type Choice } from './choice.tsx';

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** The value by which it sorts; numbers sort from the largest first. */
  readonly value?: (row: Row) => number | string;
  /** Hidden on phones. */
  readonly isWide?: boolean;
  /** Hidden on all but wide screens. */
  readonly isExtra?: boolean;
  /** The width in parts; 1 if absent. */
  readonly parts?: number;
}

interface TableProps<Row> {
  readonly caption: string;
  /** The first names the row. */
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** The column that sorts if the address says nothing. */
  readonly sort: string;
  /** The filter that decides which rows there are: a change ends the hold. */
  readonly filter?: string;
  readonly groupOf?: ((row: Row) => string) | undefined;
  readonly levelOf?: (row: Row) => string | undefined;
  /** Present if rows can be ticked. */
  readonly choice?: Choice | undefined;
  readonly empty: ComponentChildren;
}

export const rowHeight = 56;

type Item<Row> =
  | { readonly kind: 'row'; readonly row: Row; readonly key: string }
  | { readonly kind: 'group'; readonly name: string; readonly count: number; readonly key: string };

export function Table<Row>(props: TableProps<Row>) {
  const { caption, columns, rows, keyOf, empty, levelOf, choice } = props;
  const [isHeld, setHeld] = useState(false);
  const [showsAll, setShowsAll] = useState(false);
  const body = useRef<HTMLTableSectionElement>(null);
  const sorting = sortingOf(props);
  const sorted = useHeldOrder(props, sorting, isHeld);
  const items = withGroups(sorted, props);
  const { first, end } = useWindow(body, items.length, rowHeight, showsAll);
  const shown = items.slice(first, end);
  const slots = useSlots(
    shown.map(({ key }) => key),
    focusedSlot(body.current),
  );
  const widths = columns.reduce((sum, { parts = 1 }) => sum + parts, 0);
  if (rows.length === 0) return <>{empty}</>;
  return (
    <div class="table">
      <table
        aria-rowcount={items.length + 1}
        onPointerEnter={() => setHeld(true)}
        onPointerLeave={() => setHeld(false)}
        onFocusIn={() => setHeld(true)}
        onFocusOut={() => setHeld(false)}
      >
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column, at) => (
              <HeaderCell
                key={column.key}
                column={column}
                sorting={sorting}
                width={`${((column.parts ?? 1) / widths) * 100}%`}
                before={at === 0 && choice && <ChooseAll choice={choice} keys={rows.map(keyOf)} />}
              />
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          <Spacer rows={first} />
          {shown.map((item, at) => (
            <tr
              key={slots[at]}
              data-slot={slots[at]}
              aria-rowindex={first + at + 2}
              data-level={item.kind === 'row' ? levelOf?.(item.row) : 'group'}
            >
              {item.kind === 'row' ? (
                <Cells
                  columns={columns}
                  row={item.row}
                  before={choice && <ChooseRow choice={choice} name={item.key} />}
                />
              ) : (
                <th scope="rowgroup" class="group">
                  {item.name} <span class="count">{item.count}</span>
                </th>
              )}
            </tr>
          ))}
          <Spacer rows={items.length - end} />
        </tbody>
      </table>
      <p class="table-note quiet">
        <span>{isHeld && words.value.table.held}</span>
        {(showsAll || end - first < items.length) && (
          <button
            type="button"
            class="small"
            aria-pressed={showsAll}
            onClick={() => setShowsAll(!showsAll)}
          >
            {words.value.table.showAll}
          </button>
        )}
      </p>
    </div>
  );
}

/** Returns the key of the row that has the focus. */
function focusedSlot(body: HTMLElement | null): number | undefined {
  const row = document.activeElement?.closest<HTMLElement>('[data-slot]');
  return row && body?.contains(row) === true ? Number(row.dataset['slot']) : undefined;
}

const Spacer = ({ rows }: { readonly rows: number }) =>
  rows > 0 ? (
    <tr aria-hidden="true" class="spacer" style={{ blockSize: `${rows * rowHeight}px` }}>
      <td />
    </tr>
  ) : null;

interface ColumnWidth {
  readonly isWide?: boolean;
  readonly isExtra?: boolean;
}

const classOf = ({ isWide, isExtra }: ColumnWidth) =>
  isExtra === true ? 'extra' : isWide === true ? 'wide' : undefined;

interface CellsProps<Row> {
  readonly columns: readonly Column<Row>[];
  readonly row: Row;
  readonly before: ComponentChildren;
}

function Cells<Row>({ columns, row, before }: CellsProps<Row>) {
  return (
    <>
      {columns.map(({ key, cell, ...column }, at) =>
        at === 0 ? (
          <th key={key} scope="row">
            {before}
            {cell(row)}
          </th>
        ) : (
          <td key={key} class={classOf(column)}>
            {cell(row)}
          </td>
        ),
      )}
    </>
  );
}

interface HeaderCellProps<Row> {
  readonly column: Column<Row>;
  readonly sorting: Sorting;
  readonly width: string;
  readonly before: ComponentChildren;
}

function HeaderCell<Row>({ column, sorting, width, before }: HeaderCellProps<Row>) {
  const { key, title, value } = column;
  const isSorted = sorting.key === key;
  const direction = sorting.isDescending ? 'descending' : 'ascending';
  const next = isSorted ? !sorting.isDescending : undefined;
  return (
    <th
      scope="col"
      class={classOf(column)}
      style={{ inlineSize: width }}
      {...(isSorted && { 'aria-sort': direction })}
    >
      {before}
      {value === undefined ? (
        title
      ) : (
        <button type="button" onClick={() => setQuery({ sort: sortText(key, next) })}>
          {title}
          <span aria-hidden="true">{isSorted && (sorting.isDescending ? ' ↓' : ' ↑')}</span>
        </button>
      )}
    </th>
  );
}

/** `cpu`: in the direction of the column; `cpu-up` and `cpu-down`. */
const sortText = (key: string, isDescending: boolean | undefined) =>
  isDescending === undefined ? key : `${key}-${isDescending ? 'down' : 'up'}`;

function sortingOf<Row>({ columns, rows, sort }: TableProps<Row>): Sorting {
  const [, asked = '', direction] = /^([\w.]+)(?:-(up|down))?$/.exec(queryOf('sort')) ?? [];
  const key = columns.some((each) => each.key === asked && each.value) ? asked : sort;
  const value = columns.find((each) => each.key === key)?.value;
  const [first] = rows;
  const isNumber = first !== undefined && value !== undefined && typeof value(first) === 'number';
  return { key, isDescending: direction === undefined ? isNumber : direction === 'down' };
}

function useHeldOrder<Row>(
  { columns, rows, keyOf, filter = '', groupOf }: TableProps<Row>,
  sorting: Sorting,
  isHeld: boolean,
): readonly Row[] {
  const held = useRef<{ readonly keys: readonly string[]; readonly question: string }>(undefined);
  const question = `${sorting.key} ${sorting.isDescending} ${filter} ${groupOf !== undefined}`;
  const before = isHeld && held.current?.question === question ? held.current.keys : undefined;
  const value = columns.find(({ key }) => key === sorting.key)?.value;
  const sorted = sortedBy(rows, { value, sorting, keyOf, groupOf, before });
  const keys = sorted.map(keyOf);
  useEffect(() => {
    held.current = { keys, question };
  });
  return sorted;
}

function withGroups<Row>(
  rows: readonly Row[],
  { groupOf, keyOf }: TableProps<Row>,
): readonly Item<Row>[] {
  const asItem = (row: Row): Item<Row> => ({ kind: 'row', row, key: keyOf(row) });
  if (groupOf === undefined) return rows.map(asItem);
  const groups = Map.groupBy(rows, groupOf);
  return [...groups].flatMap(([name, each]) => [
    { kind: 'group' as const, name, count: each.length, key: `group ${name}` },
    ...each.map(asItem),
  ]);
}
