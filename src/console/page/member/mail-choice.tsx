/** Which reports about its use a tenant gets by mail, as far as the provider lets it choose. */
import type { DigestResponse } from '../../../agent/api/api.ts';
import { useState } from 'preact/hooks';
import { ask, useAnswer } from '../state/answer.ts';
import { words } from './words.ts';
import { failureWords, type Failure } from '../state/request.ts';
import { sessionInfo } from '../state/session.ts';

const shares = ['50%', '60%', '70%', '80%', '90%', '100%'] as const;
const everies = ['default', 'week', 'off'] as const;

export function MailChoice() {
  const { value } = useAnswer<DigestResponse>('v1/digest');
  // Without a digest in the policy there is nothing to choose, and nothing to explain.
  if (value === undefined || value.digests.length === 0) return null;
  const { mail } = words.value.tenant;
  const leasts = value.digests.flatMap(({ useMin }) =>
    useMin === null ? [] : [parseFloat(useMin)],
  );
  return (
    <section class="panel">
      <h2>{mail.title}</h2>
      {leasts.length === 0 ? (
        <p class="quiet">{mail.fixed}</p>
      ) : sessionInfo.value?.readOnly === true ? (
        <p class="quiet">{mail.readOnly}</p>
      ) : (
        <Choice before={value} least={Math.min(...leasts)} />
      )}
    </section>
  );
}

interface ChoiceProps {
  readonly before: DigestResponse;
  /** The smallest share that may be chosen, in percent. */
  readonly least: number;
}

function Choice({ before, least }: ChoiceProps) {
  const [state, setState] = useState(before);
  const [result, setResult] = useState<'saved' | Failure | undefined>();
  const { mail } = words.value.tenant;
  const choose = async (query: { readonly every?: string; readonly use?: string }) => {
    setResult(undefined);
    const answer = await ask<DigestResponse>('v1/digest', { method: 'POST', query });
    setResult(answer.ok ? 'saved' : answer.error);
    if (answer.ok) setState(answer.value);
  };
  const known = shares.filter((each) => parseFloat(each) >= least);
  const chosen = state.use;
  const options =
    chosen === null || known.some((each) => each === chosen) ? known : [chosen, ...known];
  return (
    <div class="tools">
      <label>
        <span class="quiet">{mail.every}</span>{' '}
        <select
          value={state.every ?? 'default'}
          onChange={(event) => void choose({ every: event.currentTarget.value })}
        >
          {everies.map((each) => (
            <option key={each} value={each}>
              {mail.everies[each]}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="quiet">{mail.use}</span>{' '}
        <select
          value={chosen ?? 'default'}
          onChange={(event) => void choose({ use: event.currentTarget.value })}
        >
          <option value="default">{mail.useDefault}</option>
          {options.map((each) => (
            <option key={each} value={each}>
              {mail.ofLimit(each)}
            </option>
          ))}
        </select>
      </label>
      <span role="status">
        {result === 'saved' && mail.saved}
        {result !== undefined && result !== 'saved' && failureWords(result)}
      </span>
    </div>
  );
}
