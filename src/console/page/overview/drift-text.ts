/** Differences from the policy in words, for the sentence on the state and for what needs attention. */
import type { FoundDrift, OverviewResponse } from '../../../agent/api/report-api.ts';
import type { StatusResponse } from '../../../agent/api/status-response.ts';
import { numbers } from '../state/language.ts';
import { words } from './words.ts';

export interface StatusProps {
  readonly status: StatusResponse;
  /** Absent until it is known, and for those who do not see it. */
  readonly overview?: OverviewResponse | undefined;
}

export function driftText(drift: FoundDrift | undefined): string {
  const { overview } = words.value;
  if (drift === undefined) return overview.driftUnknown;
  const time = numbers.value.time(drift.at, Date.now());
  return overview.drift(drift.differences, time);
}
