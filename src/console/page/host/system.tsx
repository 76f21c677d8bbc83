/** More: the agent, the sessions of the console, and a test of the alerts. */
import { useState } from 'preact/hooks';
import type { AlertsTestResponse } from '../../../agent/api/api.ts';
import type {
  ConsoleSessionResponse,
  ConsoleSessionsResponse,
} from '../../../agent/api/console-api.ts';
import type { StatusResponse } from '../../../agent/api/status-response.ts';
import { Attention } from '../overview/attention.tsx';
import { CommandLine } from '../parts/command-line.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { English } from '../parts/english.tsx';
import { Facts, type Fact } from '../parts/facts.tsx';
import { Answered, FailureNote } from '../parts/notes.tsx';
import { ask, useAnswer } from '../state/answer.ts';
import { numbers } from '../state/language.ts';
import { role } from '../state/live.ts';
import type { Failure } from '../state/request.ts';
import { logOut, sessionInfo } from '../state/session.ts';
import { words } from './words.ts';

const refreshSeconds = 30;

export const System = () => (
  <>
    {role.value === 'root' && <Agent />}
    <Sessions />
    {role.value === 'root' && <AlertsTest />}
  </>
);

function Agent() {
  const asked = useAnswer<StatusResponse>('v1/status', {}, refreshSeconds);
  return (
    <Answered asked={asked}>
      {(status) => (
        <>
          <section class="panel">
            <h2>{words.value.system.status}</h2>
            <Facts facts={factsOf(status)} />
            <CommandLine command="bulkhead status" />
          </section>
          <Attention status={status} />
        </>
      )}
    </Answered>
  );
}

function factsOf(status: StatusResponse): readonly Fact[] {
  const { system } = words.value;
  const { number, bytes, dateTime, duration } = numbers.value;
  const { policy, placement, tick, history, tcp } = status;
  const { durationSeconds } = tick;
  const milliseconds = durationSeconds === undefined ? undefined : durationSeconds * 1000;
  return [
    { name: system.version, value: status.version },
    { name: system.driver, value: status.driver },
    { name: system.instance, value: status.instance },
    { name: system.startedAt, value: dateTime(status.startedAt) },
    { name: system.policyFile, value: <code>{policy.file}</code> },
    { name: system.policyState, value: system.policyStates[policy.state] },
    { name: system.tick, value: duration(tick.intervalSeconds) },
    {
      name: system.lastTick,
      value: milliseconds === undefined ? undefined : `${number(milliseconds)} ms`,
    },
    { name: system.placement, value: system.placementStates[placement.state] },
    { name: system.moved, value: number(placement.migrated) },
    { name: system.outside, value: number(placement.outside.length) },
    { name: system.history, value: historyText(history) },
    { name: system.memory, value: bytes(status.memoryBytes) },
    { name: system.tcp, value: tcp?.addresses.map((each) => `${each}:${tcp.port}`).join(', ') },
  ];
}

function historyText({ state, bytes, oldestAt }: StatusResponse['history']): string {
  const { system } = words.value;
  if (state === 'off') return system.historyOff;
  const size = numbers.value.bytes(bytes);
  return oldestAt === undefined ? size : system.oldest(size, numbers.value.dateTime(oldestAt));
}

function Sessions() {
  const asked = useAnswer<ConsoleSessionsResponse>('v1/console/sessions', {}, refreshSeconds);
  const [failure, setFailure] = useState<Failure | undefined>();
  const [ending, setEnding] = useState<ConsoleSessionResponse | undefined>();
  const { system } = words.value;
  const end = async ({ id, isCurrent }: ConsoleSessionResponse) => {
    setEnding(undefined);
    if (isCurrent) return logOut();
    const ended = await ask('v1/console/end', { method: 'POST', query: { id } });
    setFailure(ended.ok ? undefined : ended.error);
    asked.again();
    return undefined;
  };
  return (
    <section class="panel">
      <h2>{system.sessions}</h2>
      {failure !== undefined && <FailureNote failure={failure} />}
      <Answered asked={asked}>
        {({ sessions }) => <SessionTable sessions={sessions} end={setEnding} />}
      </Answered>
      {ending !== undefined && (
        <Dialog title={system.endSession(ending.user)} onClose={() => setEnding(undefined)}>
          <p>{system.endQuestion(ending.user, numbers.value.dateTime(ending.startedAt))}</p>
          <button type="button" class="primary" onClick={() => void end(ending)}>
            {system.end}
          </button>
        </Dialog>
      )}
      <CommandLine command="bulkhead console sessions" />
    </section>
  );
}

interface SessionTableProps {
  readonly sessions: readonly ConsoleSessionResponse[];
  readonly end: (session: ConsoleSessionResponse) => void;
}

function SessionTable({ sessions, end }: SessionTableProps) {
  const { system, shell } = words.value;
  const { columns } = system;
  const { dateTime, duration } = numbers.value;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{columns.user}</th>
          <th scope="col" class="wide">
            {columns.by}
          </th>
          <th scope="col" class="wide">
            {columns.started}
          </th>
          <th scope="col">{columns.left}</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {sessions.map((each) => (
          <tr key={each.id}>
            <th scope="row">
              {each.user} {each.isCurrent && <b>({system.ownSession})</b>}{' '}
              {each.readOnly && <span class="quiet">{shell.readOnly}</span>}
            </th>
            <td class="wide">{each.by}</td>
            <td class="wide">{dateTime(each.startedAt)}</td>
            <td>{duration(Math.min(each.idleSecondsLeft, each.secondsLeft))}</td>
            <td class="number">
              {(each.isCurrent || sessionInfo.value?.readOnly !== true) && (
                <button
                  type="button"
                  class="small"
                  aria-label={system.endSession(each.user)}
                  onClick={() => end(each)}
                >
                  {system.end}
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

type TestState =
  | { readonly kind: 'idle' | 'sending' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'done'; readonly results: AlertsTestResponse['results'] };

function AlertsTest() {
  const { system } = words.value;
  const [state, setState] = useState<TestState>({ kind: 'idle' });
  const isReadOnly = sessionInfo.value?.readOnly === true;
  const send = async () => {
    setState({ kind: 'sending' });
    const answer = await ask<AlertsTestResponse>('v1/alerts/test', { method: 'POST' });
    setState(
      answer.ok
        ? { kind: 'done', results: answer.value.results }
        : { kind: 'failed', failure: answer.error },
    );
  };
  return (
    <section class="panel">
      <h2>{system.alerts}</h2>
      <p>{isReadOnly ? system.readOnly : system.alertsHint}</p>
      <button
        type="button"
        disabled={isReadOnly || state.kind === 'sending'}
        onClick={() => void send()}
      >
        {state.kind === 'sending' ? system.sending : system.sendTest}
      </button>
      <div role="status">{state.kind === 'done' && <TestResults results={state.results} />}</div>
      {state.kind === 'failed' && <FailureNote failure={state.failure} />}
      <CommandLine command="bulkhead alerts test" />
    </section>
  );
}

function TestResults({ results }: { readonly results: AlertsTestResponse['results'] }) {
  const { system } = words.value;
  if (results.length === 0) return <p>{system.noAlerts}</p>;
  return (
    <ul class="list">
      {results.map(({ to, ok, problem }) => (
        <li key={to}>
          {to}
          <span class="badge" data-kind={ok ? 'good' : 'killed'}>
            {ok ? system.sent : system.notSent}
          </span>
          {problem !== undefined && <English class="quiet">{problem}</English>}
        </li>
      ))}
    </ul>
  );
}
