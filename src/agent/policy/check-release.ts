/** Checks whether this host takes a policy as its fleet's: as a whole, or not at all. */
import { formatProblem } from '../../../packages/base/problem.ts';
import { formatDiagnostic } from '../../policy/diagnostic.ts';
import { largeChange } from '../../policy/fleet/large-change.ts';
import type { ReleaseCheck } from '../fleet/fleet-agent.ts';
import type { PolicyContext } from './policy-context.ts';
import type { ReleaseQuestion } from './policy-job.ts';

/** More are of no use to anybody. */
const problemsMax = 50;

export function checkRelease(
  { reader, file, paths }: Pick<PolicyContext, 'reader' | 'file' | 'paths'>,
  { release, memoryBytes }: ReleaseQuestion,
): ReleaseCheck {
  const after = reader.load(file, paths, release);
  if (after.problem !== undefined) return { problems: [formatProblem(after.problem)] };
  const errors = after.diagnostics.filter(({ severity }) => severity === 'error');
  if (after.policy === undefined)
    return { problems: errors.slice(0, problemsMax).map(formatDiagnostic) };
  if (memoryBytes === 'not asked') return { problems: [] };
  const { policy: before } = reader.load(file, paths);
  if (before === undefined) return { problems: [incomparable] };
  const large = largeChange(before, after.policy, memoryBytes);
  return { problems: large.map((each) => `It is a large change, not signed as one: ${each}`) };
}

const incomparable =
  'The policy in force has errors, so nobody knows whether this is a large change; it is not signed as one';
