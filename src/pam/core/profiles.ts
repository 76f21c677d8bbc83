/**
 * Our lines in /etc/pam.d/common-session and common-session-noninteractive, which pam-auth-update writes, and how they
 * are recognized there. In common-session, where all is right:
 *
 *     session [success=1 default=ignore] pam_succeed_if.so quiet service in su:su-l:sudo-i:runuser-l
 *     session [success=4 default=ignore] pam_listfile.so … file=/run/bulkhead/slices    a slice: to pam_systemd
 *     session [success=3 default=ignore] pam_listfile.so … file=/run/bulkhead/logins    not a tenant: to pam_systemd
 *     session [success=3 default=ignore] pam_exec.so … /usr/…/bulkhead-pam              placed: past pam_systemd
 *     session [success=1 default=ignore] pam_listfile.so … file=/run/bulkhead/logins
 *     session optional pam_exec.so … /usr/…/bulkhead-pam
 *     session optional pam_systemd.so
 *
 * pam_systemd would move a tenant's process out of the cgroup again. The last three lines are skipped together, so that
 * the jump ends inside common-session. common-session-noninteractive, which lacks pam_systemd, has only the lines of
 * the second profile.
 *
 * Tenants with systemd slices (the `systemd` driver) are left to pam_systemd, which puts the session there, complete
 * with everything that logind provides. su is different: within another session, root's or a tenant's, pam_systemd
 * leaves the process in that session.
 *
 * If any tenant has a jail, a third profile follows, after pam_systemd, which needs the host's bus:
 *
 *     session [success=1 ignore=1 module_unknown=ignore default=die] /usr/…/pam_bulkhead.so     inside, or no session
 *     session requisite pam_listfile.so … sense=deny … file=/var/lib/bulkhead/jailed
 *
 * The last line is reached only if the module cannot be loaded: it refuses accounts that have a jail, and nobody else.
 *
 * pam_listfile prevents that a process is started for accounts that are not tenants, and succeeds if there is no list.
 * pam_exec logs every exit status but 0. A jump is taken only on success: libpam makes it a failure when a session is
 * closed.
 */
import type { ModuleLine } from './pam-file.ts';

export interface PamStep {
  /** The path of the program, absolute. */
  readonly program: string;
  readonly instance: string;
  /** The list of tenants' accounts. */
  readonly logins: string;
  /** The module and list for jails, if any tenant has one. */
  readonly jail?: JailStep;
}

export interface JailStep {
  /** The path of the PAM module, absolute. */
  readonly module: string;
  /** The list of accounts that have one. */
  readonly list: string;
}

/** Returns the path of the list of tenants that have systemd slices, next to the other list. */
export const sliceListPath = ({ logins }: PamStep): string => logins.replace(/[^/]*$/, 'slices');

export interface PamProfile {
  /** Its file in /usr/share/pam-configs. */
  readonly name: string;
  readonly text: string;
}

export const jumpProfile = 'bulkhead';
export const plainProfile = 'bulkhead-services';
export const jailProfile = 'bulkhead-jail';
export const profileNames = [jumpProfile, plainProfile, jailProfile] as const;

/** The first words of every profile of ours. */
export const profileMark = 'Name: Bulkhead: ';

export function profilesOf(step: PamStep, jump: boolean): readonly PamProfile[] {
  const plain = {
    name: plainProfile,
    text: profileText(
      'place tenants in their cgroups',
      1,
      [],
      [`[success=1 default=ignore]\t${filterOf(step)}`, `optional\t${stepOf(step)}`],
    ),
  };
  const jail = step.jail === undefined ? [] : [jailProfileOf(step, step.jail)];
  if (!jump) return [plain, ...jail];
  const text = profileText(
    'place tenants in their cgroups, without pam_systemd',
    2,
    ['Session-Interactive-Only: yes'],
    [
      `[success=1 default=ignore]\t${withinSessions}`,
      `[success=4 default=ignore]\t${sliceFilterOf(step)}`,
      `[success=3 default=ignore]\t${filterOf(step)}`,
      `[success=3 default=ignore]\t${stepOf(step)}`,
    ],
  );
  return [{ name: jumpProfile, text }, plain, ...jail];
}

const jailProfileOf = (step: PamStep, jail: JailStep): PamProfile => ({
  name: jailProfile,
  text: profileText(
    'open sessions of tenants in their jails',
    -1,
    [],
    [`${jailControl}\t${enteringOf(step, jail)}`, `requisite\t${denialOf(jail)}`],
  ),
});

/** The control for the PAM module: one that cannot be loaded is skipped; the next line then decides. */
const jailControl = '[success=1 ignore=1 module_unknown=ignore default=die]';

const enteringOf = ({ instance }: PamStep, { module }: JailStep) =>
  `${module}${instanceWord(instance)}`;

const denialOf = ({ list }: JailStep) =>
  `pam_listfile.so item=user sense=deny onerr=succeed file=${list}`;

/** Returns its lines as a PAM file has them. */
export const sessionLines = ({ text }: PamProfile): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('\t'))
    .map((line) => `session${line}`);

/**
 * Returns the profile's text. pam_systemd has priority 0; the first profile must come before the second, and the last
 * one after all.
 */
const profileText = (
  does: string,
  priority: number,
  more: readonly string[],
  lines: readonly string[],
): string =>
  [
    `${profileMark}${does}`,
    'Default: yes',
    `Priority: ${priority}`,
    ...more,
    'Session-Type: Additional',
    'Session:',
    ...lines.map((line) => `\t${line}`),
    '',
  ].join('\n');

const filterOf = ({ logins }: PamStep) =>
  `pam_listfile.so item=user sense=deny onerr=succeed quiet file=${logins}`;

const sliceFilterOf = (step: PamStep) =>
  `pam_listfile.so item=user sense=allow onerr=fail quiet file=${sliceListPath(step)}`;

/** PAM services whose sessions begin within other sessions. */
const withinOthers: readonly string[] = ['su', 'su-l', 'sudo-i', 'runuser-l'];
const withinSessions = `pam_succeed_if.so quiet service in ${withinOthers.join(':')}`;

const stepOf = ({ program, instance }: PamStep) =>
  `pam_exec.so quiet seteuid type=open_session ${program}${instanceWord(instance)}`;

const instanceWord = (instance: string) => (instance === 'bulkhead' ? '' : ` ${instance}`);

const programName = '/bulkhead-pam';

/** Whether a line starts the step, of this installation or of another. */
export const isStep = ({ module, args }: ModuleLine): boolean =>
  module === 'pam_exec.so' && args.some((each) => each.endsWith(programName));

/** Whether a line skips the step for accounts that are not tenants, or have slices. */
const isFilter = ({ module, args }: ModuleLine): boolean =>
  module === 'pam_listfile.so' &&
  args.some((each) => /^file=\/run\/[a-z][a-z0-9-]*\/(logins|slices)$/.test(each));

const textOf = ({ path, args }: ModuleLine) => [path, ...args].join(' ');

/** Whether a line puts sessions into jails. */
export const isEntering = ({ module }: ModuleLine): boolean => module === 'pam_bulkhead.so';

/** Whether a line refuses accounts whose jail was not entered. */
const isDenial = ({ module, args }: ModuleLine): boolean =>
  module === 'pam_listfile.so' &&
  args.some((each) => /^file=\/var\/lib\/[a-z][a-z0-9-]*\/jailed$/.test(each));

export const isOurLine = (line: ModuleLine): boolean =>
  isStep(line) ||
  isFilter(line) ||
  isEntering(line) ||
  isDenial(line) ||
  textOf(line) === withinSessions;

/** Whether a line of ours succeeds for a tenant with a slice, and so jumps. */
export function passesSlice(line: ModuleLine, service: string): boolean {
  if (textOf(line) === withinSessions) return withinOthers.includes(service);
  return isStep(line) || (isFilter(line) && line.args.some((each) => each.endsWith('/slices')));
}

/** Whether pam_systemd does nothing in the service's sessions, as far as they begin within another one. */
export const isWithinOthers = (service: string): boolean => withinOthers.includes(service);

/** Whether a line is as `enable` of this installation writes it. */
export const isCurrent = (line: ModuleLine, step: PamStep): boolean =>
  [
    withinSessions,
    sliceFilterOf(step),
    filterOf(step),
    stepOf(step),
    ...(step.jail === undefined ? [] : [enteringOf(step, step.jail), denialOf(step.jail)]),
  ].includes(textOf(line)) ||
  // These lines have no effect if nobody has a jail any more.
  (step.jail === undefined && (isEntering(line) || isDenial(line)));

export const isSystemd = ({ module }: ModuleLine): boolean => module === 'pam_systemd.so';

/** Whether a path has the same meaning in a profile, in a PAM file and for pam_exec. */
export const isPlainPath = (path: string): boolean => /^\/[A-Za-z0-9_./+-]+$/.test(path);
