/** The plans for all web servers of this host, and the record for the agent. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { readHostFacts } from '../../../host/accounts/accounts.ts';
import { apacheOwners } from '../../core/entries/apache-enforcement.ts';
import { limitsText } from '../../core/entries/limits.ts';
import { planApache, planApacheRemoval } from '../../io/entries/apache.ts';
import { asServerEntries, planNginx, planNginxRemoval } from '../../io/entries/nginx.ts';
import { fileStateKey, writeRecord } from '../../io/entries/record.ts';
import type { ServerEntries } from '../../io/entries/server-entries.ts';
import type { EntriesSession } from './session.ts';

type Plans = Result<readonly ServerEntries[], Problem>;

export async function planAll(
  session: EntriesSession & { readonly editVhosts?: boolean },
): Promise<Plans> {
  const { survey, programs } = session;
  const { nginx, apache } = programs;
  const atNginx = nginx === undefined ? undefined : await planNginx(nginx, survey, session);
  if (atNginx?.ok === false) return atNginx;
  const atApache = apache === undefined ? undefined : await planApache(apache, survey, session);
  if (atApache?.ok === false) return atApache;
  return ok([
    ...(atNginx === undefined ? [] : [asServerEntries(atNginx.value)]),
    ...(atApache === undefined ? [] : [atApache.value]),
  ]);
}

export function planRemoval({ survey, programs }: EntriesSession): Plans {
  const { nginx, apache } = programs;
  const atNginx = nginx === undefined ? undefined : planNginxRemoval(nginx, survey);
  if (atNginx?.ok === false) return atNginx;
  const atApache = apache === undefined ? undefined : planApacheRemoval(apache, survey);
  if (atApache?.ok === false) return atApache;
  return ok([
    ...(atNginx === undefined ? [] : [asServerEntries(atNginx.value)]),
    ...(atApache === undefined ? [] : [atApache.value]),
  ]);
}

export function recordFor(
  { paths, survey, limits, strict }: EntriesSession,
  servers: readonly ServerEntries[],
): Result<void, Problem> {
  const files = new Set([
    ...(survey.nginxHttp?.files ?? []),
    ...survey.sites.map(({ file }) => file),
    ...survey.pools.flatMap(({ places }) => places.map(({ file }) => file)),
  ]);
  return writeRecord(paths, {
    sender: senderOf({ paths, survey }),
    files: [...files],
    state: fileStateKey([...files]),
    limits: limitsText(limits),
    strict,
    apacheOwners: apacheOwners(
      servers.filter(({ server }) => server === 'apache2').flatMap(({ sites }) => sites),
      limits,
    ),
  });
}

/**
 * Returns the uid that reports refusals: nginx's workers write themselves, and root writes for
 * Apache.
 */
function senderOf({ paths, survey }: Pick<EntriesSession, 'paths' | 'survey'>): number {
  const user = survey.nginxHttp?.user;
  if (user === undefined) return 0;
  return readHostFacts(paths, [user]).accounts.find((each) => each.user === user)?.uid ?? 0;
}
