/**
 * One change from the first question to its result: edit → plan → written.
 *
 * A plan is always for the text of now. If the file has another text by then, the agent plans the same edits on it, and
 * that plan is shown before anything is written. A whole text has no such plan: its author must compare.
 */
import { useState } from 'preact/hooks';
import type {
  PolicyConflict,
  PolicyEditRequest,
  PolicyPlan,
  PolicyWritten,
} from '../../../agent/api/policy-api.ts';
import { notePending, planChange, writeChange } from '../state/policy.ts';
import type { Failure } from '../state/request.ts';

/** Why a plan is another one than was asked for: the file has another text, or the effects are others. */
type Surprise = 'other text' | 'other effects';

export type Step =
  | { readonly kind: 'edit'; readonly failure?: Failure; readonly conflict?: TextConflict }
  | { readonly kind: 'planning' }
  | {
      readonly kind: 'plan';
      readonly request: PolicyEditRequest;
      readonly plan: PolicyPlan;
      readonly isWriting: boolean;
      readonly surprise?: Surprise;
      readonly failure?: Failure;
    }
  | { readonly kind: 'done'; readonly written: PolicyWritten };

type PlanStep = Extract<Step, { readonly kind: 'plan' }>;

/** A whole text that was written for another text than the file has. */
interface TextConflict {
  readonly request: PolicyEditRequest;
  /** The ETag of the text that the file has. */
  readonly etag: string;
}

export interface Change {
  readonly step: Step;
  readonly plan: (request: PolicyEditRequest, etag: string) => Promise<void>;
  readonly write: (revertAfterSeconds?: number) => Promise<void>;
  readonly back: () => void;
}

const changedMeanwhile = 412;
const otherEffects = 409;
/** Somebody may change the file each time; then the reader decides. */
const attemptsMax = 3;

export function useChange(): Change {
  const [step, setStep] = useState<Step>({ kind: 'edit' });
  const back = () => setStep({ kind: 'edit' });
  const plan = async (request: PolicyEditRequest, etag: string) => {
    setStep({ kind: 'planning' });
    setStep(await planned(request, etag));
  };
  const write = async (revertAfterSeconds?: number) => {
    if (step.kind !== 'plan' || step.isWriting) return;
    setStep({ ...step, isWriting: true });
    setStep(await written(step, revertAfterSeconds));
  };
  return { step, plan, write, back };
}

async function planned(request: PolicyEditRequest, etag: string, attempt = 1): Promise<Step> {
  const answer = await planChange(request, etag);
  if (answer.ok) {
    const isOther = attempt > 1 && { surprise: 'other text' as const };
    return { kind: 'plan', request, plan: answer.value, isWriting: false, ...isOther };
  }
  const { error: failure } = answer;
  const conflict = failure.status === changedMeanwhile ? conflictOf(failure) : undefined;
  if (conflict === undefined || attempt === attemptsMax) return { kind: 'edit', failure };
  if (request.text !== undefined)
    return { kind: 'edit', conflict: { request, etag: conflict.etag } };
  if (conflict.plan !== undefined) return planStep(request, conflict.plan, 'other text');
  return planned(request, conflict.etag, attempt + 1);
}

async function written(step: PlanStep, revertAfterSeconds?: number): Promise<Step> {
  const { request, plan } = step;
  const extra = revertAfterSeconds !== undefined && { revertAfterSeconds };
  const answer = await writeChange({ ...request, planned: plan.planId, ...extra }, plan.etag);
  if (answer.ok) {
    notePending(answer.value.pending);
    return { kind: 'done', written: answer.value };
  }
  const { error: failure } = answer;
  const conflict = conflictOf(failure);
  if (failure.status === changedMeanwhile && conflict !== undefined) {
    if (request.text !== undefined)
      return { kind: 'edit', conflict: { request, etag: conflict.etag } };
    if (conflict.plan === undefined) return planned(request, conflict.etag, 2);
    return planStep(request, conflict.plan, 'other text');
  }
  if (failure.status === otherEffects && conflict?.plan !== undefined)
    return planStep(request, conflict.plan, 'other effects');
  return { ...step, isWriting: false, failure };
}

const planStep = (request: PolicyEditRequest, plan: PolicyPlan, surprise: Surprise): PlanStep => ({
  kind: 'plan',
  request,
  plan,
  isWriting: false,
  surprise,
});

function conflictOf({ error }: Failure): PolicyConflict | undefined {
  const conflict = error as Partial<PolicyConflict> | undefined;
  return typeof conflict?.etag === 'string' ? (conflict as PolicyConflict) : undefined;
}
