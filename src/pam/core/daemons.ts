/**
 * Facts about FTP daemons and Dovecot, which their PAM files do not show. test/pam/ftp shows them with the real FTP
 * daemons.
 */

/** The effect of an FTP daemon's configuration on the sessions of its PAM service. */
export interface FtpSetting {
  /** The PAM service. */
  readonly service: string;
  /** Whether the daemon opens sessions. */
  readonly opensSessions: boolean;
  /** The reason why a tenant's session may be outside its jail, and the remedy; absent if it enters the jail. */
  readonly outsideJails?: string;
  /** Whether nobody logs in without PAM's account phase, which then refuses tenants with a jail. */
  readonly asksAccount: boolean;
}

/** Services whose processes never act as a tenant after a session: Dovecot asks PAM for passwords in its auth process. */
export const withoutOwnSessions: readonly string[] = ['dovecot'];

/**
 * Returns the setting of a vsftpd.conf. The last line of an option counts. Options of the command line, such as
 * `session_support=YES`, come after the file. The default service is `vsftpd` in Debian's build, elsewhere `ftp`. Source:
 * vsftpd.conf(5), vsftpd(8).
 */
export function vsftpdSetting(
  path: string,
  text: string,
  options: readonly string[] = [],
  defaultService = 'vsftpd',
): FtpSetting {
  const lines = `${text}\n${options.join('\n')}`;
  const valueOf = (name: string) =>
    [...lines.matchAll(new RegExp(`^${name}=(.*?)\\s*$`, 'gim'))].at(-1)?.[1];
  const service = valueOf('pam_service_name') ?? defaultService;
  const opensSessions = /^(?:YES|TRUE|1)$/i.test(valueOf('session_support') ?? '');
  const hasGuests = /^(?:YES|TRUE|1)$/i.test(valueOf('guest_enable') ?? '');
  if (hasGuests || valueOf('user_config_dir') !== undefined)
    return { service, opensSessions, outsideJails: guestsOf(path), asksAccount: false };
  if (opensSessions) return { service, opensSessions, asksAccount: true };
  const outsideJails = `vsftpd opens no sessions; set session_support=YES in ${path}, and restart it`;
  return { service, opensSessions, outsideJails, asksAccount: true };
}

/** PAM has the guest's name, and not the name of the account that it acts as. */
const guestsOf = (path: string) =>
  `vsftpd lets guests act as an account (guest_enable, user_config_dir), without its jail; remove both from ${path}`;

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
}

/**
 * Returns the setting of a proftpd.conf, with the files that it includes in place. Without `mod_auth_pam.c*` as the
 * first method, ProFTPD asks the next one if PAM refuses a password. A virtual host takes the order from `<Global>`.
 */
export function proftpdSetting(path: string, text: string): FtpSetting {
  const directives = directivesOf(text);
  const of = (name: string) => directives.filter((each) => each.name === name);
  const service = of('authpamconfig').at(-1)?.args[0] ?? 'proftpd';
  const problem =
    withoutPam(of('authpam'), of('authorder')) ??
    (of('sftpengine').some(({ args }) => isOn(args[0]))
      ? `mod_sftp accepts keys without PAM; remove SFTPEngine from ${path}`
      : orderProblem(path, of('authorder'), text));
  if (problem === undefined) return { service, opensSessions: true, asksAccount: true };
  const opensSessions = withoutPam(of('authpam'), of('authorder')) === undefined;
  return { service, opensSessions, outsideJails: problem, asksAccount: false };
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
  for (const line of text.split('\n')) {
    const [first, ...args] = line.trim().split(/\s+/);
    if (first === undefined || first === '' || first.startsWith('#')) continue;
    if (first.startsWith('</')) sections.pop();
    else if (first.startsWith('<')) sections.push(first.slice(1).replace('>', '').toLowerCase());
    else found.push({ name: first.toLowerCase(), args, sections: [...sections] });
  }
  return found;
}
