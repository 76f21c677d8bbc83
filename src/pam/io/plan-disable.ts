/** The changes for disabling the step: rehearsed on copies; nothing is done yet. */
import { causedBy, failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { isOurLine } from '../core/profiles.ts';
import { stackOf } from '../core/stack.ts';
import { rehearseAuthUpdate } from './auth-update.ts';
import { foreignProfile, type PamChange } from './change.ts';
import {
  pamReader,
  profileDirectory,
  readPamSnapshot,
  serviceNames,
  type PamSnapshot,
} from './pam-files.ts';

const action = 'disable the login step';

export function planDisable(): Result<PamChange, Problem> {
  const before = readPamSnapshot('');
  if (!before.ok) return before;
  const foreign = foreignProfile(before.value);
  if (foreign !== undefined) return fail(foreign);
  const unchanged: PamChange = {
    profiles: [],
    before: before.value,
    after: before.value,
    notes: [],
  };
  const planned = hasTraces(before.value) ? withoutProfiles(unchanged) : ok(unchanged);
  return planned.ok ? (leftovers(planned.value.after) ?? planned) : planned;
}

function withoutProfiles(change: PamChange): Result<PamChange, Problem> {
  const after = rehearseAuthUpdate([]);
  return after.ok
    ? ok({ ...change, after: after.value })
    : failed({ action, ...causedBy(after.error) });
}

/** Whether pam-auth-update has to run at all. */
const hasTraces = (files: PamSnapshot) =>
  [...files].some(
    ([path, text]) =>
      text !== undefined &&
      (path.startsWith(`${profileDirectory}/`) || /\/pam_bulkhead\.so/.test(text)),
  );

/** Reports lines that somebody else put there. */
function leftovers(files: PamSnapshot): Result<never, Problem> | undefined {
  const read = pamReader(files);
  const types = ['session', 'account'] as const;
  const line = serviceNames()
    .flatMap((service) => types.flatMap((type) => stackOf(service, type, read)))
    .find(isOurLine);
  if (line === undefined) return undefined;
  return failed({
    action,
    reason: `/etc/pam.d/${line.file} has it in line ${line.line}, which pam-auth-update has not written`,
    hint: 'remove the lines with pam_bulkhead.so and /jailed there',
  });
}
