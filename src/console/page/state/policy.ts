/** The policy, and questions that plan and make changes to it. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type {
  PolicyEditRequest,
  PolicyKept,
  PolicyPending,
  PolicyPlan,
  PolicyResponse,
  PolicySimulateRequest,
  PolicyWriteRequest,
  PolicyWritten,
} from '../../../agent/api/policy-api.ts';
import { ask, useAnswer, type Asked } from './answer.ts';
import { frame } from './stream.ts';

/** A change that goes back unless somebody keeps it, with the time of this browser at which it does. */
export interface Pending extends PolicyPending {
  readonly endsAt: number;
}

/** The change that goes back, as far as this page has heard of it. */
export const pending = signal<Pending | undefined>(undefined);

/** The clocks of server and browser may differ, so only the seconds count. */
export function notePending(now: PolicyPending | undefined): void {
  pending.value = now && { ...now, endsAt: Date.now() + now.secondsLeft * 1000 };
}

/** Asks for the policy, and again when another one is in force. */
export function usePolicy(): Asked<PolicyResponse> {
  const asked = useAnswer<PolicyResponse>('v1/policy');
  const { value, again } = asked;
  const generation = frame.value?.generation;
  useEffect(() => {
    if (value !== undefined) again();
  }, [generation]);
  useEffect(() => {
    if (value !== undefined) notePending(value.pending ?? value.othersPending?.[0]);
  }, [value]);
  return asked;
}

export const planChange = (body: PolicyEditRequest, ifMatch: string) =>
  body.undo === undefined
    ? ask<PolicyPlan>('v1/policy/plan', { method: 'POST', body, ifMatch })
    : ask<PolicyPlan>(`v1/policy/changes/${body.undo}/undo`, { method: 'POST' });

export const writeChange = (body: PolicyWriteRequest, ifMatch: string) =>
  ask<PolicyWritten>('v1/policy', { method: 'PUT', body, ifMatch });

export const keepChange = ({ change }: PolicyPending) =>
  ask<PolicyKept>('v1/policy/keep', {
    method: 'POST',
    body: { ...(change !== undefined && { change }) },
  });

/** The agent gives the question up when `signal` is aborted. */
export const simulateChange = <Answer>(body: PolicySimulateRequest, signal: AbortSignal) =>
  ask<Answer>('v1/policy/simulate', { method: 'POST', body, signal });
