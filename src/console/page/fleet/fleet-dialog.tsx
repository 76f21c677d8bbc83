/** Says something about the release of this host, in steps: what to say, what would change, and the result. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { FailureNote } from '../parts/notes.tsx';
import { ask } from '../state/answer.ts';
import { numbers, words } from '../state/language.ts';
import type { Failure } from '../state/request.ts';
import { confirmedText, type FleetAction } from './fleet-action.ts';
import { fleetWords, stateWords } from './words.ts';

interface FleetDialogProps {
  readonly action: FleetAction;
  /** The state that the reader has seen. */
  readonly fleet: FleetResponse;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

type Step =
  | { readonly kind: 'edit' }
  | { readonly kind: 'plan'; readonly failure?: Failure; readonly isSending?: boolean }
  | { readonly kind: 'done'; readonly state: string };

const hour = 3600;
const times = [hour, 4 * hour, 24 * hour, 7 * 24 * hour, 30 * 24 * hour];

export function FleetDialog({ action, fleet, onDone, onClose }: FleetDialogProps) {
  const text = fleetWords.value;
  // Whatever comes meanwhile, the reader decides about what was shown.
  const [seen] = useState(fleet);
  const [step, setStep] = useState<Step>({ kind: action === 'hold' ? 'edit' : 'plan' });
  const [hold, setHold] = useState<Hold>({ seconds: 4 * hour, reason: '' });
  const send = async () => {
    setStep({ kind: 'plan', isSending: true });
    const query = action === 'hold' ? { ...hold } : { generation: seen.release?.generation };
    const answer = await ask<FleetResponse>(`v1/fleet/${action}`, { method: 'POST', query });
    if (!answer.ok) return setStep({ kind: 'plan', failure: answer.error });
    setStep({ kind: 'done', state: answer.value.state });
    return onDone();
  };
  return (
    <Dialog title={text.titles[action]} onClose={onClose}>
      {step.kind === 'edit' && (
        <HoldForm
          hold={hold}
          setHold={setHold}
          onClose={onClose}
          onNext={() => setStep({ kind: 'plan' })}
        />
      )}
      {step.kind === 'plan' && (
        <form
          class="plan"
          onSubmit={(event) => {
            event.preventDefault();
            if (step.isSending !== true) void send();
          }}
        >
          <Effects action={action} seen={seen} hold={hold} />
          {step.failure !== undefined && <FailureNote failure={step.failure} />}
          <div class="buttons">
            <button
              type="button"
              onClick={action === 'hold' ? () => setStep({ kind: 'edit' }) : onClose}
            >
              {action === 'hold' ? text.stepBack : words.value.cancel}
            </button>
            <button type="submit" class="primary" disabled={step.isSending === true}>
              {step.isSending === true ? text.applying : text.apply[action]}
            </button>
          </div>
        </form>
      )}
      {step.kind === 'done' && <p role="status">{text.done(stateWords(step.state))}</p>}
    </Dialog>
  );
}

interface EffectsProps {
  readonly action: FleetAction;
  readonly seen: FleetResponse;
  readonly hold: Hold;
}

function Effects({ action, seen, hold: { seconds, reason } }: EffectsProps) {
  const text = fleetWords.value;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const generation = seen.release?.generation ?? 0;
  const now = Date.now();
  const effects = {
    keep: text.keepEffect(generation, confirmedText(seen)),
    back: text.backEffect(generation, confirmedText(seen)),
    hold: text.holdEffect(numbers.value.time(now + seconds * 1000, now)),
    resume: text.resumeEffect,
  };
  return (
    <>
      <h3 ref={heading} tabIndex={-1}>
        {text.wouldChange}
      </h3>
      <p>{effects[action]}</p>
      {action === 'hold' && (
        <p>
          {text.holdStays} <q>{reason}</q>
        </p>
      )}
    </>
  );
}

interface Hold {
  readonly seconds: number;
  readonly reason: string;
}

interface HoldFormProps {
  readonly hold: Hold;
  readonly setHold: (hold: Hold) => void;
  readonly onClose: () => void;
  readonly onNext: () => void;
}

function HoldForm({ hold, setHold, onClose, onNext }: HoldFormProps) {
  const text = fleetWords.value;
  const isReady = hold.reason.trim() !== '';
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady) onNext();
      }}
    >
      <label class="block">
        {text.holdFor}{' '}
        <select
          value={hold.seconds}
          onChange={(event) => setHold({ ...hold, seconds: Number(event.currentTarget.value) })}
        >
          {times.map((each) => (
            <option key={each} value={each}>
              {numbers.value.duration(each)}
            </option>
          ))}
        </select>
      </label>
      <label class="block">
        {text.holdReason}{' '}
        <input
          value={hold.reason}
          required
          maxLength={200}
          autocomplete="off"
          onInput={(event) => setHold({ ...hold, reason: event.currentTarget.value })}
        />
      </label>
      <div class="buttons">
        <button type="button" onClick={onClose}>
          {words.value.cancel}
        </button>
        <button type="submit" class="primary" disabled={!isReady}>
          {text.seeChange}
        </button>
      </div>
    </form>
  );
}
