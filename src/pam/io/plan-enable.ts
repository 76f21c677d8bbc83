/** The changes for enabling the step: rehearsed on copies and checked; nothing is done yet. */
import { docPage, packageFile } from '../../sys/package-files.ts';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { causedBy, failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { openTrusted } from '../../sys/files/text-file.ts';
import {
  accountLines,
  isOurLine,
  isPlainPath,
  isStep,
  isSystemd,
  profilesOf,
  sessionLines,
  type PamProfile,
  type PamStep,
} from '../core/profiles.ts';
import { isRefusing, judgeSession, type SessionJudgement } from '../core/judge.ts';
import { parsePamFile } from '../core/pam-file.ts';
import { stackOf } from '../core/stack.ts';
import { hasAuthUpdate, rehearseAuthUpdate } from './auth-update.ts';
import { foreignProfile, type PamChange } from './change.ts';
import {
  accountFile,
  commonFiles,
  pamReader,
  readPamSnapshot,
  serviceFile,
  type PamSnapshot,
} from './pam-files.ts';

const action = 'enable the login step';

/** Plans the changes, without making any. */
export function planEnable(step: PamStep): Result<PamChange, Problem> {
  const problem = blocker(step);
  if (problem !== undefined) return fail(problem);
  const before = readPamSnapshot('');
  if (!before.ok) return before;
  const foreign = foreignProfile(before.value);
  if (foreign !== undefined) return fail(foreign);
  const chosen = chooseProfiles(step);
  if (!chosen.ok) return chosen;
  const { profiles, after, notes } = chosen.value;
  const change = { profiles, before: before.value, after };
  return ok({ ...change, notes: [...notes, ...pendingNote(change)] });
}

/** Returns a note on changes that packages have left for the next run of pam-auth-update, which this run makes too. */
function pendingNote({ before, after }: Pick<PamChange, 'before' | 'after'>): readonly string[] {
  const withoutOurs = (text = '') =>
    text
      .split('\n')
      .filter((line) => !mentionsUs(line))
      .join('\n');
  const changed = [...after.keys()].filter(
    (path) =>
      path.startsWith(serviceFile('')) &&
      withoutOurs(before.get(path)) !== withoutOurs(after.get(path)),
  );
  return changed.length === 0
    ? []
    : [
        `pam-auth-update also writes what other packages left to its next run: ${changed.join(', ')}`,
      ];
}

const mentionsUs = (line: string) =>
  parsePamFile(line).some((each) => each.kind === 'module' && isOurLine(each));

const authselect = '/usr/bin/authselect';

/** Returns the reason why the step must not run from this host's PAM. */
function blocker(step: PamStep): Problem | undefined {
  if (!hasAuthUpdate())
    return {
      action,
      reason: 'there is no pam-auth-update, so PAM is managed otherwise here',
      hint: existsSync(authselect)
        ? `run ${packageFile('libexec/bulkhead-authselect')}, which makes an authselect profile`
        : `by hand, put these before pam_systemd.so into what sshd, su and crond include: ${linesByHand(step)}`,
    };
  if (!isPlainPath(step.module))
    return {
      action,
      reason: `PAM cannot be given the path ${JSON.stringify(step.module)}`,
      hint: 'install Bulkhead below /usr or /opt',
    };
  if (!existsSync(step.module))
    return {
      action,
      reason: `there is no ${step.module}: it was not compiled, or not for this processor`,
      hint: `see ${docPage('install')}`,
    };
  return ownerProblem(step.module);
}

/** Returns the reason if others than root can change the module. */
function ownerProblem(module: string): Problem | undefined {
  const pinned = pinDirectory(dirname(module));
  if (!pinned.ok) return { action, ...causedBy(pinned.error) };
  using directory = pinned.value;
  const opened = openTrusted(directory, module, 'install Bulkhead again');
  if (!opened.ok) return { action, ...causedBy(opened.error) };
  opened.value[Symbol.dispose]();
  return undefined;
}

const linesByHand = (step: PamStep) =>
  profilesOf(step, false)
    .flatMap((profile) => [...accountLines(profile), ...sessionLines(profile)])
    .map((line) => `"${line.replaceAll('\t', ' ')}"`)
    .join(', ');

type Chosen = Pick<PamChange, 'profiles' | 'after' | 'notes'>;

/** Chooses the profiles with the jump if it works, otherwise without. */
function chooseProfiles(step: PamStep): Result<Chosen, Problem> {
  const jumping = profilesOf(step, true);
  const withJump = rehearsed(jumping, step);
  if (!withJump.ok) return withJump;
  const session = stackOf('common-session', 'session', pamReader(withJump.value));
  const judged = judgeSession(session, step);
  if (judged.jumps && judged.outcome === 'placed' && judged.wronglySkipped.length === 0)
    return ok({ profiles: jumping, after: withJump.value, notes: [] });
  const plain = profilesOf(step, false);
  const without = rehearsed(plain, step);
  if (!without.ok) return without;
  const notes = session.some(isSystemd) ? [withoutJump(judged)] : [];
  return ok({ profiles: plain, after: without.value, notes });
}

function withoutJump({ wronglySkipped }: SessionJudgement): string {
  const between = wronglySkipped.filter((each) => each !== 'pam_systemd.so').join(', ');
  const why =
    between === ''
      ? 'pam_systemd.so does not come right after the step'
      : `${between} comes between the step and pam_systemd.so`;
  return `In /etc/pam.d/common-session ${why}, so the step does not jump over it: pam_systemd takes sessions of ssh, su and login back, and only the agent can catch them; cron and at are placed`;
}

/** Rehearses the profiles, and checks that the step runs in both files. */
function rehearsed(profiles: readonly PamProfile[], step: PamStep): Result<PamSnapshot, Problem> {
  const after = rehearseAuthUpdate(profiles);
  if (!after.ok) return after;
  const read = pamReader(after.value);
  const refuses = isRefusing(stackOf(accountFile, 'account', read), step);
  if (step.jailed !== undefined && !refuses) return failed(leftOut(accountFile));
  for (const file of commonFiles) {
    const stack = stackOf(file, 'session', read);
    if (stack.some(isStep) && judgeSession(stack, step).current) continue;
    return failed(leftOut(file));
  }
  return after;
}

const leftOut = (file: string): Problem => ({
  action,
  reason: `pam-auth-update leaves the step out of /etc/pam.d/${file}, or changes its lines`,
  hint: 'see "bulkhead pam status"',
});
