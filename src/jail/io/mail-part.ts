/**
 * Counts the messages that jailed tenants pass to `sendmail`, from the broker's files. Mail of others is not counted,
 * nor is mail that a program itself sends over the network.
 *
 *     /run/bulkhead/broker-mail/1001      1763992900 12 3        since, accepted, refused
 */
import { rmSync } from 'node:fs';
import type { MailCount } from '../../agent/api/api.ts';
import type { AgentPart } from '../../agent/part.ts';
import type { Paths } from '../../host/paths.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { keyOf } from '../core/jail-key.ts';
import { jailPathsOf } from './jail-paths.ts';
import { readStateFile } from './state-files.ts';

const countPath = (paths: Paths, uid: number) => `${jailPathsOf(paths).mail}/${uid}`;

/**
 * Reads a tenant's counts, which only root can do. `undefined` for a tenant without a jail: its mail does not pass the
 * broker.
 */
export function readMailCount(paths: Paths, uid: number): MailCount | undefined {
  if (readStateFile(jailPathsOf(paths), keyOf({ uid })) === undefined) return undefined;
  return parseMailCount(readText(countPath(paths, uid)) ?? '') ?? { accepted: 0, refused: 0 };
}

export function parseMailCount(text: string): MailCount | undefined {
  const [, since, accepted, refused] = /^(\d{1,12}) (\d{1,15}) (\d{1,15})\n$/.exec(text) ?? [];
  if (since === undefined) return undefined;
  return { since: Number(since) * 1000, accepted: Number(accepted), refused: Number(refused) };
}

export const mailPart = (paths: Paths): AgentPart => ({
  mail(uid, tenantSince) {
    const found = readMailCount(paths, uid);
    // A tenant that has the uid of an earlier one begins at zero.
    if (found?.since === undefined || found.since + 1000 > tenantSince) return found;
    rmSync(countPath(paths, uid), { force: true });
    return { accepted: 0, refused: 0 };
  },
});
