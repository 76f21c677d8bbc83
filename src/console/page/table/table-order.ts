/** The order of a table's rows. */

export interface Sorting {
  readonly key: string;
  readonly isDescending: boolean;
}

interface OrderOptions<Row> {
  readonly value: ((row: Row) => number | string) | undefined;
  readonly sorting: Sorting;
  readonly keyOf: (row: Row) => string;
  readonly groupOf: ((row: Row) => string) | undefined;
  /** The order to keep; rows that are not in it come last. */
  readonly before: readonly string[] | undefined;
}

/** Returns the rows in their order; rows that are equal stay in the order of their keys. */
export function sortedBy<Row>(rows: readonly Row[], options: OrderOptions<Row>): readonly Row[] {
  const { value, sorting, keyOf, groupOf, before } = options;
  const places = new Map(before?.map((key, at) => [key, at]));
  const direction = sorting.isDescending ? -1 : 1;
  const entries = rows.map((row) => ({
    row,
    key: keyOf(row),
    group: groupOf?.(row) ?? '',
    value: value?.(row) ?? 0,
    place: places.get(keyOf(row)) ?? Infinity,
  }));
  entries.sort(
    (a, b) =>
      (a.group === b.group ? 0 : compare(a.group, b.group)) ||
      (a.place === b.place ? 0 : a.place - b.place) ||
      direction * compare(a.value, b.value) ||
      (a.key < b.key ? -1 : 1),
  );
  return entries.map(({ row }) => row);
}

const texts = new Intl.Collator(undefined, { numeric: true });

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return texts.compare(String(a), String(b));
}
