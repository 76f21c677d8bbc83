/** Surveys the effect of the step on this host, service by service. */
import { existsSync, statSync } from 'node:fs';
import { agentLock, type Paths } from '../../host/paths.ts';
import { isLocked } from '../../sys/files/flock.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { readJailed } from '../../host/cgroups/launch-jailed.ts';
import { inPamFile, withoutOwnSessions, type FtpSetting } from '../core/daemons.ts';
import { isRefusing, judgeSession, judgeSlice, type SessionJudgement } from '../core/judge.ts';
import { jailProfile, profileNames, profilesOf, type PamStep } from '../core/profiles.ts';
import { ownStackOf, stackOf, type PamReader } from '../core/stack.ts';
import { countTenants } from './tenants.ts';
import type { LoginView, ServiceView } from '../core/view.ts';
import { hasAuthUpdate } from './auth-update.ts';
import { ftpSettings } from './ftp-daemons.ts';
import { commonFiles, pamReader, profileDirectory, serviceNames } from './pam-files.ts';

export function surveyLogin(step: PamStep, paths: Paths): LoginView {
  const read = pamReader();
  const tenants = countTenants(paths);
  const hasSlices = tenants !== undefined && tenants.slices > 0;
  const jailed = readJailed(paths.state);
  const settings = ftpSettings(
    jailed.ok ? (user) => jailed.value.names.has(user) : () => 'unknown',
  );
  const names = new Set([...serviceNames(), ...settings.map(({ service }) => service)]);
  return {
    module: { path: step.module, usable: isFile(step.module) },
    profiles: profileNames
      .filter((name) => name !== jailProfile || step.jailed !== undefined)
      .map((name) => profileView(name, step)),
    tenants,
    ...(step.jailed === undefined
      ? {}
      : { jail: { tenants: jailed.ok ? jailed.value.tenants : 'unknown' } }),
    agentRuns: isLocked(agentLock(paths)),
    services: [...names].toSorted().flatMap((service) => {
      const own = settings.filter((each) => each.service === service);
      return serviceView(service, own, { read, step, hasSlices });
    }),
  };
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

interface Host {
  readonly read: PamReader;
  readonly step: PamStep;
  readonly hasSlices: boolean;
}

/** Returns the view of a service; undefined for one that opens no sessions. A daemon's service without a file is `other`. */
function serviceView(
  service: string,
  settings: readonly FtpSetting[],
  { read, step, hasSlices }: Host,
): readonly ServiceView[] {
  const find = settings.length === 0 ? ownStackOf : stackOf;
  const stack = find(service, 'session', read);
  if (stack.length === 0 || leftAlone.includes(service)) return [];
  const promised = judgeSession(stack, step);
  const reachable = !hasAuthUpdate() || stack.some(({ file }) => managed.includes(file));
  const own = inPamFile(service, settings, { ...promised, reachable });
  const judged = judgeDaemon(promised, own);
  // pam_systemd does nothing if systemd does not run.
  const outcome = judged.outcome === 'taken back' && !systemdRuns() ? 'placed' : judged.outcome;
  const slice = hasSlices ? { inSlice: judgeSlice(stack, service) } : {};
  const refusing = isRefusing(stackOf(service, 'account', read), step);
  const facts = jailFacts(own, refusing);
  return [{ service, ...judged, outcome, reachable, ...facts, ...slice }];
}

/** Returns the judgement if the daemon opens sessions only as far as its configuration has it. */
function judgeDaemon(
  promised: SessionJudgement,
  settings: readonly FtpSetting[],
): SessionJudgement {
  if (settings.some(({ opensSessions }) => !opensSessions))
    return { ...promised, outcome: 'not run', entersJail: false };
  const entersJail = settings.every(({ outsideJails }) => outsideJails === undefined);
  return { ...promised, entersJail: promised.entersJail && entersJail };
}

/** Returns the worst that is known, or that it is unknown if an unknown one can be worse. */
export function jailFacts(
  settings: readonly FtpSetting[],
  refusing: boolean,
): Pick<ServiceView, 'outsideJails' | 'refusesJailed' | 'jailsUnknown'> {
  const outside = settings.filter((each) => each.outsideJails !== undefined);
  // The worst comes first.
  const [first] = outside.toSorted((a, b) => Number(a.asksAccount) - Number(b.asksAccount));
  const isUnknown = settings.some(({ jailsUnknown }) => jailsUnknown === true);
  if (isUnknown && first?.asksAccount !== false) return { jailsUnknown: true };
  if (first?.outsideJails === undefined) return {};
  return { outsideJails: first.outsideJails, refusesJailed: refusing && first.asksAccount };
}

const managed: readonly string[] = commonFiles;

/**
 * Services left alone: the user's own systemd has to stay in the cgroup that systemd has made for
 * it, and some daemons open no sessions for processes of tenants.
 */
const leftAlone: readonly string[] = ['systemd-user', ...withoutOwnSessions];

const systemdRuns = () => existsSync('/run/systemd/system');

function profileView(name: string, step: PamStep): LoginView['profiles'][number] {
  const path = `${profileDirectory}/${name}`;
  const text = readText(path);
  const wanted = profilesOf(step, true).find((each) => each.name === name)?.text;
  return { path, is: text === undefined ? 'absent' : text === wanted ? 'as written' : 'differs' };
}
