/**
 * The survey of web servers for a policy that was loaded once. A command that has changed something loads the policy again,
 * and asks the servers again.
 */
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { findWebPrograms } from '../io/find-programs.ts';
import { surveyWeb, type Survey } from '../io/survey.ts';
import { tenancyOf } from './tenancy.ts';

const surveys = new WeakMap<Policy, Promise<Survey>>();

export function surveyOnce(paths: Paths, policy: Policy | undefined): Promise<Survey> {
  const known = policy && surveys.get(policy);
  if (known !== undefined) return known;
  const survey = surveyWeb(findWebPrograms(), tenancyOf(paths, policy));
  if (policy !== undefined) surveys.set(policy, survey);
  return survey;
}
