import type { StatusProps } from './drift-text.ts';

/** Whether the list of what needs somebody has an item. */
export function needsSomebody({ status, overview }: StatusProps): boolean {
  const { policy, placement, history } = status;
  const { drift, weak = [] } = overview ?? {};
  return (
    policy.state !== 'in force' ||
    policy.notGoingBack !== undefined ||
    placement.state === 'off' ||
    history.state === 'off' ||
    (drift?.differences ?? 0) > 0 ||
    [policy.problems, placement.outside, placement.unknown, weak].some(({ length }) => length > 0)
  );
}
