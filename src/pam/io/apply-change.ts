/**
 * Changes PAM as planned. If the host's files turn out different from the rehearsal, or if root can no longer open a
 * session, all files are restored.
 */
import { causedBy, failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, type Result } from '../../../packages/base/result.ts';
import { FileTransaction, undoUnfinished } from '../../sys/files/file-transaction.ts';
import { lockFile } from '../../sys/files/flock.ts';
import { directoryProblem, pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import type { PamProfile } from '../core/profiles.ts';
import { perform } from './auth-update.ts';
import { profileDirectory, readPamSnapshot, type PamSnapshot } from './pam-files.ts';
import type { PamChange } from './change.ts';
import { rootSessionWorks } from './session-check.ts';

const journal = '/var/lib/bulkhead/pam.journal';

/** Restores the files if a run was killed before it had checked what pam-auth-update wrote. */
export const undoKilledChange = (): Result<boolean, Problem> => undoUnfinished(journal);

/** Makes the whole planned change, or none of it. */
export function applyPamChange({ profiles, before, after }: PamChange): Result<void, Problem> {
  // Before the lock, by which others see that the change has begun.
  using _undisturbed = deferSignals();
  const locked = lockFile('/run/bulkhead-pam.lock', { waitMs: 10_000 });
  if (!locked.ok) return locked;
  using _lock = locked.value;
  const trusted = trustedDirectories();
  if (trusted !== undefined) return fail(trusted);
  const now = readPamSnapshot('');
  if (!now.ok) return now;
  if (!isSame(now.value, before))
    return failed({
      action: 'change PAM',
      reason: 'another program changed its files meanwhile',
      hint: 'run the command again',
    });
  const worked = rootSessionWorks();
  const begun = FileTransaction.begin(
    journal,
    [...before].map(([path, text]) => ({
      path,
      links: 'follow',
      before: text,
      after: after.get(path),
    })),
  );
  if (!begun.ok) return begun;
  using transaction = begun.value;
  const problem = tried(profiles, after, worked);
  if (problem === undefined) return transaction.commit();
  const undone = transaction.rollback();
  if (undone.ok) return fail({ ...problem, reason: `${problem.reason}; all is as it was before` });
  return fail({
    ...problem,
    ...causedBy(undone.error),
    hint: 'compare /etc/pam.d/common-* with a backup before you log out',
  });
}

/** Delays Ctrl-C until the change is complete, or undone. */
function deferSignals(): Disposable {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const later = () => {};
  for (const each of signals) process.on(each, later);
  return {
    [Symbol.dispose]() {
      for (const each of signals) process.off(each, later);
    },
  };
}

function tried(
  profiles: readonly PamProfile[],
  after: PamSnapshot,
  worked: boolean,
): Problem | undefined {
  const done = perform('', profiles);
  if (!done.ok) return done.error;
  const now = readPamSnapshot('');
  if (!now.ok) return now.error;
  if (!isSame(now.value, after))
    return { action: 'change PAM', reason: 'pam-auth-update wrote something else than on copies' };
  if (worked && !rootSessionWorks())
    return { action: 'change PAM', reason: 'root could not open a session of su afterwards' };
  return undefined;
}

function trustedDirectories(): Problem | undefined {
  for (const path of [profileDirectory, '/etc/pam.d']) {
    const pinned = pinDirectory(path);
    if (!pinned.ok) return pinned.error;
    using directory = pinned.value;
    const problem = directoryProblem(directory);
    if (problem !== undefined) return { action: 'write to', object: path, ...problem };
  }
  return undefined;
}

const isSame = (a: PamSnapshot, b: PamSnapshot): boolean =>
  a.size === b.size && [...a].every(([path, text]) => b.get(path) === text);
