/**
 * Our lines in /etc/pam.d/common-session and common-session-noninteractive, which pam-auth-update writes, and how they
 * are recognized there. In common-session, where all is right:
 *
 *     session [success=2 perm_denied=die default=ignore] /usr/…/pam_bulkhead.so place systemd
 *     session [success=ok perm_denied=die default=ignore] /usr/…/pam_bulkhead.so place
 *     session optional pam_systemd.so
 *     session optional pam_permit.so bulkhead
 *
 * pam_systemd would move a tenant's process out of the cgroup again. So the first line, where it has placed a session,
 * jumps over it, and over the second line. The last line does nothing: should the package of pam_systemd be removed, the
 * jump skips that line, where it would otherwise skip another module, or leave the file, which libpam makes a refusal.
 * common-session-noninteractive, which lacks pam_systemd, has only the second line.
 *
 * Tenants with systemd slices (the `systemd` driver) are left to pam_systemd, which puts the session there, complete
 * with everything that logind provides. su is different: within another session, root's or a tenant's, pam_systemd
 * leaves the process in that session.
 *
 * If any tenant has a jail, a third profile follows, after pam_systemd, which needs the host's bus:
 *
 *     session [success=1 ignore=1 module_unknown=ignore default=die] /usr/…/pam_bulkhead.so jail    inside, or no session
 *     session requisite pam_listfile.so … sense=deny … file=/var/lib/bulkhead/jailed
 *
 * The last line is reached only if the module cannot be loaded: it refuses accounts that have a jail, and nobody else.
 *
 * The same profile has these lines for common-account, which keep such accounts from FTP daemons that cannot enter a jail
 * (entry/pam-account.c):
 *
 *     account [success=1 ignore=1 module_unknown=ignore default=die] /usr/…/pam_bulkhead.so account
 *     account requisite pam_listfile.so … sense=deny … file=/var/lib/bulkhead/jailed
 *
 * The module decides who is a tenant (entry/session.c). A jump is taken only on success: libpam makes it a failure when
 * a session is closed.
 */
import type { ModuleLine } from './pam-file.ts';

export interface PamStep {
  /** The path of the PAM module, absolute. */
  readonly module: string;
  readonly instance: string;
  /** The list of accounts that have a jail, if any tenant has one. */
  readonly jailed?: string;
}

export interface PamProfile {
  /** Its file in /usr/share/pam-configs. */
  readonly name: string;
  readonly text: string;
}

export const jumpProfile = 'bulkhead';
export const plainProfile = 'bulkhead-services';
export const landingProfile = 'bulkhead-landing';
export const jailProfile = 'bulkhead-jail';
export const profileNames = [jumpProfile, plainProfile, landingProfile, jailProfile] as const;

/** The first words of every profile of ours. */
export const profileMark = 'Name: Bulkhead: ';

export function profilesOf(step: PamStep, jump: boolean): readonly PamProfile[] {
  const plain = {
    name: plainProfile,
    text: profileText('place tenants in their cgroups', 1, [], [placing(step)]),
  };
  const jail = step.jailed === undefined ? [] : [jailProfileOf(step, step.jailed)];
  if (!jump) return [plain, ...jail];
  const text = profileText(
    'place tenants in their cgroups, without pam_systemd',
    2,
    ['Session-Interactive-Only: yes'],
    [jumping(step)],
  );
  return [{ name: jumpProfile, text }, plain, landing, ...jail];
}

const jailProfileOf = (step: PamStep, list: string): PamProfile => ({
  name: jailProfile,
  text: profileText(
    'open sessions of tenants in their jails',
    -2,
    [],
    [entering(step), denialOf(list)],
    [admitting(step), denialOf(list)],
  ),
});

const landingLine = 'pam_permit.so bulkhead';

/** The line that jumps over the next one and pam_systemd. */
const jumping = (step: PamStep) =>
  `[success=2 perm_denied=die default=ignore]\t${runs(step, 'place systemd')}`;

const placing = (step: PamStep) =>
  `[success=ok perm_denied=die default=ignore]\t${runs(step, 'place')}`;

/** A module that cannot be loaded is skipped; the next line then decides. */
const entering = (step: PamStep) =>
  `[success=1 ignore=1 module_unknown=ignore default=die]\t${runs(step, 'jail')}`;

/** The same for accounts of FTP daemons. */
const admitting = (step: PamStep) =>
  `[success=1 ignore=1 module_unknown=ignore default=die]\t${runs(step, 'account')}`;

const runs = ({ module, instance }: PamStep, words: string) =>
  `${module} ${words}${instance === 'bulkhead' ? '' : ` instance=${instance}`}`;

const denialOf = (list: string) =>
  `requisite\tpam_listfile.so item=user sense=deny onerr=succeed file=${list}`;

/** Returns its lines of one type, as a PAM file has them. */
function linesOf({ text }: PamProfile, type: 'account' | 'session'): readonly string[] {
  const sections = text.split(/^(?=[A-Z])/m);
  return sections
    .filter((section) => section.toLowerCase().startsWith(`${type}:`))
    .flatMap((section) => section.split('\n').filter((line) => line.startsWith('\t')))
    .map((line) => `${type}${line}`);
}

export const sessionLines = (profile: PamProfile): readonly string[] => linesOf(profile, 'session');

export const accountLines = (profile: PamProfile): readonly string[] => linesOf(profile, 'account');

/**
 * Returns the profile's text. pam_systemd has priority 0; the first profile must come before the second, and the last
 * one after all.
 */
const profileText = (
  does: string,
  priority: number,
  more: readonly string[],
  lines: readonly string[],
  account: readonly string[] = [],
): string =>
  [
    `${profileMark}${does}`,
    'Default: yes',
    `Priority: ${priority}`,
    ...more,
    ...sectionText('Session', lines),
    ...(account.length === 0 ? [] : sectionText('Account', account)),
    '',
  ].join('\n');

const sectionText = (type: string, lines: readonly string[]): readonly string[] => [
  `${type}-Type: Additional`,
  `${type}:`,
  ...lines.map((line) => `\t${line}`),
];

/** Present where the jump is, and only in common-session. */
const landing: PamProfile = {
  name: landingProfile,
  text: profileText(
    'do nothing where the jump over pam_systemd ends',
    -1,
    ['Session-Interactive-Only: yes'],
    [`optional\t${landingLine}`],
  ),
};

/** PAM services whose sessions begin within other sessions. entry/session.c has the same list. */
const withinOthers: readonly string[] = ['su', 'su-l', 'sudo-i', 'runuser-l'];

const isOurs = (
  { module, args: [action] }: ModuleLine,
  wanted: 'place' | 'jail' | 'account',
): boolean => module === 'pam_bulkhead.so' && action === wanted;

/** Whether a line places sessions, by the module of this installation or of another. */
export const isStep = (line: ModuleLine): boolean => isOurs(line, 'place');

/** Whether a line puts sessions into jails. */
export const isEntering = (line: ModuleLine): boolean => isOurs(line, 'jail');

/** Whether a line keeps accounts with a jail from FTP daemons that cannot enter it. */
export const isAdmitting = (line: ModuleLine): boolean => isOurs(line, 'account');

/** Whether a line refuses accounts whose jail was not entered. */
const isDenial = ({ module, args }: ModuleLine): boolean =>
  module === 'pam_listfile.so' &&
  args.some((each) => /^file=\/var\/lib\/[a-z][a-z0-9-]*\/jailed$/.test(each));

const isLanding = ({ module, args }: ModuleLine): boolean =>
  [module, ...args].join(' ') === landingLine;

export const isOurLine = (line: ModuleLine): boolean =>
  line.module === 'pam_bulkhead.so' || isLanding(line) || isDenial(line);

/** Whether a line of ours succeeds for a tenant with a slice, and so jumps. */
export const passesSlice = (line: ModuleLine, service: string): boolean =>
  isStep(line) && (!line.args.includes('systemd') || isWithinOthers(service));

/** Whether pam_systemd does nothing in the service's sessions, as far as they begin within another one. */
export const isWithinOthers = (service: string): boolean => withinOthers.includes(service);

/** Whether a line is as `enable` of this installation writes it. */
export function isCurrent(line: ModuleLine, step: PamStep): boolean {
  const { jailed } = step;
  if (isLanding(line)) return line.control === 'optional';
  // These lines have no effect if nobody has a jail any more.
  if (jailed === undefined && !isStep(line)) return true;
  const steps = [jumping(step), placing(step)];
  const jail = jailed === undefined ? [] : [entering(step), admitting(step), denialOf(jailed)];
  const written = [...steps, ...jail].map((each) => each.replace('\t', ' '));
  return written.includes([line.control, line.path, ...line.args].join(' '));
}

export const isSystemd = ({ module }: ModuleLine): boolean => module === 'pam_systemd.so';

/** Whether a path has the same meaning in a profile and in a PAM file. */
export const isPlainPath = (path: string): boolean => /^\/[A-Za-z0-9_./+-]+$/.test(path);
