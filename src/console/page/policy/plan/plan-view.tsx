/** The preview of a change: lines, kernel, who is affected, what to watch out for; and the button that makes it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PolicyPlan, PolicyWarning } from '../../../../agent/api/policy-api.ts';
import { Disclosure } from '../../parts/dialog.tsx';
import { English } from '../../parts/english.tsx';
import { FailureNote } from '../../parts/notes.tsx';
import { ScrollingTable } from '../../parts/scrolling-table.tsx';
import { limitWords, numbers } from '../../state/language.ts';
import type { Change, Step } from '../change.ts';
import { Diff } from '../diff.tsx';
import { OperationRow } from './operation-row.tsx';
import { policyWords } from '../words.ts';

type PlanStep = Extract<Step, { readonly kind: 'plan' }>;

interface PlanViewProps {
  readonly step: PlanStep;
  readonly change: Change;
  /** The word that confirms what is dangerous: the name of what is changed. */
  readonly confirmWord: string;
  readonly isBackPossible: boolean;
}

const secondsPerMinute = 60;
const minutesChoices = [1, 5, 10, 30, 60];
const minutesUsual = 10;
const dangerous: ReadonlySet<PolicyWarning['kind']> = new Set(['memory', 'removed']);

export function PlanView({ step, change, confirmWord, isBackPossible }: PlanViewProps) {
  const { plan, surprise, failure, isWriting } = step;
  const text = policyWords.value;
  const heading = useRef<HTMLHeadingElement>(null);
  const [typed, setTyped] = useState('');
  const [minutes, setMinutes] = useState<number | undefined>();
  const isDangerous = plan.warnings.some(({ kind }) => dangerous.has(kind));
  const isConfirmed = !isDangerous || typed.trim() === confirmWord;
  useEffect(() => {
    setTyped('');
    heading.current?.focus();
  }, [plan.planId]);
  const write = (event: Event) => {
    event.preventDefault();
    if (!isConfirmed || plan.isEmpty) return;
    void change.write(minutes === undefined ? undefined : minutes * secondsPerMinute);
  };
  return (
    <form class="plan" onSubmit={write}>
      <h3 ref={heading} tabIndex={-1}>
        {plan.isEmpty ? text.nothingChanges : text.whatWouldChange}
      </h3>
      {surprise !== undefined && (
        <p class="warning" role="status">
          {surprise === 'other text' ? text.otherText : text.otherEffects}
        </p>
      )}
      <Effects plan={plan} />
      {!plan.isEmpty && plan.risky && <GoBack minutes={minutes} setMinutes={setMinutes} />}
      {isDangerous && (
        <label class="block">
          {text.typeToConfirm(confirmWord)}{' '}
          <input
            value={typed}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
      )}
      {failure !== undefined && <FailureNote failure={failure} />}
      <div class="buttons">
        {isBackPossible && (
          <button type="button" onClick={change.back}>
            {text.back}
          </button>
        )}
        {!plan.isEmpty && (
          <button type="submit" class="primary" disabled={!isConfirmed || isWriting}>
            {isWriting ? text.writing : text.writeAndApply}
          </button>
        )}
      </div>
    </form>
  );
}

function Effects({ plan }: { readonly plan: PolicyPlan }) {
  const text = policyWords.value;
  if (plan.isEmpty) return <p>{text.nothingChangesHint}</p>;
  return (
    <>
      <h4>{text.inTheFile}</h4>
      {plan.diff.length > 0 && <Diff hunks={plan.diff} />}
      <Affected plan={plan} />
      <h4>{text.inTheKernel(plan.operationCount)}</h4>
      <Operations plan={plan} />
      {plan.warnings.length + plan.diagnostics.length > 0 && (
        <div class="warning" role="group" aria-label={text.watchOut}>
          <h4>{text.watchOut}</h4>
          <ul>
            {plan.warnings.map((warning, at) => (
              <li key={at}>
                <b>{text.warningKinds[warning.kind]}</b> <Warning warning={warning} />
              </li>
            ))}
            {plan.diagnostics.map(({ line, message }, at) => (
              <li key={`line ${at}`}>
                <b>{text.line(line)}</b> <English>{message}</English>
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

function Warning({ warning }: { readonly warning: PolicyWarning }) {
  const { warnings } = policyWords.value;
  const { kind, tenantCount, limit, overcommit } = warning;
  const name = limit === undefined ? '' : limitWords(limit);
  if (kind === 'removed') return <>{warnings.removed(tenantCount)}</>;
  if (kind === 'in use' || kind === 'memory') return <>{warnings[kind](tenantCount, name)}</>;
  if (overcommit === undefined) return <English>{warning.text}</English>;
  const [before, after] = [overcommit.before, overcommit.after].map((each) =>
    numbers.value.number(each, 1),
  );
  return <>{warnings.promised(name, before ?? '', after ?? '')}</>;
}

function Affected({ plan: { tenants, tenantCount } }: { readonly plan: PolicyPlan }) {
  const text = policyWords.value;
  const names = numbers.value.list(tenants);
  const more = tenantCount - tenants.length;
  return (
    <p>
      <b>{text.affected(tenantCount)}</b> {tenantCount > 0 && names}
      {more > 0 && ` ${text.andMore(more)}`}
    </p>
  );
}

/** More than these open on demand. */
const operationsOpenMax = 6;

function Operations({ plan: { operations, operationCount } }: { readonly plan: PolicyPlan }) {
  const text = policyWords.value;
  const { columns } = text;
  if (operations.length === 0) return <p class="quiet">{text.noOperations}</p>;
  const table = (
    <ScrollingTable
      label={text.operations}
      headings={[columns.who, columns.setting, columns.now, columns.after]}
      below={
        operationCount > operations.length && (
          <p class="quiet">{text.andMore(operationCount - operations.length)}</p>
        )
      }
    >
      {operations.map((each, at) => (
        <OperationRow key={at} operation={each} />
      ))}
    </ScrollingTable>
  );
  if (operations.length <= operationsOpenMax) return table;
  return <Disclosure summary={text.showOperations(operationCount)}>{table}</Disclosure>;
}

interface GoBackProps {
  readonly minutes: number | undefined;
  readonly setMinutes: (minutes: number | undefined) => void;
}

function GoBack({ minutes, setMinutes }: GoBackProps) {
  const text = policyWords.value;
  return (
    <p>
      <label>
        <input
          type="checkbox"
          checked={minutes !== undefined}
          onChange={(event) => setMinutes(event.currentTarget.checked ? minutesUsual : undefined)}
        />{' '}
        {text.goBack}
      </label>{' '}
      <select
        aria-label={text.goBackAfter}
        disabled={minutes === undefined}
        value={minutes ?? minutesUsual}
        onChange={(event) => setMinutes(Number(event.currentTarget.value))}
      >
        {minutesChoices.map((each) => (
          <option key={each} value={each}>
            {numbers.value.duration(each * secondsPerMinute)}
          </option>
        ))}
      </select>
    </p>
  );
}

interface DoneProps {
  readonly step: Extract<Step, { readonly kind: 'done' }>;
  readonly onUndo: (change: number) => void;
  readonly onClose: () => void;
}

export function Done({ step: { written }, onUndo, onClose }: DoneProps) {
  const text = policyWords.value;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const { change, state, failures, pending } = written;
  return (
    <div class="plan">
      <h3 ref={heading} tabIndex={-1}>
        {text.states[state]}
      </h3>
      {failures.length > 0 && (
        <ul class="warning">
          {failures.map((each, at) => (
            <li key={at}>
              <English>{each}</English>
            </li>
          ))}
        </ul>
      )}
      {pending !== undefined && (
        <p>{text.goesBackIn(numbers.value.duration(pending.secondsLeft))}</p>
      )}
      <p class="quiet">{change === undefined ? text.notRecorded : text.recordedAs(change)}</p>
      <div class="buttons">
        {change !== undefined && (
          <button type="button" onClick={() => onUndo(change)}>
            {text.undo}
          </button>
        )}
        <button type="button" class="primary" onClick={onClose}>
          {text.done}
        </button>
      </div>
    </div>
  );
}
