/** The policy's changes that concern a tenant. */
import { Fragment } from 'preact';
import type { TopRow } from '../../../agent/api/api.ts';
import type { PolicyChangesResponse } from '../../../agent/api/policy-api.ts';
import { useAnswer } from '../state/answer.ts';
import { ChangedValue } from '../parts/changed-value.tsx';
import { changeAuthor, changeWords } from '../state/change-words.ts';
import { numbers } from '../state/language.ts';
import { href } from '../state/route.ts';
import { tenantWords } from './tenant-words.ts';
import { words } from './words.ts';

const shownMax = 10;
const valuesMax = 5;

export function TenantChanges({ who }: { readonly who: TopRow }) {
  const { changes: texts } = tenantWords.value;
  const { value } = useAnswer<PolicyChangesResponse>('v1/policy/changes', { tenant: who.name });
  // A session that may not see changes, or an agent that keeps no record, has nothing to show here.
  if (value === undefined) return null;
  return (
    <section class="panel">
      <h2>{texts.title}</h2>
      {value.changes.length === 0 && value.older === undefined && <p class="quiet">{texts.none}</p>}
      <ul class="list">
        {value.changes.slice(0, shownMax).map((change) => (
          <li key={change.number}>
            <span>
              {numbers.value.time(change.at, Date.now())} · {changeAuthor(change)} ·{' '}
              {words.value.outcomes[change.outcome]}
            </span>
            <span class="quiet">
              {change.values === undefined
                ? changeWords.value.valuesUnknown
                : change.values.slice(0, valuesMax).map((each, at) => (
                    <Fragment key={at}>
                      {at > 0 && ' · '}
                      <ChangedValue change={each} />
                    </Fragment>
                  ))}
              {(change.valueCount ?? 0) > valuesMax && ' …'}
            </span>
            {change.comment !== undefined && <q>{change.comment}</q>}
          </li>
        ))}
      </ul>
      {value.older !== undefined && (
        <a href={href(['policy'], { view: 'changes', tenant: who.name })}>{texts.older}</a>
      )}
    </section>
  );
}
