/** The question what other limits would have done to recorded use. Nothing changes by it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PolicyEditRequest, PolicyResponse } from '../../../agent/api/policy-api.ts';
import type { SimulateResponse } from '../../../agent/policy/simulate-response.ts';
import { CommandLine } from '../parts/command-line.tsx';
import { Answered, FailureNote, Loading } from '../parts/notes.tsx';
import { words } from '../state/language.ts';
import { simulateChange, usePolicy } from '../state/policy.ts';
import type { Failure } from '../state/request.ts';
import { href } from '../state/route.ts';
import { LimitFields } from './limit-fields.tsx';
import { editOf, problemOf, targetOf, typedOf, type Typed } from './targets.ts';
import { WhatIfResult } from './what-if-result.tsx';
import { policyWords } from './words.ts';

const periodDays = [1, 7, 30, 90, 400];
const periodUsual = 30;
const daySeconds = 86_400;

export function WhatIf() {
  const asked = usePolicy();
  const text = policyWords.value;
  return (
    <>
      <p>
        <a href={href(['policy'])}>{text.toPolicy}</a>
      </p>
      <p>{text.whatIfHint}</p>
      <Answered asked={asked}>{(policy) => <Question policy={policy} />}</Answered>
      <CommandLine command="bulkhead simulate --policy new.xml" />
    </>
  );
}

type Result =
  | { readonly kind: 'none' | 'nothing' | 'waiting' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'answer'; readonly answer: SimulateResponse };

function Question({ policy }: { readonly policy: PolicyResponse }) {
  const text = policyWords.value;
  const [isText, setText] = useState(!policy.isEditable);
  const [days, setDays] = useState(periodUsual);
  const [result, setResult] = useState<Result>({ kind: 'none' });
  const asking = useRef<AbortController>(undefined);
  // A question that nobody waits for is given up.
  useEffect(() => () => asking.current?.abort(), []);
  const cancel = () => {
    asking.current?.abort();
    setResult({ kind: 'none' });
  };
  const replay = async (request: PolicyEditRequest | undefined) => {
    asking.current?.abort();
    if (request === undefined) return setResult({ kind: 'nothing' });
    const { signal } = (asking.current = new AbortController());
    setResult({ kind: 'waiting' });
    const found = await simulateChange<SimulateResponse>(
      { ...request, periodSeconds: days * daySeconds },
      signal,
    );
    if (signal.aborted) return;
    setResult(
      found.ok ? { kind: 'answer', answer: found.value } : { kind: 'failed', failure: found.error },
    );
  };
  return (
    <>
      <section class="panel">
        <div class="tools">
          <label>
            {text.period}{' '}
            <select value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
              {periodDays.map((each) => (
                <option key={each} value={each}>
                  {text.days(each)}
                </option>
              ))}
            </select>
          </label>
          {policy.isEditable && (
            <label>
              {text.with}{' '}
              <select
                value={isText ? 'text' : 'limits'}
                onChange={(event) => setText(event.currentTarget.value === 'text')}
              >
                <option value="limits">{text.withLimits}</option>
                <option value="text">{text.withText}</option>
              </select>
            </label>
          )}
        </div>
        {isText ? (
          <TextQuestion policy={policy} replay={replay} />
        ) : (
          <LimitQuestion policy={policy} replay={replay} />
        )}
      </section>
      <div aria-live="polite">
        {result.kind === 'waiting' && (
          <>
            <Loading />
            <button type="button" onClick={cancel}>
              {words.value.cancel}
            </button>
          </>
        )}
        {result.kind === 'nothing' && <p class="note">{text.nothingTyped}</p>}
        {result.kind === 'failed' && <FailureNote failure={result.failure} />}
        {result.kind === 'answer' && <WhatIfResult answer={result.answer} />}
      </div>
    </>
  );
}

interface QuestionProps {
  readonly policy: PolicyResponse;
  readonly replay: (request: PolicyEditRequest | undefined) => Promise<void>;
}

function LimitQuestion({ policy, replay }: QuestionProps) {
  const text = policyWords.value;
  const [name, setName] = useState('defaults');
  const target = targetOf(policy, name);
  const [typed, setTyped] = useState<Typed>(() => typedOf(target));
  const choose = (chosen: string) => {
    setName(chosen);
    setTyped(typedOf(targetOf(policy, chosen)));
  };
  const isWrong = [...typed.values].some(([key, value]) => problemOf(key, value) !== undefined);
  return (
    <form
      class="fields"
      onSubmit={(event) => {
        event.preventDefault();
        const edit = editOf(target, typed);
        if (!isWrong) void replay(edit && { edits: [edit] });
      }}
    >
      <div class="field">
        <label for="what-if-target">{text.limitsOf}</label>
        <select
          id="what-if-target"
          value={name}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          <option value="defaults">{text.defaults}</option>
          <optgroup label={text.packages}>
            {policy.packages.map((each) => (
              <option key={each.name} value={`package ${each.name}`}>
                {each.name}
              </option>
            ))}
          </optgroup>
          <optgroup label={text.resellers}>
            {policy.resellers.map((each) => (
              <option key={each.target} value={each.target}>
                {each.name}
              </option>
            ))}
          </optgroup>
          <optgroup label={text.tenants}>
            {policy.tenants.map((each) => (
              <option key={each.target} value={each.target}>
                {each.name}
              </option>
            ))}
          </optgroup>
        </select>
        <span />
      </div>
      <LimitFields policy={policy} target={target} typed={typed} setTyped={setTyped} />
      <div class="buttons">
        <button type="submit" class="primary" disabled={isWrong}>
          {text.replay}
        </button>
      </div>
    </form>
  );
}

function TextQuestion({ policy, replay }: QuestionProps) {
  const words = policyWords.value;
  const [text, setText] = useState(policy.text ?? '');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void replay(text === policy.text ? undefined : { text });
      }}
    >
      <textarea
        class="editor"
        aria-label={words.textLabel}
        value={text}
        rows={16}
        wrap="off"
        spellcheck={false}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div class="buttons">
        <button type="submit" class="primary">
          {words.replay}
        </button>
      </div>
    </form>
  );
}
