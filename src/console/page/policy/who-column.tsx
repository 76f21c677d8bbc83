/** The column that names a tenant, with the limit of the row below. */
import type { LimitKey } from '../../../limits/limit.ts';
import type { Column } from '../table/table.tsx';
import { limitWords } from '../state/language.ts';
import { href } from '../state/route.ts';
import { policyWords } from './words.ts';

interface WhoAndLimit {
  readonly name: string;
  readonly limit: LimitKey;
}

export const whoColumn = (): Column<WhoAndLimit> => ({
  key: 'who',
  title: policyWords.value.columns.who,
  parts: 1.3,
  value: ({ name }) => name,
  cell: ({ name, limit }) => (
    <>
      <a class="name" href={href(['tenants', name])}>
        {name}
      </a>
      <span class="second quiet">{limitWords(limit)}</span>
    </>
  ),
});
