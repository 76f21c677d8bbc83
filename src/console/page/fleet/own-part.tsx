/** This host in its fleet: which release is in force, and what root may say about it. */
import { useState } from 'preact/hooks';
import type { FleetEnded, FleetRelease, FleetResponse } from '../../../agent/api/fleet-api.ts';
import { CommandLine } from '../parts/command-line.tsx';
import { English } from '../parts/english.tsx';
import { Facts, type Fact } from '../parts/facts.tsx';
import { numbers } from '../state/language.ts';
import { sessionInfo } from '../state/session.ts';
import { actionsOf, confirmedText, type FleetAction } from './fleet-action.ts';
import { FleetDialog } from './fleet-dialog.tsx';
import { Sentences } from './sentences.tsx';
import { StateBadge } from './state-badge.tsx';
import { fleetWords, stateWords } from './words.ts';

interface OwnPartProps {
  readonly fleet: FleetResponse;
  readonly again: () => void;
}

export function OwnPart({ fleet, again }: OwnPartProps) {
  const text = fleetWords.value;
  const [action, setAction] = useState<FleetAction | undefined>();
  const { release, ended, problems } = fleet;
  const actions = sessionInfo.value?.readOnly === false ? actionsOf(fleet) : [];
  return (
    <section class="panel">
      <h2>{text.thisHost}</h2>
      <Facts facts={factsOf(fleet)} />
      {release !== undefined && <Sentences title={text.reasons} sentences={release.reasons} />}
      {ended !== undefined && <Ended ended={ended} />}
      <Sentences sentences={problems} isWarning />
      {actions.length > 0 && (
        <div class="buttons">
          {actions.map((each) => (
            <button type="button" key={each} onClick={() => setAction(each)}>
              {text.actions[each]}
            </button>
          ))}
        </div>
      )}
      {action !== undefined && (
        <FleetDialog
          action={action}
          fleet={fleet}
          onDone={again}
          onClose={() => setAction(undefined)}
        />
      )}
      <CommandLine command="bulkhead fleet status" />
    </section>
  );
}

function factsOf(fleet: FleetResponse): readonly Fact[] {
  const text = fleetWords.value;
  const { fleet: name, host = '', state, from, accept, heardSecondsAgo, newestGeneration } = fleet;
  const now = Date.now();
  return [
    { name: text.state, value: <StateBadge state={state} /> },
    { name: text.fleet, value: name === undefined ? undefined : text.as(name, host) },
    { name: text.inForce, value: releaseText(fleet.release) },
    { name: text.goesBackTo, value: confirmedText(fleet) },
    {
      name: text.newest,
      value: newestGeneration === undefined ? text.noneYet : text.generation(newestGeneration),
    },
    { name: text.held, value: heldText(fleet, now) },
    { name: text.rollout, value: rolloutText(fleet) },
    {
      name: text.from,
      value: from === undefined ? text.handedOver : <code>{from.join(' ')}</code>,
    },
    {
      name: text.accepts,
      value:
        accept === undefined ? undefined : accept.length === 0 ? (
          text.acceptsNothing
        ) : (
          <code>{accept.join(' ')}</code>
        ),
    },
    {
      name: text.lastContact,
      value:
        heardSecondsAgo === undefined
          ? undefined
          : numbers.value.ago(now - Math.max(1, heardSecondsAgo) * 1000, now),
    },
  ];
}

function releaseText(release: FleetRelease | undefined): string {
  const text = fleetWords.value;
  if (release === undefined) return text.onlyOwn;
  const { generation, phase, secondsLeft } = release;
  const shown = text.release(generation, stateWords(phase));
  if (secondsLeft === undefined) return shown;
  const time = numbers.value.duration(secondsLeft);
  const left = phase === 'watching' ? text.watchLeft(time) : text.confirmedIn(time);
  return `${shown}, ${left}`;
}

function heldText({ hold }: FleetResponse, now: number) {
  if (hold === undefined) return undefined;
  const until = numbers.value.time(now + hold.secondsLeft * 1000, now);
  return (
    <>
      {fleetWords.value.heldUntil(until)} <English>{hold.reason}</English>
    </>
  );
}

function rolloutText({ hasControllers, rollout }: FleetResponse) {
  const text = fleetWords.value;
  if (rollout === undefined) return hasControllers === true ? text.noWord : undefined;
  const { generation, verdict, issued, isFresh, reason } = rollout;
  return (
    <>
      {text.generation(generation)}: {text.verdicts[verdict]}{' '}
      {!isFresh && text.oldWord(numbers.value.dateTime(Date.parse(issued)))}{' '}
      {reason !== undefined && <English>{reason}</English>}
    </>
  );
}

function Ended({ ended: { generation, outcome, at, reasons } }: { readonly ended: FleetEnded }) {
  const text = fleetWords.value;
  const time = numbers.value.dateTime(at);
  return (
    <>
      <h3>
        {outcome === 'refused'
          ? text.refusedOn(generation, time)
          : text.rolledBackOn(generation, time)}
      </h3>
      <Sentences title={text.reasons} sentences={reasons} />
    </>
  );
}
