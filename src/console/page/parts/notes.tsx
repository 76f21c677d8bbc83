/** Notes that a page shows instead of its content: nothing yet, nothing at all, or why not. */
import type { ComponentChildren } from 'preact';
import type { Asked } from '../state/answer.ts';
import { words } from '../state/language.ts';
import { failureWords, type Failure } from '../state/request.ts';
import { English } from './english.tsx';

export const Loading = () => (
  <p class="note quiet" role="status">
    {words.value.loading}
  </p>
);

interface EmptyProps {
  readonly title: string;
  readonly children?: ComponentChildren;
}

export const Empty = ({ title, children }: EmptyProps) => (
  <div class="note">
    <p>
      <b>{title}</b>
    </p>
    {children}
  </div>
);

interface FailureNoteProps {
  readonly failure: Failure;
  readonly again?: () => void;
}

export const FailureNote = ({ failure, again }: FailureNoteProps) => (
  <div class="note failure" role="alert">
    <p>
      <b>{words.value.errors.title}</b>
    </p>
    <p>{failureWords(failure)}</p>
    {failure.error !== undefined && (
      <p class="quiet">
        <English>{failure.error.error}</English>
      </p>
    )}
    {again !== undefined && (
      <button type="button" onClick={again}>
        {words.value.tryAgain}
      </button>
    )}
  </div>
);

interface AnswerProps<Answer> {
  readonly asked: Asked<Answer>;
  readonly children: (answer: Answer) => ComponentChildren;
}

/** An answer of the agent; the one before stays while it cannot be renewed. */
export function Answered<Answer>({ asked, children }: AnswerProps<Answer>) {
  const { value, failure, again } = asked;
  return (
    <>
      {failure !== undefined && <FailureNote failure={failure} again={again} />}
      {value === undefined ? failure === undefined && <Loading /> : children(value)}
    </>
  );
}
