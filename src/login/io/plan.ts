/** What turning the step on or off would change: rehearsed on copies, judged, and nothing done yet. */
import { dirname } from 'node:path';
import { causedBy, failed, type Problem } from '../../base/problem.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { pinDirectory } from '../../sys/files/pinned-directory.ts';
import { openTrusted } from '../../sys/files/text-file.ts';
import {
  isOurs,
  isPlainPath,
  isStep,
  isSystemd,
  profileMark,
  profilesOf,
  type Profile,
  type Step,
} from '../core/profiles.ts';
import { judgeSession, type SessionJudgement } from '../core/judge.ts';
import { stackOf } from '../core/stack.ts';
import { userEnvironmentLine } from '../core/user-environment.ts';
import { hasAuthUpdate, rehearse } from './auth-update.ts';
import {
  commonFiles,
  pamReader,
  profileDirectory,
  readSnapshot,
  serviceNames,
  type Snapshot,
} from './pam-files.ts';

export interface Change {
  readonly profiles: readonly Profile[];
  readonly before: Snapshot;
  readonly after: Snapshot;
  /** What the administrator has to know. */
  readonly notes: readonly string[];
}

const action = 'enable the login step';

/** What would be changed. Changes nothing. */
export function planEnable(step: Step): Result<Change, Problem> {
  const problem = obstacle(step);
  if (problem !== undefined) return fail(problem);
  const before = readSnapshot('');
  if (!before.ok) return before;
  const foreign = foreignProfile(before.value);
  if (foreign !== undefined) return fail(foreign);
  const chosen = chooseProfiles(step);
  if (!chosen.ok) return chosen;
  const { profiles, after, notes } = chosen.value;
  const risk = environmentProblem(after);
  return risk === undefined ? ok({ profiles, before: before.value, after, notes }) : fail(risk);
}

/** Why the step must not be run from this host's PAM. */
function obstacle(step: Step): Problem | undefined {
  if (!hasAuthUpdate())
    return {
      action,
      reason: 'there is no pam-auth-update, so PAM is managed otherwise here',
      hint: `with authselect or by hand, put these before pam_systemd.so into what sshd, su and crond include: ${linesByHand(step)}`,
    };
  if (!isPlainPath(step.program))
    return {
      action,
      reason: `PAM cannot be given the path ${JSON.stringify(step.program)}`,
      hint: 'install Bulkhead below /usr or /opt',
    };
  const pinned = pinDirectory(dirname(step.program));
  if (!pinned.ok) return { action, ...causedBy(pinned.error) };
  using directory = pinned.value;
  const opened = openTrusted(directory, step.program, 'install Bulkhead again');
  if (!opened.ok) return { action, ...causedBy(opened.error) };
  using file = opened.value;
  if ((file.stat.mode & 0o111) === 0)
    return {
      action,
      reason: `${step.program} cannot be executed`,
      hint: `run: chmod 755 ${step.program}`,
    };
  return undefined;
}

const linesByHand = (step: Step) =>
  (profilesOf(step, false)[0]?.text ?? '')
    .split('\n')
    .filter((line) => line.startsWith('\t'))
    .map((line) => `"session ${line.trim().replaceAll('\t', ' ')}"`)
    .join(', ');

function foreignProfile(files: Snapshot): Problem | undefined {
  for (const [path, text] of files)
    if (
      path.startsWith(`${profileDirectory}/`) &&
      text !== undefined &&
      !text.startsWith(profileMark)
    )
      return {
        action: 'write',
        object: path,
        reason: "a file that is not Bulkhead's is there",
        hint: 'move it away first',
      };
  return undefined;
}

type Chosen = Pick<Change, 'profiles' | 'after' | 'notes'>;

/** With the jump where it is right, else without. */
function chooseProfiles(step: Step): Result<Chosen, Problem> {
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

/** Rehearsed, and found to run the step in both files. */
function rehearsed(profiles: readonly Profile[], step: Step): Result<Snapshot, Problem> {
  const after = rehearse(profiles);
  if (!after.ok) return after;
  const read = pamReader(after.value);
  for (const file of commonFiles) {
    const stack = stackOf(file, 'session', read);
    if (stack.some(isStep) && judgeSession(stack, step).current) continue;
    return failed({
      action,
      reason: `pam-auth-update leaves the step out of /etc/pam.d/${file}, or changes its lines`,
      hint: 'see "bulkhead pam status"',
    });
  }
  return after;
}

function environmentProblem(after: Snapshot): Problem | undefined {
  const read = pamReader(after);
  for (const service of serviceNames()) {
    const line = userEnvironmentLine(service, read);
    if (line === undefined) continue;
    return {
      action,
      reason: `in /etc/pam.d/${line.file}, line ${line.line}, pam_env has user_readenv=1: users of ${service} could choose the environment of a program that root runs`,
      hint: 'remove user_readenv=1 there; it is deprecated for this reason',
    };
  }
  return undefined;
}

/** What would be changed to have it as before. Changes nothing. */
export function planDisable(): Result<Change, Problem> {
  const before = readSnapshot('');
  if (!before.ok) return before;
  const foreign = foreignProfile(before.value);
  if (foreign !== undefined) return fail(foreign);
  if (!hasAuthUpdate() || !hasTraces(before.value))
    return (
      leftovers(before.value) ??
      ok({ profiles: [], before: before.value, after: before.value, notes: [] })
    );
  const after = rehearse([]);
  if (!after.ok)
    return fail({
      ...after.error,
      action: 'disable the login step',
      reason: causedBy(after.error).reason,
    });
  return (
    leftovers(after.value) ??
    ok({ profiles: [], before: before.value, after: after.value, notes: [] })
  );
}

const hasTraces = (files: Snapshot) =>
  [...files].some(
    ([path, text]) =>
      text !== undefined &&
      (path.startsWith(`${profileDirectory}/`) || text.includes('/bulkhead-pam')),
  );

/** Lines that somebody else put there. */
function leftovers(files: Snapshot): Result<never, Problem> | undefined {
  const read = pamReader(files);
  const line = serviceNames()
    .flatMap((service) => stackOf(service, 'session', read))
    .find(isOurs);
  if (line === undefined) return undefined;
  return failed({
    action: 'disable the login step',
    reason: `/etc/pam.d/${line.file} has it in line ${line.line}, which pam-auth-update has not written`,
    hint: 'remove the lines with bulkhead-pam and with /logins there',
  });
}
