/** The snapshots of an incident: chosen by click or by the arrow keys, each with its processes. */
import { useEffect, useState } from 'preact/hooks';
import type { ProcessEvidence, Snapshot } from '../../../usage/incident.ts';
import { numbers } from '../state/language.ts';
import { words } from './words.ts';

const shownMax = 25;

interface SnapshotsProps {
  readonly snapshots: readonly Snapshot[];
  /** Whether the caller may see command lines. */
  readonly showCommands: boolean;
}

export function Snapshots({ snapshots, showCommands }: SnapshotsProps) {
  const [chosen, setChosen] = useState(() => heaviest(snapshots));
  const { incident } = words.value;
  useEffect(() => {
    const step = (event: KeyboardEvent) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.target instanceof Element && event.target.matches('input, select, textarea'))
        return;
      event.preventDefault();
      setChosen((before) => Math.min(Math.max(before + by, 0), snapshots.length - 1));
    };
    addEventListener('keydown', step);
    return () => removeEventListener('keydown', step);
  }, [snapshots.length]);
  const snapshot = snapshots[chosen];
  if (snapshot === undefined) return <p class="quiet">{incident.noLooks}</p>;
  return (
    <section>
      <h2>
        {incident.looks}{' '}
        <span class="quiet">{incident.looksHint(numbers.value.number(snapshots.length))}</span>
      </h2>
      <div class="looks" role="group" aria-label={incident.looks}>
        {snapshots.map(({ at }, index) => (
          <button
            type="button"
            key={at}
            class="small"
            aria-pressed={index === chosen}
            title={numbers.value.dateTime(at)}
            onClick={() => setChosen(index)}
          >
            {index + 1}
            <span class="hidden"> {incident.look(numbers.value.dateTime(at))}</span>
          </button>
        ))}
      </div>
      <p aria-live="polite">{lineOf(snapshot)}</p>
      <Processes snapshot={snapshot} before={snapshots[chosen - 1]} showCommands={showCommands} />
    </section>
  );
}

/** Returns the index of the snapshot with the most CPU, where it is most likely to show the cause. */
const heaviest = (snapshots: readonly Snapshot[]): number =>
  snapshots.reduce(
    (best, { usage }, at) => (usage.cpu > (snapshots[best]?.usage.cpu ?? 0) ? at : best),
    0,
  );

function lineOf({ at, usage, processCount }: Snapshot): string {
  const { incident, tenant } = words.value;
  const { percent, bytes, dateTime } = numbers.value;
  const line = incident.lookLine(
    percent(usage.cpu),
    bytes(usage.memory),
    incident.processes(processCount),
  );
  return tenant.charts.at(dateTime(at), line);
}

interface ProcessesProps {
  readonly snapshot: Snapshot;
  readonly before: Snapshot | undefined;
  readonly showCommands: boolean;
}

function Processes({ snapshot, before, showCommands }: ProcessesProps) {
  const { columns, shownOf } = words.value.incident;
  const { number, bytes, duration } = numbers.value;
  const shown = snapshot.processes.slice(0, shownMax);
  return (
    <div class="scrolls" tabIndex={0} role="region" aria-label={words.value.incident.looks}>
      <table class="processes">
        <thead>
          <tr>
            <th scope="col" class="number">
              {columns.pid}
            </th>
            <th scope="col">{showCommands ? columns.command : columns.program}</th>
            <th scope="col" class="number">
              {columns.cpu}
            </th>
            <th scope="col" class="number">
              {columns.memory}
            </th>
            <th scope="col" class="number wide">
              {columns.read}
            </th>
            <th scope="col" class="number wide">
              {columns.age}
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((each) => (
            <tr key={each.pid}>
              <td class="number">{each.pid}</td>
              <th scope="row">
                <code>{showCommands ? each.command : each.name}</code>
              </th>
              <td class="number">{seconds(cpuSince(each, before))}</td>
              <td class="number">{bytes(each.memoryBytes)}</td>
              <td class="number wide">
                {each.readBytes === undefined ? '' : bytes(each.readBytes)}
              </td>
              <td class="number wide">
                {each.ageSeconds === undefined ? '' : duration(each.ageSeconds)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {snapshot.processCount > shown.length && (
        <p class="quiet">{shownOf(number(shown.length), number(snapshot.processCount))}</p>
      )}
    </div>
  );
}

const seconds = (value: number | undefined) =>
  value === undefined ? '' : `${numbers.value.number(value, 1)} s`;

/** Returns the CPU time since the snapshot before; since the start for a process that was not in it. */
function cpuSince({ pid, name, cpuSeconds }: ProcessEvidence, before: Snapshot | undefined) {
  if (cpuSeconds === undefined) return undefined;
  const known = before?.processes.find((each) => each.pid === pid && each.name === name);
  const used = cpuSeconds - (known?.cpuSeconds ?? 0);
  // Another process may have got the pid.
  return used < 0 ? cpuSeconds : used;
}
