/**
 * The files that enforce tenants' entries at Apache. Each tenant or site has a file with a mod_qos rule, which each
 * of its vhosts includes. One file for the server handles what is refused.
 *
 *     QS_LocRequestLimitMatch "^.*$" 20
 *
 * mod_qos counts a vhost's requests over all processes, and every URI: a rule only for scripts would miss URIs that
 * an .htaccess rewrites to one. A tenant's .htaccess can have a refused request answered by a script of its own,
 * outside the limit, with ErrorDocument or with a variable that mod_qos obeys. So both are set again where Apache
 * reads them last: in an <If> of a <Location>.
 * Source: mod_qos 11.76; "How the sections are merged" of Apache's documentation.
 */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { siteMember, tenantMember, uidOf, type Member } from '../../../usage/member.ts';
import { headerText, type Bound } from './limits.ts';
import { limitPhrase, mark, retryAfterSeconds } from './nginx-file.ts';
import { limitOfWord } from './nginx-site-files.ts';

/** The first word of a log line about a refused request, in the format below. */
export const apacheWord = 'bulkhead-apache';

/** The length of the longest line that a visitor can cause. If logger cut a line, its rest would begin a new one. */
const lineKibibytes = 192;

/**
 * Returns the server's file. The end of its log line comes from the visitor; the name of the vhost does not, whatever
 * its .htaccess contains.
 */
export const apacheServerFile = (socket: string): string => `${mark}<IfModule qos_module>
QS_ErrorResponseCode 508
LogFormat "${apacheWord} %v %a %{mod_qos_ev}e %r" bulkhead
GlobalLog "|/usr/bin/logger --socket-errors=off --size ${lineKibibytes}KiB -t bulkhead -u ${socket}" bulkhead "expr=%{REQUEST_STATUS} == '508'"
</IfModule>
`;

const refused = '"expr=%{REQUEST_STATUS} == \'508\'"';

/**
 * Returns the file for the vhosts of one tenant, or of one of its sites. The limit applies to each vhost separately,
 * so the page speaks of that site.
 */
export function apacheMemberFile(
  { kind, limit }: Pick<Bound, 'kind' | 'limit'>,
  page: string,
): Result<string, Problem> {
  const text = page.trim().replaceAll('\n', ' ').replaceAll(limitOfWord, limitPhrase.site);
  if (/[\\%']/.test(text)) {
    const reason = 'it has a single quote, a backslash or a "%"';
    return failed({ action: 'use the page for refused requests', reason });
  }
  return ok(`${mark}<IfModule qos_module>
QS_LocRequestLimitMatch "^.*$" ${limit}
<Location "/">
<If "true">
ErrorDocument 508 "${text.replaceAll('"', String.raw`\"`)}"
<IfModule setenvif_module>
SetEnvIf Request_URI ^ !QS_ErrorPage
</IfModule>
<IfModule headers_module>
Header always set Content-Type "text/html; charset=utf-8" ${refused}
Header always set Retry-After ${retryAfterSeconds} ${refused}
Header always set X-Limit "${headerText(kind, limit)}" ${refused}
Header always set Cache-Control no-store ${refused}
</IfModule>
</If>
<If "env('REDIRECT_STATUS') == '508'">
Require all denied
</If>
</Location>
</IfModule>
`);
}

const memberFile = /\/bulkhead\/u(?<uid>\d{1,10})(?:-(?<site>[a-z0-9._-]{1,253}))?\.conf$/;

/** `u1001.conf`, `u1001-shop.example.conf`. */
export const apacheMemberFileName = (member: Member): string => `${member.replace('/', '-')}.conf`;

/** Returns the tenant or site that a file belongs to, if it is one of ours. */
export function memberOfFile(path: string): Member | undefined {
  const found = memberFile.exec(path)?.groups;
  if (found === undefined) return undefined;
  const { uid = '', site } = found;
  return site === undefined
    ? tenantMember(Number(uid))
    : siteMember(uidOf(`u${Number(uid)}`), site);
}
