/** The effects of a member's limits in a period, the heaviest users, and the remedies. */
import type { TopRow } from '../../../agent/api/api.ts';
import type { Trouble, TroublesResponse } from '../../../agent/api/report-api.ts';
import { useAnswer } from '../state/answer.ts';
import { amountText } from '../state/incident-words.ts';
import { numbers } from '../state/language.ts';
import { words } from './words.ts';
import { memberPath } from '../state/member.ts';
import type { Period } from '../state/period.ts';
import { href, route } from '../state/route.ts';
import { troubleSentences } from '../state/trouble-words.ts';
import { Answered } from '../parts/notes.tsx';

interface TroublesProps {
  readonly who: TopRow;
  readonly period: Period;
  /** Whether the reader is the tenant itself. */
  readonly isOwn: boolean;
}

export function Troubles({ who, period, isOwn }: TroublesProps) {
  const { from, until: to } = period;
  const asked = useAnswer<TroublesResponse>(memberPath(who, 'troubles'), { from, to });
  return (
    <Answered asked={asked}>
      {(answer) => <Sentences answer={answer} who={who} period={period} isOwn={isOwn} />}
    </Answered>
  );
}

function Sentences({
  answer,
  who,
  period,
  isOwn,
}: TroublesProps & { readonly answer: TroublesResponse }) {
  const name = isOwn ? words.value.tenant.troubles.yours : who.name;
  const [first, ...others] = troubleSentences(answer, { name, isOwn }, period);
  const [worst] = answer.troubles;
  return (
    <section class="panel troubles" data-level={worst?.severity}>
      <p class="sentence">
        <b>{first}</b> {others.join(' ')}
      </p>
      {worst !== undefined && <Cause trouble={worst} isOwn={isOwn} />}
    </section>
  );
}

const usersMax = 3;

function Cause({ trouble, isOwn }: { readonly trouble: Trouble; readonly isOwn: boolean }) {
  const { troubles: texts } = words.value.tenant;
  const { users, requests, remedies, resource, worst } = trouble;
  const { path, query } = route.value;
  const used = [
    ...requests
      .slice(0, usersMax)
      .map(({ method, path: page, script }) => `${method} ${page} (${script})`),
    ...users.slice(0, usersMax).map(({ title, amount, processes }) => {
      const amounts = [amountText(resource, amount), words.value.incident.processes(processes)];
      return `${title} (${numbers.value.list(amounts)})`;
    }),
  ];
  return (
    <>
      {used.length > 0 && (
        <>
          <h2>{texts.heaviest}</h2>
          <ul class="plain">
            {used.map((each) => (
              <li key={each}>
                <code>{each}</code>
              </li>
            ))}
          </ul>
        </>
      )}
      {remedies.length > 0 && (
        <>
          <h2>{isOwn ? texts.whatToDo : words.value.incident.whatToDo}</h2>
          <ul class="plain">
            {remedies.map((remedy) => (
              <li key={remedy}>
                {remedy === 'higher-limit' && !isOwn ? texts.higherLimit : texts.remedies[remedy]}
              </li>
            ))}
          </ul>
        </>
      )}
      <p>
        <a href={href(path, { ...Object.fromEntries(query), incident: String(worst) })}>
          {texts.details}
        </a>
      </p>
    </>
  );
}
