/** The dialog that gives several tenants a package, or sets one limit of theirs: one edit each, and one plan. */
import { useId, useState } from 'preact/hooks';
import type { PolicyResponse, PolicyRight } from '../../../agent/api/policy-api.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { English } from '../parts/english.tsx';
import { FailureNote } from '../parts/notes.tsx';
import { limitWords, words } from '../state/language.ts';
import { ChangeSteps } from './change-steps.tsx';
import { useChange, type Change } from './change.ts';
import { exampleText, PackageSelect } from './limit-fields.tsx';
import { PolicyDialog } from './policy-dialog.tsx';
import { editOf, mainLimits, otherLimits, problemOf, targetOf, typedOf } from './targets.ts';
import { policyWords } from './words.ts';

interface ManyDialogProps {
  /** The tenants, by uid. */
  readonly uids: ReadonlySet<number>;
  readonly what: PolicyRight;
  readonly onClose: () => void;
}

export function ManyDialog({ uids, what, onClose }: ManyDialogProps) {
  const change = useChange();
  const { many, applyWord } = policyWords.value;
  return (
    <PolicyDialog title={many.titles[what](uids.size)} onClose={onClose}>
      {(policy) => (
        <ChangeSteps change={change} confirmWord={applyWord} onClose={onClose}>
          <ManyForm policy={policy} uids={uids} what={what} change={change} onClose={onClose} />
        </ChangeSteps>
      )}
    </PolicyDialog>
  );
}

interface ManyFormProps extends ManyDialogProps {
  readonly policy: PolicyResponse;
  readonly change: Change;
}

function ManyForm({ policy, uids, what, change, onClose }: ManyFormProps) {
  const text = policyWords.value;
  const [key, setKey] = useState<LimitKey>('cpu.limit');
  const [value, setValue] = useState('');
  const [isNothing, setNothing] = useState(false);
  if (policy.may !== 'all' && !policy.may.includes(what)) return <p>{text.mayNothing}</p>;
  if (what === 'packages' && policy.packages.length === 0) return <p>{text.noPackages}</p>;
  const targets = policy.tenants
    .filter(({ uid }) => uids.has(uid))
    .map(({ target }) => targetOf(policy, target));
  const withOwn = targets.filter(({ own }) => own.size > 0).length;
  const problem = what === 'limits' ? problemOf(key, value) : undefined;
  const plan = () => {
    const edits = targets.flatMap((target) => {
      const typed = typedOf(target);
      const changed =
        what === 'packages'
          ? { ...typed, package: value }
          : { ...typed, values: new Map(typed.values).set(key, value) };
      return editOf(target, changed) ?? [];
    });
    if (edits.length === 0) setNothing(true);
    else void change.plan({ edits }, policy.etag);
  };
  const set = (typed: string) => {
    setNothing(false);
    setValue(typed);
  };
  const { step } = change;
  return (
    <form
      class="fields"
      onSubmit={(event) => {
        event.preventDefault();
        if (problem === undefined) plan();
      }}
    >
      {targets.length < uids.size && (
        <p class="warning">{text.many.missing(uids.size - targets.length)}</p>
      )}
      {what === 'packages' ? (
        <PackageSelect policy={policy} value={value} setValue={set} none={text.noPackage} />
      ) : (
        <LimitChoice name={key} setName={setKey} value={value} setValue={set} problem={problem} />
      )}
      {what === 'packages' && withOwn > 0 && <p class="quiet">{text.many.ownStay(withOwn)}</p>}
      {step.kind === 'edit' && step.failure !== undefined && <FailureNote failure={step.failure} />}
      <p role="status">{isNothing && text.nothingTyped}</p>
      <div class="buttons">
        <button type="button" onClick={onClose}>
          {words.value.cancel}
        </button>
        <button type="submit" class="primary" disabled={problem !== undefined}>
          {text.seeChange}
        </button>
      </div>
    </form>
  );
}

interface LimitChoiceProps {
  readonly value: string;
  readonly setValue: (value: string) => void;
  readonly name: LimitKey;
  readonly setName: (name: LimitKey) => void;
  readonly problem: string | undefined;
}

function LimitChoice({ name, setName, value, setValue, problem }: LimitChoiceProps) {
  const id = useId();
  const text = policyWords.value;
  return (
    <div class="field">
      <select
        aria-label={text.columns.limit}
        value={name}
        onChange={(event) => setName(event.currentTarget.value as LimitKey)}
      >
        {[...mainLimits, ...otherLimits].map((each) => (
          <option key={each} value={each}>
            {limitWords(each)}
          </option>
        ))}
      </select>
      <input
        aria-label={text.many.value}
        value={value}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        maxLength={60}
        aria-describedby={id}
        {...(problem !== undefined && { 'aria-invalid': true })}
        onInput={(event) => setValue(event.currentTarget.value)}
      />
      <span id={id} class={problem === undefined ? 'quiet' : 'at-limit'}>
        {problem === undefined ? (
          `${exampleText(name)} ${text.many.emptyRemoves}`
        ) : (
          <English>{problem}</English>
        )}
      </span>
    </div>
  );
}
