/** The state of the host in words: what is enforced, and what needs somebody. */
import type { FoundDrift, OverviewResponse } from '../../../agent/api/report-api.ts';
import type { StatusResponse } from '../../../agent/api/status-response.ts';
import { lazy } from '../parts/lazy.tsx';
import { numbers } from '../state/language.ts';
import { AttentionList, type AttentionItem } from './attention-list.tsx';
import { words } from './words.ts';

interface StatusProps {
  readonly status: StatusResponse;
  /** Absent until it is known, and for those who do not see it. */
  readonly overview?: OverviewResponse | undefined;
}

const outsideMax = 100;

export function StateSentence({ status, overview: host }: StatusProps) {
  const { overview } = words.value;
  const drift = host?.drift;
  const { starting, policy, placement, tenants } = status;
  if (starting !== undefined) return <p class="sentence">{overview.starting(starting.percent)}</p>;
  const isEnforced =
    policy.state === 'in force' &&
    placement.outside.length === 0 &&
    placement.unknown.length === 0 &&
    (drift?.differences ?? 0) === 0;
  const since = numbers.value.time(policy.stateChangedAt, Date.now());
  const outside = placement.outside.length;
  return (
    <p class="sentence">
      <b class="badge" data-kind={isEnforced ? 'good' : 'killed'}>
        {isEnforced ? overview.allEnforced : overview.notAllEnforced}
      </b>{' '}
      {policy.state === 'in force' && overview.state(tenants, since)}{' '}
      {outside === 0 ? overview.noneOutside : overview.outside(outside)}{' '}
      {host !== undefined && driftText(drift)}
    </p>
  );
}

/** The reasons come with their words, which hosts without weak limits do not load. */
const WeakLimits = lazy(async () => (await import('./weak-limits.tsx')).WeakLimits);

export function Attention({ status, overview }: StatusProps) {
  const { drift, weak = [] } = overview ?? {};
  const items = [...attentionOf(status)];
  if (drift && drift.differences > 0)
    items.unshift({ title: driftText(drift), details: drift.lines });
  if (items.length === 0 && weak.length === 0) return null;
  return (
    <section class="panel">
      <h2>{words.value.overview.attention}</h2>
      {items.length > 0 && <AttentionList items={items} />}
      {weak.length > 0 && <WeakLimits weak={weak} />}
    </section>
  );
}

function driftText(drift: FoundDrift | undefined): string {
  const { overview } = words.value;
  if (drift === undefined) return overview.driftUnknown;
  const time = numbers.value.time(drift.at, Date.now());
  return overview.drift(drift.differences, time);
}

function attentionOf({ policy, placement, history }: StatusResponse): readonly AttentionItem[] {
  const { overview } = words.value;
  const items: readonly (AttentionItem | undefined)[] = [
    policy.state === 'in force' && policy.problems.length === 0
      ? undefined
      : {
          title: overview.policyProblems[policy.state],
          details: policy.problems,
        },
    placement.outside.length === 0
      ? undefined
      : {
          title: overview.outside(placement.outside.length),
          details: placement.outside
            .slice(0, outsideMax)
            .map(({ pid, uid, reason }) => `${overview.process(pid, uid)}: ${reason}`),
        },
    placement.unknown.length === 0
      ? undefined
      : { title: overview.unknownOutside, details: placement.unknown },
    placement.state !== 'off'
      ? undefined
      : { title: overview.placementOff, details: listed(placement.problem) },
    history.state === 'on'
      ? undefined
      : { title: overview.historyOff, details: listed(history.problem) },
  ];
  return items.filter((each) => each !== undefined);
}

const listed = (text: string | undefined): readonly string[] => (text === undefined ? [] : [text]);
