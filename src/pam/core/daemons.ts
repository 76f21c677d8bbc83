/**
 * Facts about FTP daemons and Dovecot, which their PAM files do not show. test/pam/ftp shows them with the real FTP
 * daemons.
 */
import { printable } from '../../../packages/base/printable.ts';

/** The effect of an FTP daemon's configuration on the sessions of its PAM service. */
export interface FtpSetting {
  /** The PAM service. */
  readonly service: string;
  /** Whether the daemon opens sessions. */
  readonly opensSessions: boolean;
  /** The reason why a tenant's session may be outside its jail, and the remedy; absent if it enters the jail. */
  readonly outsideJails?: string;
  /** Set if that depends on whether an account has a jail, and this is not known. */
  readonly jailsUnknown?: true;
  /** Whether nobody logs in without PAM's account phase, which then refuses tenants with a jail. */
  readonly asksAccount: boolean;
}

/** Services whose processes never act as a tenant after a session: Dovecot asks PAM for passwords in its auth process. */
export const withoutOwnSessions: readonly string[] = ['dovecot'];

/** Whether an account has a jail. */
export type IsJailed = (user: string) => boolean | 'unknown';

type IsKnownJailed = (user: string) => boolean;

/**
 * Returns the setting. While answers of `isJailed` are unknown, it is marked if it depends on them. A problem that no
 * answer can make worse needs no mark.
 */
function settingFor(
  isJailed: IsJailed,
  setting: (isJailed: IsKnownJailed) => FtpSetting,
): FtpSetting {
  const given = (unknown: boolean) =>
    setting((user) => {
      const answer = isJailed(user);
      return answer === 'unknown' ? unknown : answer;
    });
  const [best, worst] = [given(false), given(true)];
  const isWorst = best.outsideJails !== undefined && !best.asksAccount;
  if (isWorst || best.outsideJails === worst.outsideJails) return best;
  return { ...best, jailsUnknown: true };
}

/**
 * Returns the setting of a vsftpd.conf. The last line of an option counts. Options of the command line, such as
 * `session_support=YES`, come after the file. The default service is `vsftpd` in Debian's build, elsewhere `ftp`. Source:
 * vsftpd.conf(5), vsftpd(8).
 */
export const vsftpdSetting = (
  path: string,
  text: string,
  isJailed: IsJailed,
  options: readonly string[] = [],
  defaultService = 'vsftpd',
): FtpSetting =>
  settingFor(isJailed, (known) => knownVsftpd(path, text, known, options, defaultService));

function knownVsftpd(
  path: string,
  text: string,
  isJailed: IsKnownJailed,
  options: readonly string[],
  defaultService: string,
): FtpSetting {
  const lines = `${text}\n${options.join('\n')}`;
  const valueOf = (name: string) =>
    [...lines.matchAll(new RegExp(`^${name}=(.*?)\\s*$`, 'gim'))].at(-1)?.[1];
  const service = valueOf('pam_service_name') ?? defaultService;
  const opensSessions = /^(?:YES|TRUE|1)$/i.test(valueOf('session_support') ?? '');
  const guest = guestProblem(path, valueOf, isJailed);
  if (guest !== undefined)
    return { service, opensSessions, outsideJails: guest, asksAccount: false };
  if (opensSessions) return { service, opensSessions, asksAccount: true };
  const outsideJails = `vsftpd opens no sessions; set session_support=YES in ${path}, and restart it`;
  return { service, opensSessions, outsideJails, asksAccount: true };
}

/**
 * Returns why vsftpd lets somebody act as an account without that account's session. PAM has a guest's name, and not the
 * name of the account; an anonymous visitor does not get to PAM. Anonymous visitors are allowed unless a line forbids it.
 */
function guestProblem(
  path: string,
  valueOf: (name: string) => string | undefined,
  isJailed: IsKnownJailed,
): string | undefined {
  const problem = (who: string, account: string, option: string) =>
    `vsftpd lets ${who} act as ${account} (${option}), without its jail; remove ${option} from ${path}`;
  const guest = valueOf('guest_username') ?? 'ftp';
  const anonymous = valueOf('ftp_username') ?? 'ftp';
  if (valueOf('user_config_dir') !== undefined)
    return problem('guests', 'an account', 'user_config_dir');
  if (isOn(valueOf('guest_enable')) && isJailed(guest))
    return problem('guests', `"${printable(guest)}"`, 'guest_username');
  if (isOn(valueOf('anonymous_enable') ?? 'YES') && isJailed(anonymous))
    return problem('anonymous visitors', `"${printable(anonymous)}"`, 'ftp_username');
  return undefined;
}

/**
 * Returns the settings with what the PAM file makes of them. A daemon whose file does not include the session step opens
 * sessions outside jails, although its account phase has admitted the tenant.
 */
export const inPamFile = (
  service: string,
  settings: readonly FtpSetting[],
  { entersJail, reachable }: { readonly entersJail: boolean; readonly reachable: boolean },
): readonly FtpSetting[] =>
  entersJail || reachable
    ? settings
    : settings.map((each) => {
        if (each.outsideJails !== undefined) return each;
        const outsideJails = `/etc/pam.d/${service} does not include common-session, which has the session step; add "@include common-session" to it`;
        return { ...each, outsideJails, asksAccount: false };
      });

/** Returns the setting of pure-ftpd, by the methods with which it checks passwords: `pam`, `unix`, `puredb`. */
export function pureFtpdSetting(methods: readonly string[]): FtpSetting {
  const others = methods.filter((each) => each !== 'pam');
  const outsideJails =
    others.length === 0
      ? 'pure-ftpd cannot enter a jail; use sftp, ProFTPD or vsftpd for them'
      : `pure-ftpd checks passwords without PAM, too (${others.join(', ')}); leave it only PAM`;
  const asksAccount = others.length === 0;
  return { service: 'pure-ftpd', opensSessions: true, outsideJails, asksAccount };
}

interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  /** The sections around it, in lower case: `global`, `virtualhost`, `ifmodule`. */
  readonly sections: readonly string[];
  /** The number of the `<Anonymous>` around it, if it is in one. */
  readonly anonymous?: number;
}

/**
 * Returns a file of ProFTPD with the lines joined that a backslash at the end continues. A comment continues nothing, and
 * one between such lines is left out. Source: pr_fsio_getline of ProFTPD.
 */
export function proftpdLines(text: string): string {
  const joined: string[] = [];
  const lines = text.split('\n');
  let begun = '';
  for (const [at, line] of lines.entries()) {
    const goesOn = line.endsWith('\\') && at < lines.length - 1;
    if (goesOn && line.trimStart().startsWith('#')) continue;
    begun += goesOn ? line.slice(0, -1) : line;
    if (goesOn) continue;
    joined.push(begun);
    begun = '';
  }
  return joined.join('\n');
}

/**
 * Returns the setting of a proftpd.conf, with the files that it includes in place. Without `mod_auth_pam.c*` as the
 * first method, ProFTPD asks the next one if PAM refuses a password. A virtual host takes the order from `<Global>`.
 */
export const proftpdSetting = (path: string, text: string, isJailed: IsJailed): FtpSetting =>
  settingFor(isJailed, (known) => knownProftpd(path, text, known));

function knownProftpd(path: string, text: string, isJailed: IsKnownJailed): FtpSetting {
  const directives = directivesOf(text);
  const of = (name: string) => directives.filter((each) => each.name === name);
  const service = of('authpamconfig').at(-1)?.args[0] ?? 'proftpd';
  const problem =
    passwordProblem(path, of('userpassword'), isJailed) ??
    anonymousProblem(path, directives, isJailed) ??
    withoutPam(of('authpam'), of('authorder')) ??
    (of('sftpengine').some(({ args }) => isOn(args[0]))
      ? `mod_sftp accepts keys without PAM; remove SFTPEngine from ${path}`
      : orderProblem(path, of('authorder'), text));
  if (problem === undefined) return { service, opensSessions: true, asksAccount: true };
  const opensSessions = withoutPam(of('authpam'), of('authorder')) === undefined;
  return { service, opensSessions, outsideJails: problem, asksAccount: false };
}

/** An account with a `UserPassword` logs in by that, whatever PAM says. */
function passwordProblem(
  path: string,
  passwords: readonly Directive[],
  isJailed: IsKnownJailed,
): string | undefined {
  const user = passwords.map(({ args: [name = ''] }) => name).find(isJailed);
  return user === undefined
    ? undefined
    : `ProFTPD lets "${printable(user)}" in without PAM and without its jail; remove its UserPassword from ${path}`;
}

/**
 * Visitors of `<Anonymous>` act as its `User`, or as the account of an alias in it, whom PAM is not asked about unless the
 * section requires a password.
 */
function anonymousProblem(
  path: string,
  directives: readonly Directive[],
  isJailed: IsKnownJailed,
): string | undefined {
  const sections = Map.groupBy(directives, ({ anonymous }) => anonymous);
  for (const [number, inside] of sections) {
    if (number === undefined || requiresPassword(inside)) continue;
    for (const { name, args } of inside) {
      const account = name === 'user' ? args[0] : name === 'useralias' ? args[1] : undefined;
      if (account !== undefined && isJailed(account))
        return `visitors of <Anonymous> in ProFTPD act as "${printable(account)}", without its jail; remove that ${name === 'user' ? 'User' : 'UserAlias'} from ${path}`;
    }
  }
  return undefined;
}

/** Whether the section requires a password in any case: the first line of several counts, and one in a condition may not. */
function requiresPassword(section: readonly Directive[]): boolean {
  const lines = section.filter(({ name }) => name === 'anonrequirepassword');
  const isDirect = ({ sections }: Directive) => sections.at(-1) === 'anonymous';
  return lines.some(isDirect) && lines.every(({ args }) => isOn(args[0]));
}

const isOn = (word = '') => /^(?:on|yes|true|1)$/i.test(word);

function withoutPam(
  switches: readonly Directive[],
  orders: readonly Directive[],
): string | undefined {
  if (switches.some(({ args }) => !isOn(args[0]))) return 'AuthPAM is off in ProFTPD; remove it';
  const lacksPam = ({ args }: Directive) => !args.some((each) => each.startsWith('mod_auth_pam.c'));
  return orders.some(lacksPam)
    ? 'ProFTPD has an AuthOrder without PAM; begin it with mod_auth_pam.c*'
    : undefined;
}

function orderProblem(
  path: string,
  orders: readonly Directive[],
  text: string,
): string | undefined {
  const asksPamFirst = ({ args: [first] }: Directive) => first === 'mod_auth_pam.c*';
  const hosts = /^\s*<virtualhost\b/im.test(text);
  const counts = ({ sections }: Directive) =>
    sections.length === 0 ? !hosts : sections.length === 1 && sections[0] === 'global';
  if (orders.every(asksPamFirst) && orders.some(counts)) return undefined;
  const where = hosts ? 'in <Global> of ' : 'in ';
  return `ProFTPD asks another method if PAM refuses a password; set "AuthOrder mod_auth_pam.c* mod_auth_unix.c" ${where}${path}`;
}

function directivesOf(text: string): readonly Directive[] {
  const found: Directive[] = [];
  const sections: string[] = [];
  let count = 0;
  for (const line of text.split('\n')) {
    const [first, ...words] = line.trim().split(/\s+/);
    if (first === undefined || first === '' || first.startsWith('#')) continue;
    if (first.startsWith('</')) sections.pop();
    else if (first.startsWith('<')) {
      const section = first.slice(1).replace('>', '').toLowerCase();
      if (section === 'anonymous') count++;
      sections.push(section);
    } else {
      const args = words.map((each) => each.replace(/^"(.*)"$/, '$1'));
      const anonymous = sections.includes('anonymous') ? { anonymous: count } : {};
      found.push({ name: first.toLowerCase(), args, sections: [...sections], ...anonymous });
    }
  }
  return found;
}
