/** The state of the host in words: what is enforced, and what needs somebody. */
import { lazy } from '../parts/lazy.tsx';
import { numbers } from '../state/language.ts';
import { driftText, type StatusProps } from './drift-text.ts';
import { needsSomebody } from './needs-somebody.ts';
import { words } from './words.ts';

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

/** It comes with its words, which hosts that need nobody do not load. */
const Panel = lazy(async () => (await import('./attention-panel.tsx')).AttentionPanel);

export const Attention = (props: StatusProps) =>
  needsSomebody(props) ? <Panel {...props} /> : null;
