/** Answers one question about the policy. */
import type { PolicyCapability } from '../../apply/capability.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { checkRelease } from './check-release.ts';
import { answer, refusal } from './job-answer.ts';
import { planOnSeen, goBack, writeChange } from './write-change.ts';
import { policyContext, type PolicyContext } from './policy-context.ts';
import type { ChangeQuestion, PolicyJob, PolicyJobAnswer } from './policy-job.ts';
import { neutralAnswer } from './neutral-answer.ts';
import { readPolicy } from './policy-document.ts';
import { answerChange, answerChanges } from './recorded-changes.ts';
import { readChangeRequest, type ChangeRequest } from './request-body.ts';
import { simulateChange } from './simulate-change.ts';

export async function runPolicyJob(
  job: PolicyJob,
  capabilities: readonly PolicyCapability[],
): Promise<PolicyJobAnswer> {
  const context = await policyContext(job, capabilities);
  return neutralAnswer(await answerOf(context, job), context, job.question);
}

async function answerOf(context: PolicyContext, { question }: PolicyJob): Promise<PolicyJobAnswer> {
  switch (question.kind) {
    case 'read':
      return readPolicy(context);
    case 'plan':
      return withRequest(question, (request) => plan(context, request.change, question));
    case 'undo':
      return plan(context, { kind: 'undo', number: question.number }, question);
    case 'write':
      return withRequest(question, (request) =>
        writeChange(context, request, question.etag, question.tick),
      );
    case 'simulate':
      return withRequest(question, (request) => simulateChange(context, request));
    case 'changes':
      return answerChanges(context, question);
    case 'change':
      return answerChange(context, question);
    case 'go back':
      return goBack(context);
    case 'release':
      return answer(checkRelease(context, question));
  }
}

async function plan(
  context: PolicyContext,
  change: ChangeRequest['change'],
  { etag, tick }: Omit<ChangeQuestion, 'body'>,
): Promise<PolicyJobAnswer> {
  const made = await planOnSeen(context, change, etag, tick);
  return made.ok ? answer(made.value.plan) : made.error;
}

async function withRequest(
  { body }: ChangeQuestion,
  use: (request: ChangeRequest) => Promise<PolicyJobAnswer>,
): Promise<PolicyJobAnswer> {
  const request = readChangeRequest(body);
  return request.ok ? use(request.value) : wrongBody(request.error);
}

const wrongBody = (cause: Cause): PolicyJobAnswer =>
  refusal(400, { action: 'read the request', ...cause });
