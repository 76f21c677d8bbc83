/**
 * Counts the messages that jailed tenants pass to `sendmail`, from the broker's files. Mail of others is not counted,
 * nor is mail that a program itself sends over the network.
 *
 *     /run/bulkhead/broker-mail/1001      1763992900 12 3 alice        since, accepted, refused, the account
 */
import { existsSync, rmSync } from 'node:fs';
import type { MailCount } from '../../agent/api/usage-api.ts';
import type { AgentPart } from '../../agent/part.ts';
import type { Paths } from '../../host/paths.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { keyOf } from '../core/jail-key.ts';
import { jailPathsOf } from './jail-paths.ts';
import { readStateFile } from './state-files.ts';

const countPath = (paths: Paths, uid: number) => `${jailPathsOf(paths).mail}/${uid}`;

const none: MailCount = { accepted: 0, refused: 0 };

/**
 * Reads a tenant's counts, which only root can do; zero if they belong to an account that has none of the tenant's names,
 * as far as these are known. `undefined` if they are not known: for a tenant without a jail, whose mail does not pass the
 * broker, and for a file of another format.
 */
export function readMailCount(
  paths: Paths,
  uid: number,
  names: readonly string[] = [],
): MailCount | undefined {
  if (readStateFile(jailPathsOf(paths), keyOf({ uid })) === undefined) return undefined;
  const path = countPath(paths, uid);
  const text = readText(path);
  if (text === undefined && !existsSync(path)) return none;
  const found = parseMailCount(text ?? '');
  if (found === undefined) return undefined;
  const { account, count } = found;
  return names.length === 0 || names.includes(account) ? count : none;
}

export function parseMailCount(
  text: string,
): { readonly account: string; readonly count: MailCount } | undefined {
  const [, since, accepted, refused, account] =
    /^(\d{1,12}) (\d{1,15}) (\d{1,15}) (\S{1,64})\n$/.exec(text) ?? [];
  if (account === undefined) return undefined;
  const count = {
    since: Number(since) * 1000,
    accepted: Number(accepted),
    refused: Number(refused),
  };
  return { account, count };
}

export const mailPart = (paths: Paths): AgentPart => ({
  mail(uid, tenantSince) {
    const found = readMailCount(paths, uid);
    // A tenant that has the uid of an earlier one begins at zero. The second in which it began may be the earlier one's.
    if (found?.since === undefined || found.since >= tenantSince) return found;
    rmSync(countPath(paths, uid), { force: true });
    return none;
  },
});
