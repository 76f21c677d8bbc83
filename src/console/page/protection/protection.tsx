/** Protection: the guards as they are now, and what commands found when they last ran: the layers, and the attacks. */
import type { LayerState } from '../../../../packages/base/layer.ts';
import type {
  LadderReport,
  ProofReport,
  ProtectionResponse,
  ProvedAttack,
} from '../../../agent/responses/protection-response.ts';
import { Badge } from '../parts/badge.tsx';
import { Disclosure } from '../parts/dialog.tsx';
import { English } from '../parts/english.tsx';
import { Answered } from '../parts/notes.tsx';
import { Tile, Tiles } from '../parts/tile.tsx';
import { useAnswer } from '../state/answer.ts';
import { numbers } from '../state/language.ts';
import { Kept } from './kept.tsx';
import { attackWords } from './layer-words.ts';
import { layerName, Layers } from './layers.tsx';
import { protectionWords } from './words.ts';

const refreshSeconds = 30;

export function Protection() {
  const asked = useAnswer<ProtectionResponse>('v1/protection', {}, refreshSeconds);
  const text = protectionWords.value;
  return (
    <Answered asked={asked}>
      {(answer) => (
        <>
          <Guards answer={answer} />
          <Problems problems={answer.problems} />
          <Kept title={text.ladder} command="bulkhead setup status" kept={answer.ladder}>
            {(report) => <Ladder report={report} />}
          </Kept>
          <Kept title={text.proof} command="bulkhead prove" kept={answer.proof}>
            {(report) => <Proof report={report} />}
          </Kept>
        </>
      )}
    </Answered>
  );
}

export const Problems = ({ problems }: { readonly problems: readonly string[] }) =>
  problems.length === 0 ? null : (
    <ul class="warning">
      {problems.map((each) => (
        <li key={each}>
          <English>{each}</English>
        </li>
      ))}
    </ul>
  );

const guardNames = ['strict-placement', 'jails', 'symlink-guard', 'modules-gate'] as const;

type Guard = ProtectionResponse['guards'][number];

function Guards({
  answer: { guards, entriesCountedSince },
}: {
  readonly answer: ProtectionResponse;
}) {
  const text = protectionWords.value;
  return (
    <section>
      <h2>{text.guards}</h2>
      <Tiles>
        {guardNames.map((name) => {
          const guard = guards.find((each) => each.name === name);
          const state = guard?.state ?? 'unknown';
          return (
            <Tile
              key={name}
              title={text.guardNames[name]}
              value={
                <Badge
                  kind={state === 'on' ? 'good' : state === 'off' ? 'plain' : 'throttled'}
                  text={text.guardStates[state]}
                />
              }
              note={<span class="wraps">{noteOf(guard)}</span>}
            />
          );
        })}
        <Tile
          title={text.webRequests}
          value={
            <Badge
              kind={entriesCountedSince === undefined ? 'plain' : 'good'}
              text={entriesCountedSince === undefined ? text.notReported : text.reported}
            />
          }
          note={
            <span class="wraps">
              {entriesCountedSince === undefined
                ? text.notReportedHint
                : text.since(numbers.value.dateTime(entriesCountedSince))}
            </span>
          }
        />
      </Tiles>
    </section>
  );
}

function noteOf(guard: Guard | undefined): string {
  const text = protectionWords.value;
  if (guard === undefined) return text.guardUnknown;
  const { state, refused } = guard;
  if (refused === undefined) return text.refusedUnknown;
  return state === 'watch' ? text.wouldHaveRefused(refused) : text.refused(refused);
}

/** The states, the worst first, as somebody reads who wants to do something about them. */
const states: readonly LayerState[] = [
  'open',
  'unknown',
  'watched',
  'partly',
  'unavailable',
  'enforced',
];
function Ladder({ report: { level, layers, slippedBack } }: { readonly report: LadderReport }) {
  const text = protectionWords.value;
  const counts = states
    .map((state) => ({ state, count: layers.filter((each) => each.state === state).length }))
    .filter(({ count }) => count > 0);
  return (
    <>
      <p>
        {level === null ? text.noSetup : text.level(level)}{' '}
        {numbers.value.list(counts.map(({ state, count }) => `${count} ${text.states[state]}`))}.
      </p>
      {slippedBack.length > 0 && (
        <p class="at-limit">{text.slippedBack(numbers.value.list(slippedBack.map(layerName)))}</p>
      )}
      {states.map((state) => (
        <Layers key={state} state={state} layers={layers.filter((each) => each.state === state)} />
      ))}
    </>
  );
}

function Proof({ report: { kernel, entries, broken } }: { readonly report: ProofReport }) {
  const text = protectionWords.value;
  const isBroken = (each: ProvedAttack) => broken.includes(each.attack);
  const through = entries.filter((each) => each.verdict === 'not blocked' && !isBroken(each));
  const untried = entries.filter(({ verdict }) => verdict === 'not available');
  const blocked = entries.filter(({ verdict }) => verdict === 'blocked');
  return (
    <>
      <p>
        <b class={broken.length === 0 ? undefined : 'at-limit'}>
          {broken.length === 0 ? text.nothingBroken : text.broken(broken.length)}
        </b>{' '}
        {text.proved(blocked.length, entries.length, kernel)}
      </p>
      <Attacks entries={entries.filter(isBroken)} />
      <Attacks entries={through} />
      {untried.length > 0 && (
        <Disclosure summary={text.untried(untried.length)}>
          <Attacks entries={untried} />
        </Disclosure>
      )}
      {blocked.length > 0 && (
        <Disclosure summary={text.showBlocked(blocked.length)}>
          <Attacks entries={blocked} />
        </Disclosure>
      )}
    </>
  );
}

const Attacks = ({ entries }: { readonly entries: readonly ProvedAttack[] }) => (
  <ul class="list">
    {entries.map((each) => (
      <Attack key={each.attack} entry={each} />
    ))}
  </ul>
);

function Attack({ entry }: { readonly entry: ProvedAttack }) {
  const { attack, summary, verdict, detail, demanded, remedy } = entry;
  const all = attackWords.value;
  const known = Object.hasOwn(all, attack) ? all[attack] : undefined;
  const kind =
    verdict === 'blocked' ? 'good' : verdict === 'not blocked' && demanded ? 'killed' : 'plain';
  return (
    <li>
      <span>
        <Badge kind={kind} text={protectionWords.value.verdicts[verdict]} /> <code>{attack}</code>{' '}
        {known?.summary ?? <English>{summary}</English>}
      </span>
      <English class="quiet">{detail}</English>
      {verdict === 'not blocked' &&
        (known === undefined ? <English>{remedy}</English> : <span>{known.remedy}</span>)}
    </li>
  );
}
