/** Policy file → Policy, with all diagnostics. A file with errors is not applied. */
import { availableParallelism } from 'node:os';
import { formatProblem, type Problem } from '../base/problem.ts';
import { readHostFacts, readUidRange } from '../host/accounts/accounts.ts';
import type { Paths } from '../host/paths.ts';
import { readSiteLimits } from '../host/site-limits.ts';
import { readPolicyFile } from '../host/policy-file.ts';
import type { Diagnostic, Diagnostics } from '../policy/diagnostic.ts';
import type { PolicyDocument } from '../policy/document.ts';
import { parsePolicy } from '../policy/parse.ts';
import type { Policy } from '../policy/policy.ts';
import { resolvePolicy } from '../policy/resolve.ts';
import { capabilities } from '../capabilities.ts';
import type { PolicyFormat } from './policy-format.ts';

const formats: readonly PolicyFormat[] = await Promise.all(
  capabilities.flatMap(({ policyFormat }) => policyFormat?.() ?? []),
);

/** Returns the format of a policy that is not written in Bulkhead's own XML. */
export const foreignFormat = (text: string): PolicyFormat | undefined =>
  formats.find((each) => each.matches(text));

export interface Loaded {
  /** The policy; absent if the file has errors, or could not be read. */
  readonly policy: Policy | undefined;
  readonly document: PolicyDocument | undefined;
  /** The diagnostics, in the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
  /** The reason why the file could not be read. */
  readonly problem: Problem | undefined;
}

export function loadPolicy(file: string, paths: Paths): Loaded {
  const read = readPolicyFile(file);
  if (read.ok) return resolveText(file, read.value, paths);
  const problem = read.error;
  return { policy: undefined, document: undefined, diagnostics: [], problem };
}

export function resolveText(file: string, text: string, paths: Paths): Loaded {
  const format = foreignFormat(text);
  const { document, diagnostics } =
    format === undefined
      ? parsePolicy(file, text)
      : format.parse(file, text, { cores: availableParallelism(), uids: readUidRange(paths) });
  if (document === undefined) return loaded(undefined, undefined, diagnostics);
  const facts = readHostFacts(paths, namedUsers(document));
  const kept = readSiteLimits(paths, facts.accounts);
  for (const each of kept.problems) diagnostics.warn(0, formatProblem(each));
  const policy = resolvePolicy(document, { ...facts, siteLimits: kept.limits });
  return loaded(policy, document, diagnostics);
}

function loaded(
  policy: Policy | undefined,
  document: PolicyDocument | undefined,
  diagnostics: Diagnostics,
): Loaded {
  const list = diagnostics.list.toSorted((a, b) => a.line - b.line || a.column - b.column);
  return {
    policy: diagnostics.failed ? undefined : policy,
    document,
    diagnostics: list,
    problem: undefined,
  };
}

function namedUsers(document: PolicyDocument): readonly string[] {
  const elements = [
    ...document.tenants,
    ...document.resellers,
    ...document.resellers.flatMap((each) => each.tenants),
  ];
  const names = elements.flatMap(({ name }) =>
    name.value.kind === 'user' ? [name.value.user] : [],
  );
  const except = document.tenantRanges.flatMap((each) => each.except.map((word) => word.value));
  return [...names, ...except.filter((word) => !/^\d+$/.test(word))];
}
