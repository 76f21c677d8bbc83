/**
 * The text of the policy. The parser of the agent runs in the page, so mistakes show as one types; the plan of the agent
 * decides. On a phone it can only be read.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PolicyResponse } from '../../../agent/api/policy-api.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { attributes } from '../../../limits/limits.ts';
import { lineDiff } from '../../../policy/changes/line-diff.ts';
import type { Diagnostic } from '../../../policy/diagnostic.ts';
import { parsePolicy } from '../../../policy/parse.ts';
import { CommandLine } from '../parts/command-line.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { English } from '../parts/english.tsx';
import { FailureNote } from '../parts/notes.tsx';
import { words } from '../state/language.ts';
import { sessionInfo } from '../state/session.ts';
import { ChangeSteps } from './change-steps.tsx';
import { useChange, type Change } from './change.ts';
import { Diff } from './diff.tsx';
import { policyWords } from './words.ts';

/** Parsing a large text takes a while, so it waits until nobody types. */
const parseMilliseconds = 200;
const shownMax = 100;
const phone = matchMedia('(max-width: 760px)');

/** Subjects of alerts that are no limits; the agent has the same. */
const alertWords = () =>
  Map.groupBy(
    (Object.keys(words.value.limits) as LimitKey[]).filter((key) => !attributes.has(key)),
    (key) => key.split('.')[0] ?? key,
  );

const diagnosticsOf = (file: string, text: string): readonly Diagnostic[] =>
  parsePolicy(file, text, alertWords()).diagnostics.list;

interface TextViewProps {
  readonly policy: PolicyResponse;
  readonly reload: () => void;
}

export function TextView({ policy, reload }: TextViewProps) {
  const { file = '', text: now = '' } = policy;
  // The text that was there when editing began; another one that comes meanwhile does not replace what was typed.
  const [base, setBase] = useState({ text: now, etag: policy.etag });
  const [text, setText] = useState(now);
  const isTyped = text !== base.text;
  useEffect(() => {
    if (isTyped) return;
    setBase({ text: now, etag: policy.etag });
    setText(now);
  }, [policy.etag]);
  const diagnostics = useDiagnostics(file, text);
  const change = useChange();
  const [isOpen, setOpen] = useState(false);
  const isReadOnly = phone.matches || sessionInfo.value?.readOnly !== false;
  const plan = () => {
    setOpen(true);
    void change.plan({ text }, base.etag);
  };
  const close = () => {
    setOpen(false);
    if (change.step.kind === 'done') {
      setBase({ text, etag: change.step.written.etag });
      reload();
    }
    change.back();
  };
  const hasErrors = diagnostics.some(({ severity }) => severity === 'error');
  return (
    <>
      <p class="quiet">
        <code>{file}</code> {phone.matches && policyWords.value.readOnlyOnPhones}
      </p>
      {isTyped && policy.etag !== base.etag && <ChangedBelow base={base.text} now={now} />}
      <Editor text={text} setText={setText} diagnostics={diagnostics} isReadOnly={isReadOnly} />
      {!isReadOnly && (
        <div class="buttons">
          <button type="button" disabled={!isTyped} onClick={() => setText(base.text)}>
            {policyWords.value.discard}
          </button>
          <button type="button" class="primary" disabled={!isTyped || hasErrors} onClick={plan}>
            {policyWords.value.seeChange}
          </button>
        </div>
      )}
      <CommandLine command="bulkhead check" />
      {isOpen && (
        <Dialog title={policyWords.value.textTitle} onClose={close}>
          <ChangeSteps change={change} confirmWord={policyWords.value.applyWord} onClose={close}>
            <TextConflict change={change} base={base.text} now={now} reload={reload} />
          </ChangeSteps>
        </Dialog>
      )}
    </>
  );
}

function useDiagnostics(file: string, text: string): readonly Diagnostic[] {
  const [found, setFound] = useState(() => diagnosticsOf(file, text));
  useEffect(() => {
    const timer = setTimeout(() => setFound(diagnosticsOf(file, text)), parseMilliseconds);
    return () => clearTimeout(timer);
  }, [file, text]);
  return found;
}

interface EditorProps {
  readonly text: string;
  readonly setText: (text: string) => void;
  readonly diagnostics: readonly Diagnostic[];
  readonly isReadOnly: boolean;
}

function Editor({ text, setText, diagnostics, isReadOnly }: EditorProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [caret, setCaret] = useState(0);
  const words = policyWords.value;
  const isWrong = diagnostics.some(({ severity }) => severity === 'error');
  const before = text.slice(0, caret);
  const line = before.split('\n').length;
  const column = caret - before.lastIndexOf('\n');
  const goTo = (diagnostic: Diagnostic) => {
    const lines = text.split('\n').slice(0, diagnostic.line - 1);
    const at = lines.reduce((sum, each) => sum + each.length + 1, 0) + diagnostic.column - 1;
    area.current?.focus();
    area.current?.setSelectionRange(at, at);
    setCaret(at);
  };
  return (
    <>
      <textarea
        ref={area}
        class="editor"
        aria-label={words.textLabel}
        aria-describedby="diagnostics"
        value={text}
        readOnly={isReadOnly}
        rows={24}
        wrap="off"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        {...(isWrong && { 'aria-invalid': true })}
        onInput={(event) => setText(event.currentTarget.value)}
        onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
      />
      <p class="quiet">{words.position(line, column)}</p>
      <div id="diagnostics" role="status">
        {diagnostics.length === 0 ? (
          <p class="badge" data-kind="good">
            {words.noMistakes}
          </p>
        ) : (
          <ul class="list">
            {diagnostics.slice(0, shownMax).map((each, at) => (
              <li key={at} class="diagnostic" data-kind={each.severity}>
                <button type="button" class="small" onClick={() => goTo(each)}>
                  {words.position(each.line, each.column)}
                </button>
                <span>
                  <b>{words.severities[each.severity]}:</b> <English>{each.message}</English>
                </span>
              </li>
            ))}
          </ul>
        )}
        {diagnostics.length > shownMax && <p>{words.andMore(diagnostics.length - shownMax)}</p>}
      </div>
    </>
  );
}

const ChangedBelow = ({ base, now }: { readonly base: string; readonly now: string }) => (
  <div class="warning" role="status">
    <p>{policyWords.value.changedBelow}</p>
    <Diff hunks={lineDiff(base, now)} />
  </div>
);

interface TextConflictProps {
  readonly change: Change;
  readonly base: string;
  readonly now: string;
  readonly reload: () => void;
}

/** The reason why there is no plan yet. After a conflict, what somebody else changed is shown first. */
function TextConflict({ change, base, now, reload }: TextConflictProps) {
  const { step } = change;
  const conflict = step.kind === 'edit' ? step.conflict : undefined;
  useEffect(() => {
    if (conflict !== undefined) reload();
  }, [conflict]);
  if (step.kind !== 'edit') return null;
  if (step.failure !== undefined) return <FailureNote failure={step.failure} />;
  if (conflict === undefined) return null;
  return (
    <>
      <p role="alert">{policyWords.value.textConflict}</p>
      <Diff hunks={lineDiff(base, now)} />
      <div class="buttons">
        <button
          type="button"
          class="primary"
          onClick={() => void change.plan(conflict.request, conflict.etag)}
        >
          {policyWords.value.planAnyway}
        </button>
      </div>
    </>
  );
}
