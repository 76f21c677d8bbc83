/** The dialog that changes the limits of one target, or shows the plan of a change that needs no form. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type {
  PolicyEdit,
  PolicyEditRequest,
  PolicyResponse,
} from '../../../agent/api/policy-api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { FailureNote } from '../parts/notes.tsx';
import { words } from '../state/language.ts';
import { ChangeSteps } from './change-steps.tsx';
import { useChange, type Change } from './change.ts';
import { LimitFields } from './limit-fields.tsx';
import { PolicyDialog } from './policy-dialog.tsx';
import { editOf, problemOf, targetOf, typedOf, type Target, type Typed } from './targets.ts';
import { policyWords } from './words.ts';

interface ChangeDialogProps {
  readonly target: string;
  /** Values that the form begins with, in place of the values in the policy. */
  readonly proposed?: Readonly<Record<string, string>>;
  readonly onClose: () => void;
}

export const ChangeDialog = ({ target, proposed, onClose }: ChangeDialogProps) => (
  <PolicyDialog title={titleOf(target)} onClose={onClose}>
    {(policy) => <Changing policy={policy} target={target} proposed={proposed} onClose={onClose} />}
  </PolicyDialog>
);

function titleOf(target: string): string {
  const { kind, name } = targetOf(nothing, target);
  return policyWords.value.titles[kind](/^\d+$/.test(name) ? `uid ${name}` : name);
}

const nothing: PolicyResponse = {
  etag: '',
  diagnostics: [],
  isEditable: false,
  may: [],
  defaults: { values: [] },
  packages: [],
  resellers: [],
  tenants: [],
};

interface ChangingProps {
  readonly policy: PolicyResponse;
  readonly target: string;
  readonly proposed: Readonly<Record<string, string>> | undefined;
  readonly onClose: () => void;
}

function Changing({ policy, target: name, proposed = {}, onClose }: ChangingProps) {
  const change = useChange();
  const target = targetOf(policy, name);
  const [typed, setTyped] = useState<Typed>(() => withProposed(typedOf(target), proposed));
  return (
    <ChangeSteps change={change} confirmWord={target.name || target.kind} onClose={onClose}>
      <LimitForm
        policy={policy}
        target={target}
        typed={typed}
        setTyped={setTyped}
        change={change}
        onClose={onClose}
      />
    </ChangeSteps>
  );
}

function withProposed(typed: Typed, proposed: Readonly<Record<string, string>>): Typed {
  const values = new Map(typed.values);
  for (const [key, value] of Object.entries(proposed))
    values.set(key as `${string}.${string}`, value);
  return { ...typed, values };
}

interface LimitFormProps {
  readonly policy: PolicyResponse;
  readonly target: Target;
  readonly typed: Typed;
  readonly setTyped: (typed: Typed) => void;
  readonly change: Change;
  readonly onClose: () => void;
}

function LimitForm({ policy, target, typed, setTyped, change, onClose }: LimitFormProps) {
  const text = policyWords.value;
  const { step } = change;
  const failure = step.kind === 'edit' ? step.failure : undefined;
  const edit = editOf(target, typed);
  const isWrong = [...typed.values].some(([key, value]) => problemOf(key, value) !== undefined);
  const [isNothing, setNothing] = useState(false);
  useEffect(() => setNothing(false), [typed]);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    // The keyboard of a phone would cover the form.
    if (!matchMedia('(pointer: coarse)').matches) selectFirst(form.current);
  }, []);
  const plan = (edits: PolicyEdit | undefined) => {
    if (edits === undefined) setNothing(true);
    else void change.plan({ edits: [edits] }, policy.etag);
  };
  const canRemove =
    policy.may === 'all' &&
    target.isWritten &&
    target.kind !== 'defaults' &&
    target.kind !== 'reseller';
  return (
    <form
      ref={form}
      class="fields"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isWrong) plan(edit);
      }}
    >
      {!target.isWritten && target.kind === 'tenant' && <p>{text.notWritten}</p>}
      <LimitFields policy={policy} target={target} typed={typed} setTyped={setTyped} />
      {failure !== undefined && <FailureNote failure={failure} />}
      <p role="status">{isNothing && text.nothingTyped}</p>
      <div class="buttons">
        {canRemove && (
          <button
            type="button"
            class="apart"
            onClick={() => plan({ target: target.target, remove: true })}
          >
            {target.kind === 'package' ? text.removePackage : text.removeOwn}
          </button>
        )}
        <button type="button" onClick={onClose}>
          {words.value.cancel}
        </button>
        <button type="submit" class="primary" disabled={isWrong}>
          {text.seeChange}
        </button>
      </div>
    </form>
  );
}

/** Puts the focus where people type, so that what they type replaces the value. */
function selectFirst(form: HTMLFormElement | null): void {
  const field = form?.querySelector<HTMLInputElement>('input:enabled');
  field?.focus();
  field?.select();
}

interface PlanDialogProps {
  readonly title: string;
  readonly request: PolicyEditRequest;
  readonly etag: string;
  readonly confirmWord: string;
  readonly onClose: () => void;
}

/** Shows the plan of a change that is known already: an undo, for example. */
export function PlanDialog({ title, request, etag, confirmWord, onClose }: PlanDialogProps) {
  const change = useChange();
  useEffect(() => void change.plan(request, etag), []);
  const { step } = change;
  return (
    <Dialog title={title} onClose={onClose}>
      {step.kind === 'edit' && step.failure !== undefined && (
        <FailureNote failure={step.failure} again={() => void change.plan(request, etag)} />
      )}
      <ChangeSteps change={change} confirmWord={confirmWord} onClose={onClose} />
    </Dialog>
  );
}
