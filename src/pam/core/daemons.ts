/**
 * Facts about sessions of FTP daemons and Dovecot, which their PAM files do not show. test/pam/ftp shows them with the
 * real FTP daemons.
 */

/** Reasons why a daemon's sessions are outside jails, whatever its PAM file has. */
const outsideJails: Readonly<Record<string, string>> = {
  'pure-ftpd':
    'pure-ftpd opens sessions of tenants with a jail outside it, since it goes on when PAM refuses a session; use ProFTPD, vsftpd or sftp for them',
};

export const whyOutsideJails = (service: string): string | undefined => outsideJails[service];

/** Services whose processes never act as a tenant after a session: Dovecot asks PAM for passwords in its auth process. */
export const withoutOwnSessions: readonly string[] = ['dovecot'];

/** Whether vsftpd.conf switches sessions on. The last line counts; without one they are off. */
export const opensSessions = (vsftpdConf: string): boolean =>
  /^(?:YES|TRUE|1)$/i.test(
    [...vsftpdConf.matchAll(/^session_support=(.*?)\s*$/gim)].at(-1)?.[1] ?? '',
  );
