/** The account of the front. It is in /etc/passwd, where the agent and the front look for it, and owns no file. */
import { failed, formatCause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { parsePasswd } from '../../host/accounts/accounts.ts';
import type { Account } from '../../policy/accounts/account.ts';
import { consoleAccount, type Paths } from '../../host/paths.ts';
import { packageFile } from '../../sys/package-files.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';

const timeoutMs = 30_000;

/** Returns the account; undefined if there is none. */
export const findFrontAccount = (
  { etc }: Pick<Paths, 'etc'>,
  user = consoleAccount,
): Account | undefined =>
  parsePasswd(readText(`${etc}/passwd`) ?? '').find((each) => each.user === user && each.uid !== 0);

/** Makes the account if it is missing: by the file of the package, and without systemd-sysusers by useradd. */
export async function makeFrontAccount(paths: Pick<Paths, 'etc'>): Promise<Result<void, Problem>> {
  if (findFrontAccount(paths) !== undefined) return ok(undefined);
  const ways = [
    ['systemd-sysusers', packageFile('packaging/bulkhead-console.conf')],
    ['useradd', '--system', '--no-create-home', '--home-dir', '/', consoleAccount],
  ] as const;
  const reasons: string[] = [];
  for (const [program, ...args] of ways) {
    const done = await runBounded(program, args, { timeoutMs });
    if (findFrontAccount(paths) !== undefined) return ok(undefined);
    const said = done.ok ? done.value.stderr.trim().split('\n')[0] : formatCause(done.error);
    reasons.push(`${program}: ${said === undefined || said === '' ? 'made none' : said}`);
  }
  const hint = `make it: useradd --system --shell /usr/sbin/nologin ${consoleAccount}`;
  return failed({
    action: 'make the account',
    object: consoleAccount,
    reason: reasons.join('; '),
    hint,
  });
}
