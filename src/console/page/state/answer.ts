/** Questions to the agent with the session of this page. */
import { useEffect, useState } from 'preact/hooks';
import { fail, type Result } from '../../../../packages/base/result.ts';
import { whenPresent } from './connection/presence.ts';
import { failureOf, request, type Failure, type Query, type RequestOptions } from './request.ts';
import { session, sessionHasEnded } from './session.ts';

/** Asks the agent: `ask<AdviseResponse>('v1/advise', { query: { from, to } })`. */
export async function ask<Answer>(
  path: string,
  options: RequestOptions = {},
): Promise<Result<Answer, Failure>> {
  const open = session.peek();
  if (open.kind !== 'open') return fail(failureOf(401));
  const answer = await request<Answer>(open.token, path, options);
  if (!answer.ok && answer.error.kind === 'ended') sessionHasEnded(open.token);
  return answer;
}

export interface Asked<Answer> {
  /** The last answer, also while another one is awaited. */
  readonly value?: Answer;
  readonly failure?: Failure;
  readonly isLoading: boolean;
  readonly again: () => void;
}

const retryMilliseconds = 5000;
const passing: readonly Failure['kind'][] = ['no answer', 'starting', 'too many'];

/**
 * Asks when a component appears, when the question changes, and every `everySeconds` if that is given and somebody looks.
 * A question is given up when the component goes. What fails only for a while is asked again.
 */
export function useAnswer<Answer>(
  path: string,
  query: Query = {},
  everySeconds?: number,
): Asked<Answer> {
  const [state, setState] = useState<Omit<Asked<Answer>, 'again'>>({ isLoading: true });
  const [round, setRound] = useState(0);
  const question = JSON.stringify([path, query]);
  useEffect(() => {
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    setState((before) => ({ ...before, isLoading: true }));
    const load = async () => {
      const answer = await ask<Answer>(path, { query, signal: gone.signal });
      if (gone.signal.aborted) return;
      setState((before) =>
        answer.ok
          ? { value: answer.value, isLoading: false }
          : { ...before, failure: answer.error, isLoading: false },
      );
      const isPassing = !answer.ok && passing.includes(answer.error.kind);
      const pause = isPassing ? retryMilliseconds : (everySeconds ?? 0) * 1000;
      if (pause > 0) timer = setTimeout(() => whenPresent(() => void load(), gone.signal), pause);
    };
    void load();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [question, everySeconds, round]);
  return { ...state, again: () => setRound((before) => before + 1) };
}
