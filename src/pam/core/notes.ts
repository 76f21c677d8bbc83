/** Problems that deserve attention, and what to do about them. */
import { listSome } from '../../../packages/base/list.ts';
import { hasSlicesOnly, type LoginView, type ServiceView } from './view.ts';

const runningOf = ({ services }: LoginView) =>
  services.filter(({ outcome }) => outcome !== 'not run');

export function loginNotes(view: LoginView): readonly string[] {
  if (runningOf(view).length === 0)
    return ['The login step is not enabled; "bulkhead pam enable" enables it', ...jailFaults(view)];
  const noPolicy =
    view.tenants === undefined
      ? ['No policy is in force, so nobody is placed; run bulkhead apply']
      : [];
  return [...noPolicy, ...faultsOf(view)];
}

/** Reports sessions that are opened outside jails, or not at all. */
function jailFaults({ jail, module, services }: LoginView): readonly string[] {
  if (jail === undefined) return [];
  const unknown = services.filter(({ jailsUnknown }) => jailsUnknown === true);
  const namesOf = (is: (each: ServiceView) => boolean) =>
    services
      .filter((each) => each.outsideJails === undefined && each.jailsUnknown !== true && is(each))
      .map(({ service }) => service);
  const daemons = services.flatMap(({ service, outsideJails, refusesJailed }) => {
    if (outsideJails === undefined) return [];
    const effect =
      refusesJailed === true && module.usable ? 'cannot log in' : 'can log in outside it';
    return [`Tenants with a jail ${effect} through ${service}: ${outsideJails}`];
  });
  const inside = namesOf(({ entersJail }) => entersJail);
  const outside = namesOf(({ entersJail, reachable }) => !entersJail && reachable);
  const beyond = namesOf(({ entersJail, reachable }) => !entersJail && !reachable);
  const missing = `${module.path} is missing`;
  return [
    ...(jail.tenants === 'unknown'
      ? ['Only root can read which tenants have jails; run it as root to know all']
      : []),
    ...(unknown.length === 0
      ? []
      : [
          `Anonymous visitors or guests of these act as one account, and whether that has a jail is unknown: ${listSome(unknown.map(({ service }) => service))}`,
        ]),
    ...daemons,
    ...(module.usable || inside.length === 0
      ? []
      : [
          `${missing}: tenants with a jail get no session; install Bulkhead again: ${listSome(inside)}`,
        ]),
    ...(outside.length === 0
      ? []
      : [
          `Sessions of tenants with a jail are opened outside it; ${module.usable ? 'run "bulkhead pam enable" again' : `${missing}, for this processor or because it was not compiled`}: ${listSome(outside)}`,
        ]),
    ...(beyond.length === 0
      ? []
      : [
          `These open sessions outside of jails, and "bulkhead pam enable" cannot change that, since their files do not include common-session; start programs of tenants with "bulkhead exec" instead: ${listSome(beyond)}`,
        ]),
  ];
}

/** Reports faults if the step is on; if it is off, whether it is needed for jails. */
export function faultsOf(view: LoginView): readonly string[] {
  const running = runningOf(view);
  if (running.length === 0) return jailFaults(view);
  const { module, profiles } = view;
  const about = (is: (each: ServiceView) => boolean, note: string) => {
    const names = running.filter(is).map(({ service }) => service);
    return names.length === 0 ? [] : [`${note}: ${listSome(names)}`];
  };
  const again = 'run "bulkhead pam enable" again';
  return [
    ...jailFaults(view),
    ...(module.usable
      ? []
      : [`${module.path} is missing: nobody is placed at login; install Bulkhead again`]),
    ...about(
      ({ outcome }) => outcome === 'taken back' && !hasSlicesOnly(view),
      `pam_systemd takes the process back after it was placed, and only the agent can catch it; ${again} to leave pam_systemd out where that is possible`,
    ),
    ...Map.groupBy(running, ({ wronglySkipped }) => wronglySkipped.join(', '))
      .entries()
      .filter(([skipped]) => skipped !== '')
      .map(
        ([skipped, services]) =>
          `Tenants do not get ${skipped}, which was put between the step and pam_systemd; ${again}: ${listSome(services.map(({ service }) => service))}`,
      ),
    ...about(
      ({ current }) => !current,
      `The lines are not as this installation writes them; ${again}`,
    ),
    ...profiles
      .filter(({ is }) => is === 'differs')
      .map(({ path }) => `${path} is not as this installation writes it; ${again}`),
  ];
}
