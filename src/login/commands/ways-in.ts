/** What the login step does in each service of PAM, as a way in. */
import type { SessionFacts, WayContext, WayKnowledge } from '../../host/ways/ways-in.ts';
import type { LoginView, ServiceView } from '../core/view.ts';
import { surveyLogin } from '../io/survey.ts';
import { stepOf } from '../io/step.ts';

export function loginWaysIn({ paths }: WayContext): WayKnowledge {
  const view = surveyLogin(stepOf(paths), paths);
  return { sessions: view.services.map((each) => sessionOf(each, view)) };
}

function sessionOf({ service, outcome }: ServiceView, { step, logins }: LoginView): SessionFacts {
  const not = (reason: string): SessionFacts => ({ service, placed: false, reason });
  if (outcome === 'not run') return not(`the login step does not run for ${service}`);
  if (outcome === 'taken back') return not(`pam_systemd takes it back in ${service}`);
  if (!step.executable) return not(`${step.path} is missing or cannot be executed`);
  return logins === undefined ? not('no policy is in force') : { service, placed: true };
}
