/** Rows of the page that other members take over: making and removing rows costs more than a tick's figures. */
import { useRef } from 'preact/hooks';

/**
 * Returns a key for each row. A row that stays in view keeps its own; one that comes gets the key of one that left.
 * `focused`: the key of the row that has the focus. No other row gets it: the next key that somebody presses would act on
 * another member than the one that was chosen.
 */
export function useSlots(rows: readonly string[], focused: number | undefined): readonly number[] {
  const before = useRef<ReadonlyMap<string, number>>(new Map());
  const now = slotsOf(rows, before.current, focused);
  before.current = new Map(rows.map((row, at) => [row, now[at] ?? at]));
  return now;
}

export function slotsOf(
  rows: readonly string[],
  before: ReadonlyMap<string, number>,
  focused?: number,
): readonly number[] {
  const staying = new Set(rows);
  const free = [...before]
    .filter(([row, slot]) => !staying.has(row) && slot !== focused)
    .map(([, slot]) => slot);
  let next = Math.max(-1, ...before.values());
  return rows.map((row) => before.get(row) ?? free.shift() ?? ++next);
}
