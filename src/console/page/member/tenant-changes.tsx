/** The policy's changes that concern a tenant. */
import type { TopRow } from '../../../agent/api/api.ts';
import type { PolicyChange, PolicyChangesResponse } from '../../../agent/api/policy-api.ts';
import type { ValueChange } from '../../../policy/changes/describe.ts';
import { useAnswer } from '../state/answer.ts';
import { numbers } from '../state/language.ts';
import { words } from './words.ts';

const shownMax = 10;
const valuesMax = 5;

export function TenantChanges({ who }: { readonly who: TopRow }) {
  const { changes: texts } = words.value.tenant;
  const { value } = useAnswer<PolicyChangesResponse>('v1/policy/changes', { tenant: who.name });
  // A session that may not see changes, or an agent that keeps no record, has nothing to show here.
  if (value === undefined) return null;
  return (
    <section class="panel">
      <h2>{texts.title}</h2>
      {value.changes.length === 0 && <p class="quiet">{texts.none}</p>}
      <ul class="list">
        {value.changes.slice(0, shownMax).map((change) => (
          <li key={change.number}>
            <span>
              {numbers.value.time(change.at, Date.now())} · {authorOf(change)} ·{' '}
              {texts.outcomes[change.outcome]}
            </span>
            <span class="quiet">
              {change.values === undefined
                ? texts.unknown
                : change.values.slice(0, valuesMax).map(valueText).join(' · ')}
              {(change.valueCount ?? 0) > valuesMax && ' …'}
            </span>
            {change.comment !== undefined && <q>{change.comment}</q>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function authorOf({ by, user }: PolicyChange): string {
  const { changes: texts } = words.value.tenant;
  const name = user ?? texts.somebody;
  if (by === 'console' || by === 'command') return texts.by[by](name);
  return texts.by[by];
}

function valueText({ kind, element, setting = '', from, to }: ValueChange): string {
  const { changes: texts } = words.value.tenant;
  if (kind !== 'set') return texts[kind](setting === '' ? element : `${element} ${setting}`);
  if (to === undefined) return texts.unset(setting, from ?? '');
  return from === undefined ? texts.setTo(setting, to) : texts.set(setting, from, to);
}
