/**
 * The policy for commands in CloudLinux's shape: read silently if it is good, and edited
 * through the same functions as `bulkhead set` and its like.
 */
import { applyPolicy } from '../../apply/apply.ts';
import { applyParts } from '../../apply/parts.ts';
import { editPolicy } from '../../apply/edit.ts';
import type { PolicyCapability } from '../../apply/capability.ts';
import type { PolicyReader } from '../../apply/load-policy.ts';
import { linuxHost } from '../../host/host.ts';
import type { Paths } from '../../host/paths.ts';
import { formatDiagnostic, type Diagnostic } from '../../policy/diagnostic.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import type { Policy } from '../../policy/policy.ts';
import type { ProblemOrCause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

export interface ReadPolicy {
  readonly policy: Policy;
  readonly document: PolicyDocument;
}

type Errors = readonly ProblemOrCause[];

export function readPolicy(
  reader: PolicyReader,
  file: string,
  paths: Paths,
): Result<ReadPolicy, Errors> {
  const { policy, document, diagnostics, problem } = reader.load(file, paths);
  if (policy !== undefined && document !== undefined) return ok({ policy, document });
  return fail(problem === undefined ? errorsOf(diagnostics) : [problem]);
}

const errorsOf = (diagnostics: readonly Diagnostic[]) =>
  diagnostics
    .filter((each) => each.severity === 'error')
    .map((each) => ({ reason: formatDiagnostic(each) }));

/** `now` is the policy before the edit, or undefined if it cannot be applied as it is. */
export type LveEdit = (text: string, now: ReadPolicy | undefined) => Result<string, Errors>;

interface Changed {
  readonly changed: boolean;
  /** Warnings that are new. */
  readonly warnings: readonly string[];
}

/** Writes the policy; an edit that would keep it from being applied is refused as a whole. */
function changePolicy(
  reader: PolicyReader,
  file: string,
  paths: Paths,
  edit: LveEdit,
): Result<Changed, Errors> {
  const edited = editPolicy(
    reader,
    file,
    paths,
    (text, now) => {
      const { policy, document } = now();
      return edit(
        text,
        policy === undefined || document === undefined ? undefined : { policy, document },
      );
    },
    'lvectl',
  );
  if (!edited.ok) return edited;
  const { before, after, news } = edited.value;
  const warnings = news()
    .filter((each) => each.severity === 'warning')
    .map(formatDiagnostic);
  return ok({ changed: before !== after, warnings });
}

/** The policy that a command may edit. */
export interface EditablePolicy {
  readonly file: string;
  /** Whether a change is applied at once. */
  readonly apply: boolean;
  readonly paths: Paths;
  readonly capabilities: readonly PolicyCapability[];
  readonly reader: PolicyReader;
}

/** Writes the policy and applies it. */
export async function changePolicyAndApply(
  { file, apply, paths, capabilities, reader }: EditablePolicy,
  edit: LveEdit,
): Promise<Result<Changed, Errors>> {
  const edited = changePolicy(reader, file, paths, edit);
  if (!edited.ok) return edited;
  const problems = apply ? await applyFile(capabilities, reader, file, paths) : [];
  return problems.length > 0 ? fail(problems) : edited;
}

/** Applies the policy and returns the errors. */
export async function applyFile(
  capabilities: readonly PolicyCapability[],
  reader: PolicyReader,
  file: string,
  paths: Paths,
): Promise<Errors> {
  const read = readPolicy(reader, file, paths);
  if (!read.ok) return read.error;
  const parts = await applyParts(capabilities, read.value.policy, paths, 'command');
  if (!parts.ok) return [parts.error];
  const applied = applyPolicy(read.value.policy, linuxHost(paths), { kill: false, force: false });
  if (!applied.ok) return [applied.error];
  return [...parts.value, ...applied.value.failures.map((each) => each.problem)];
}
