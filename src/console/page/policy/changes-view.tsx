/** The record: who changed the policy, when and how. Each change shows its lines and can be undone, by a plan like any other. */
import { useEffect, useState } from 'preact/hooks';
import type {
  PolicyChange,
  PolicyChangeResponse,
  PolicyChangesResponse,
} from '../../../agent/api/policy-api.ts';
import type { ValueChange } from '../../../policy/changes/describe.ts';
import { CommandLine } from '../parts/command-line.tsx';
import { Answered, Empty } from '../parts/notes.tsx';
import { useAnswer } from '../state/answer.ts';
import { ChangedValue } from '../parts/changed-value.tsx';
import { English } from '../parts/english.tsx';
import { changeAuthor, changeWords } from '../state/change-words.ts';
import { numbers, words } from '../state/language.ts';
import { queryOf, setQuery } from '../state/route.ts';
import { sessionInfo } from '../state/session.ts';
import { PlanDialog } from './change-dialog.tsx';
import { Diff } from './diff.tsx';
import { policyWords } from './words.ts';

/** Changes are kept as long as incidents usually are. */
const recordMilliseconds = 400 * 86_400_000;

export function ChangesView({ etag }: { readonly etag: string }) {
  const text = policyWords.value;
  const tenant = queryOf('tenant');
  const before = queryOf('before');
  const [to] = useState(Date.now());
  const asked = useAnswer<PolicyChangesResponse>('v1/policy/changes', {
    from: to - recordMilliseconds,
    ...(tenant !== '' && { tenant }),
    ...(before !== '' && { before }),
  });
  // Another text is another change.
  useEffect(() => {
    if (asked.value !== undefined) asked.again();
  }, [etag]);
  const [undone, setUndone] = useState<number | undefined>();
  return (
    <>
      {tenant !== '' && (
        <p>
          {text.changesOf(tenant)}{' '}
          <button
            type="button"
            class="small"
            onClick={() => setQuery({ tenant: undefined, before: undefined })}
          >
            {text.allChanges}
          </button>
        </p>
      )}
      <Answered asked={asked}>
        {({ changes, older }) =>
          changes.length === 0 && older === undefined ? (
            <Empty title={text.noChanges}>
              <p>{text.noChangesHint}</p>
            </Empty>
          ) : (
            <section class="panel">
              <ul class="list">
                {changes.map((each) => (
                  <ChangeItem key={each.number} change={each} undo={setUndone} />
                ))}
              </ul>
              {older !== undefined && (
                <button type="button" onClick={() => setQuery({ before: String(older) })}>
                  {text.olderChanges}
                </button>
              )}
            </section>
          )
        }
      </Answered>
      {before !== '' && (
        <button type="button" onClick={() => setQuery({ before: undefined })}>
          {text.latestChanges}
        </button>
      )}
      <CommandLine command="bulkhead policy log" />
      {undone !== undefined && (
        <PlanDialog
          title={text.undoTitle(undone)}
          request={{ undo: undone }}
          etag={etag}
          confirmWord={String(undone)}
          onClose={() => {
            setUndone(undefined);
            asked.again();
          }}
        />
      )}
    </>
  );
}

interface ChangeItemProps {
  readonly change: PolicyChange;
  readonly undo: (number: number) => void;
}

function ChangeItem({ change, undo }: ChangeItemProps) {
  const text = policyWords.value;
  const [isOpen, setOpen] = useState(false);
  const { number, at, outcome, values, comment, problems } = change;
  // Without the text before, nobody knows what an undo would be.
  const isKnown = values !== undefined && outcome !== 'not written';
  const canUndo = isKnown && sessionInfo.value?.readOnly === false;
  return (
    <li class="with-button">
      <div>
        <b>{text.changeNumber(number)}</b> · {numbers.value.dateTime(at)} · {changeAuthor(change)} ·{' '}
        <span class={outcome === 'in force' ? 'quiet' : 'at-limit'}>
          {words.value.outcomes[outcome]}
        </span>
        <Values values={values} count={change.valueCount ?? values?.length ?? 0} />
        {comment !== undefined && (
          <p class="quiet">
            <q>{comment}</q>
          </p>
        )}
        {problems.map((each, index) => (
          <p key={index} class="at-limit">
            <English>{each}</English>
          </p>
        ))}
        <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>{text.linesOf(number)}</summary>
          {isOpen && <ChangeLines number={number} />}
        </details>
      </div>
      {canUndo && (
        <button type="button" aria-label={text.undoNumber(number)} onClick={() => undo(number)}>
          {text.undo}
        </button>
      )}
    </li>
  );
}

const valuesMax = 5;

interface ValuesProps {
  readonly values: readonly ValueChange[] | undefined;
  readonly count: number;
}

function Values({ values, count }: ValuesProps) {
  const text = policyWords.value;
  if (values === undefined) return <p class="quiet">{changeWords.value.valuesUnknown}</p>;
  return (
    <>
      {values.slice(0, valuesMax).map((each, at) => (
        <p key={at}>
          <ChangedValue change={each} />
        </p>
      ))}
      {values.length === 0 && <p class="quiet">{text.noValues}</p>}
      {count > valuesMax && <p class="quiet">{text.andMore(count - valuesMax)}</p>}
    </>
  );
}

function ChangeLines({ number }: { readonly number: number }) {
  const asked = useAnswer<PolicyChangeResponse>(`v1/policy/changes/${number}`);
  return (
    <Answered asked={asked}>
      {({ diff }) =>
        diff === undefined ? (
          <p class="quiet">{policyWords.value.linesUnknown}</p>
        ) : (
          <Diff hunks={diff} />
        )
      }
    </Answered>
  );
}
