/** The login step as an entry path: its effect in each PAM service. */
import type {
  SessionFacts,
  EntryPathContext,
  EntryPathKnowledge,
} from '../../host/entry-paths/entry-paths.ts';
import { hasSlicesOnly, type LoginView, type ServiceView } from '../core/view.ts';
import { surveyLogin } from '../io/survey.ts';
import { stepOf } from '../io/step.ts';

export function loginEntryPaths({ paths }: EntryPathContext): EntryPathKnowledge {
  const view = surveyLogin(stepOf(paths), paths);
  return { sessions: view.services.map((each) => sessionOf(each, view)) };
}

/**
 * Returns the facts of a session: it is placed only if each tenant's is, whether a slice or not.
 */
export function sessionOf(service: ServiceView, view: LoginView): SessionFacts {
  const reasons = [
    service.inSlice === undefined ? undefined : whyNotInSlice(service, view),
    hasSlicesOnly(view) ? undefined : whyNot(service, view),
  ];
  const reason = reasons.find((each) => each !== undefined);
  const about = { service: service.service, ...jailOf(service, view) };
  return reason === undefined ? { ...about, placed: true } : { ...about, placed: false, reason };
}

function jailOf(
  { service, entersJail }: ServiceView,
  { jail }: LoginView,
): Pick<SessionFacts, 'jail'> {
  if (jail === undefined) return {};
  if (entersJail) return { jail: { entered: true } };
  const reason = jail.usable
    ? `no step of ${service} enters the jail`
    : `${jail.module} is not there to enter the jail`;
  return { jail: { entered: false, reason } };
}

function whyNotInSlice({ service, inSlice }: ServiceView, view: LoginView): string | undefined {
  if (inSlice === 'by pam_systemd') return undefined;
  if (inSlice === 'by pam_systemd, if alone')
    return `pam_systemd does nothing for ${service} within another session`;
  return inSlice === 'not run' ? notRun(service) : whyUseless(view);
}

function whyNot({ service, outcome }: ServiceView, view: LoginView): string | undefined {
  if (outcome === 'not run') return notRun(service);
  if (outcome === 'taken back') return `pam_systemd takes it back in ${service}`;
  return whyUseless(view);
}

const notRun = (service: string) => `the login step does not run for ${service}`;

function whyUseless({ step, logins }: LoginView): string | undefined {
  if (!step.executable) return `${step.path} is missing or cannot be executed`;
  return logins === undefined ? 'no policy is in force' : undefined;
}
