/** The change that goes back by itself, with the time left. It stays in sight on every page until somebody decides. */
import { useEffect, useState } from 'preact/hooks';
import { numbers, words } from '../state/language.ts';
import { keepChange, pending, type Pending } from '../state/policy.ts';
import { failureWords, type Failure } from '../state/request.ts';
import { sessionInfo } from '../state/session.ts';

export const PendingBar = () =>
  pending.value === undefined ? null : <Bar key={pending.value.change} change={pending.value} />;

function Bar({ change }: { readonly change: Pending }) {
  const text = words.value.pending;
  const [now, setNow] = useState(Date.now());
  const [failure, setFailure] = useState<Failure | undefined>();
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.ceil((change.endsAt - now) / 1000);
  const isOver = seconds <= 0;
  const keep = async () => {
    const kept = await keepChange(change);
    if (kept.ok) pending.value = undefined;
    else setFailure(kept.error);
  };
  return (
    <section class="pending" aria-label={text.title}>
      <span role="status" class="hidden">
        {text.announced(change.user)}
      </span>
      <span>
        {isOver ? text.over : text.goesBackIn(change.user, numbers.value.duration(seconds))}
        {failure !== undefined && ` ${text.notKept} ${failureWords(failure)}`}
      </span>
      {isOver ? (
        <button type="button" onClick={() => (pending.value = undefined)}>
          {words.value.close}
        </button>
      ) : (
        sessionInfo.value?.readOnly === false && (
          <button type="button" class="primary" onClick={() => void keep()}>
            {text.keep}
          </button>
        )
      )}
    </section>
  );
}
