/** The login step as an entry path: its effect in each PAM service. */
import { formatCause, type Cause } from '../../../packages/base/problem.ts';
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
  const cause =
    (service.inSlice === undefined ? undefined : whyNotInSlice(service, view)) ??
    (hasSlicesOnly(view) ? undefined : whyNot(service, view));
  const about = { service: service.service, ...jailOf(service, view) };
  return cause === undefined
    ? { ...about, placed: true }
    : { ...about, placed: false, reason: formatCause(cause) };
}

function jailOf(
  { service, entersJail, outsideJails, refusesJailed, jailsUnknown }: ServiceView,
  { jail, module }: LoginView,
): Pick<SessionFacts, 'jail'> {
  if (jail === undefined) return {};
  if (jailsUnknown === true) {
    const reason = 'only root can read which tenants have jails';
    return { jail: { entered: false, unknown: true, reason } };
  }
  if (entersJail) return { jail: { entered: true } };
  if (outsideJails !== undefined) {
    const refused = refusesJailed === true ? { refused: true } : {};
    return { jail: { entered: false, reason: outsideJails, ...refused } };
  }
  const reason = module.usable
    ? `no step of ${service} enters the jail`
    : `${module.path} is not there to enter the jail`;
  return { jail: { entered: false, reason } };
}

function whyNotInSlice({ service, inSlice }: ServiceView, view: LoginView): Cause | undefined {
  if (inSlice === 'by pam_systemd') return undefined;
  if (inSlice === 'by pam_systemd, if alone')
    return { reason: `pam_systemd does nothing for ${service} within another session` };
  return inSlice === 'not run' ? notRun(service) : whyUseless(view);
}

function whyNot({ service, outcome }: ServiceView, view: LoginView): Cause | undefined {
  if (outcome === 'not run') return notRun(service);
  if (outcome === 'taken back') return { reason: `pam_systemd takes it back in ${service}` };
  return whyUseless(view);
}

const notRun = (service: string): Cause => ({
  reason: `the login step does not run for ${service}`,
});

function whyUseless({ module, tenants }: LoginView): Cause | undefined {
  if (!module.usable) return { reason: `${module.path} is missing` };
  return tenants === undefined ? { reason: 'no policy is in force' } : undefined;
}
