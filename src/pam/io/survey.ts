/** Surveys the effect of the step on this host, service by service. */
import { existsSync, statSync } from 'node:fs';
import { agentLock, type Paths } from '../../host/paths.ts';
import { isLocked } from '../../sys/files/flock.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { countJailed } from '../../host/cgroups/launch-jailed.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { whyOutsideJails, opensSessions, withoutOwnSessions } from '../core/daemons.ts';
import { judgeSession, judgeSlice, type SessionJudgement } from '../core/judge.ts';
import { jailProfile, profileNames, profilesOf, type PamStep } from '../core/profiles.ts';
import { ownStackOf, type PamReader } from '../core/stack.ts';
import { countTenants } from './tenants.ts';
import type { LoginView, ServiceView } from '../core/view.ts';
import { hasAuthUpdate } from './auth-update.ts';
import { commonFiles, pamReader, profileDirectory, serviceNames } from './pam-files.ts';

export function surveyLogin(step: PamStep, paths: Paths): LoginView {
  const read = pamReader();
  const tenants = countTenants(paths);
  const hasSlices = tenants !== undefined && tenants.slices > 0;
  return {
    module: { path: step.module, usable: isFile(step.module) },
    profiles: profileNames
      .filter((name) => name !== jailProfile || step.jailed !== undefined)
      .map((name) => profileView(name, step)),
    tenants,
    ...(step.jailed === undefined ? {} : { jail: { tenants: countJailed(paths.state) ?? 0 } }),
    agentRuns: isLocked(agentLock(paths)),
    services: serviceNames().flatMap((service) => serviceView(service, read, step, hasSlices)),
  };
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** Returns the view of a service; undefined for one that opens no sessions. */
function serviceView(
  service: string,
  read: PamReader,
  step: PamStep,
  hasSlices: boolean,
): readonly ServiceView[] {
  const stack = ownStackOf(service, 'session', read);
  if (stack.length === 0 || leftAlone.includes(service)) return [];
  const outsideJails = whyOutsideJails(service);
  const promised = judgeSession(stack, step);
  const judged: SessionJudgement =
    service === 'vsftpd' && !opensSessions(vsftpdConf())
      ? { ...promised, outcome: 'not run', entersJail: false }
      : { ...promised, entersJail: promised.entersJail && outsideJails === undefined };
  // pam_systemd does nothing if systemd does not run.
  const outcome = judged.outcome === 'taken back' && !systemdRuns() ? 'placed' : judged.outcome;
  const slice = hasSlices ? { inSlice: judgeSlice(stack, service) } : {};
  const reachable = !hasAuthUpdate() || stack.some(({ file }) => managed.includes(file));
  const facts = promised.entersJail && outsideJails !== undefined ? { outsideJails } : {};
  return [{ service, ...judged, outcome, reachable, ...facts, ...slice }];
}

/** Returns the configuration of vsftpd, of Debian or of Enterprise Linux; empty if there is none. */
function vsftpdConf(): string {
  for (const path of ['/etc/vsftpd.conf', '/etc/vsftpd/vsftpd.conf']) {
    const read = readBounded(path, confBytesMax);
    if (read.ok) return decodeText(read.value);
  }
  return '';
}

const confBytesMax = 1 << 20;

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
