/** The tools above a table: a field that searches, and filters of which one is chosen. Both are in the address. */
import type { ComponentChildren } from 'preact';
import { queryOf, setQuery } from '../state/route.ts';
import { Chips, type ChipsProps } from './chips.tsx';

interface SearchChipsProps<Key extends string> extends ChipsProps<Key> {
  /** The name of the field, also shown in it while it is empty. */
  readonly search: string;
  /** More tools after the filters. */
  readonly children?: ComponentChildren;
}

export function SearchChips<Key extends string>(props: SearchChipsProps<Key>) {
  const { search, children, ...chips } = props;
  return (
    <div class="tools">
      <input
        type="search"
        class="search"
        aria-label={search}
        placeholder={search}
        value={queryOf('search')}
        maxLength={100}
        spellcheck={false}
        onInput={(event) => setQuery({ search: event.currentTarget.value })}
      />
      <Chips {...chips} />
      {children}
    </div>
  );
}
