/** The reading and applying of a policy for the agent, which a separate process does. */
import { markHomes } from '../host/accounts/homes.ts';
import { linuxHost, type Host } from '../host/host.ts';
import { pathsOf, type Paths } from '../host/paths.ts';
import { readText } from '../../packages/base/io/read.ts';
import { formatDiagnostic, type Diagnostic } from '../policy/diagnostic.ts';
import type { DriverName } from '../policy/document.ts';
import { ownTextOf } from '../policy/fleet/merged.ts';
import type { Policy } from '../policy/policy.ts';
import { failed, formatProblem, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { Failure } from '../host/driver.ts';
import { lastName, partKindOf } from '../plan/wanted.ts';
import { underLockAsync } from '../sys/files/under-lock.ts';
import { applyPolicy, policyLock } from './apply.ts';
import type { PolicyCapability } from './capability.ts';
import { recordApplied } from './change-record.ts';
import { policyReader, type Loaded, type PolicyReader } from './load-policy.ts';
import { applyParts } from './parts.ts';

export interface ApplyRequest {
  readonly instance: string;
  readonly file: string;
  /** The text that was applied last, if the agent knows one; `keptPath` is where it is kept over restarts. */
  readonly lastText: string | undefined;
  readonly keptPath: string;
  /** The maximum number of diagnostics, and of failures, to return. */
  readonly problemsMax: number;
}

export interface ApplyResponse {
  readonly file: 'good' | 'wrong' | 'absent';
  /** The reason why the file could not be read. */
  readonly problem: Problem | undefined;
  /** Errors and warnings of the file, errors first. */
  readonly diagnostics: readonly Diagnostic[];
  /** Whether a policy was refused that names accounts which nothing has found: a directory service may start later. */
  readonly namesUnknown: boolean;
  /** The reason why the record of changes could not be written. */
  readonly unrecorded: Problem | undefined;
  /** The result; absent if there is nothing to apply: no valid file, and none that was applied before. */
  readonly applied: Result<ChildApplied, Problem> | undefined;
}

export interface ChildApplied {
  /** The policy of the file, or the last applied one if the file has errors. */
  readonly policy: Policy;
  readonly driver: DriverName;
  readonly changes: number;
  readonly failures: readonly Problem[];
  /** Failures on the cgroups of sites; one problem each. */
  readonly siteFailures: ReadonlyMap<string, Problem>;
  /** The identities of home directories, by uid. */
  readonly homes: ReadonlyMap<number, string>;
}

/** Applies what the file says, or what was in force before if the file has errors. */
export async function applyRequest(
  request: ApplyRequest,
  capabilities: readonly PolicyCapability[],
): Promise<ApplyResponse> {
  const host = linuxHost(pathsOf(request.instance));
  const reader = await policyReader(capabilities);
  const done = await underLockAsync(policyLock(host.paths), async () =>
    ok(await applyLocked(request, { host, reader, capabilities })),
  );
  if (done.ok) return done.value;
  return {
    file: 'good',
    problem: undefined,
    diagnostics: [],
    namesUnknown: false,
    unrecorded: undefined,
    applied: done,
  };
}

interface Context {
  readonly host: Host;
  readonly reader: PolicyReader;
  readonly capabilities: readonly PolicyCapability[];
}

async function applyLocked(request: ApplyRequest, context: Context): Promise<ApplyResponse> {
  const { host, reader } = context;
  const loaded = reader.load(request.file, host.paths);
  const toApply = loaded.policy === undefined ? loadLast(request, context) : loaded;
  const applied = toApply && (await apply(toApply, request, context));
  const recorded = record(request, loaded, applied, host.paths);
  return {
    file: stateOf(loaded),
    problem: loaded.problem,
    diagnostics: worst(loaded.diagnostics, request.problemsMax),
    namesUnknown: loaded.namesUnknown || toApply?.namesUnknown === true,
    unrecorded: recorded.ok ? undefined : recorded.error,
    applied,
  };
}

/** Records what became of the file's text. A text that could not be read does not count. */
function record(
  { file }: ApplyRequest,
  { policy, text, diagnostics }: Loaded,
  applied: ApplyResponse['applied'],
  paths: Paths,
): Result<void, Problem> {
  if (policy !== undefined) {
    const failures = applied?.ok === true ? applied.value.failures : [applied?.error];
    const problems = failures.flatMap((each) => (each === undefined ? [] : [formatProblem(each)]));
    return recordApplied(paths, {
      file,
      text: ownTextOf(policy),
      way: 'by hand',
      problems,
      outcome: problems.length === 0 ? 'in force' : 'failed',
      keepMilliseconds: policy.agent.history.incidentsMilliseconds,
    });
  }
  if (text === undefined) return ok(undefined);
  const problems = diagnostics.filter(({ severity }) => severity === 'error').map(formatDiagnostic);
  return recordApplied(paths, {
    file,
    text,
    way: 'by hand',
    outcome: 'refused',
    problems,
  });
}

/** Returns errors before warnings, since thousands of accounts may be missing. */
function worst(diagnostics: readonly Diagnostic[], max: number): readonly Diagnostic[] {
  const { error = [], warning = [] } = Object.groupBy(diagnostics, ({ severity }) => severity);
  return [...error, ...warning].slice(0, max);
}

/** Loads the last valid text with the current accounts. */
function loadLast(
  { file, lastText, keptPath }: ApplyRequest,
  { host, reader }: Context,
): Loaded | undefined {
  const text = lastText ?? readText(keptPath);
  return text === undefined ? undefined : reader.resolve(file, text, host.paths);
}

async function apply(
  { policy, diagnostics }: Loaded,
  { problemsMax }: ApplyRequest,
  { host, capabilities }: Context,
): Promise<Result<ChildApplied, Problem>> {
  if (policy === undefined) {
    const error = diagnostics.find(({ severity }) => severity === 'error');
    const reason = error?.message ?? 'it has errors';
    return failed({ action: 'apply the policy that was in force', reason });
  }
  const parts = await applyParts(capabilities, policy, host.paths, 'agent');
  if (!parts.ok) return parts;
  const applied = applyPolicy(policy, host, { kill: false, force: false }, progress());
  if (!applied.ok) return applied;
  const { driver, operations, failures } = applied.value;
  const accounts = [...policy.tenants, ...policy.resellers].flatMap(({ account }) => account ?? []);
  return ok({
    policy,
    driver: driver.capabilities.driver,
    changes: operations.length,
    failures: [...parts.value, ...failures.map((each) => each.problem)].slice(0, problemsMax),
    siteFailures: new Map(failures.flatMap(siteFailure)),
    homes: new Map(markHomes(accounts, host.paths)),
  });
}

/** Reports to the agent the share of changes that is done, in percent. */
function progress(): (done: number, total: number) => void {
  let told = -1;
  return (done, total) => {
    const percent = total === 0 ? 100 : Math.floor((100 * done) / total);
    if (percent !== told) process.stderr.write(`progress ${percent}\n`);
    told = percent;
  };
}

function siteFailure({ operation, problem }: Failure): readonly (readonly [string, Problem])[] {
  if (!('cgroup' in operation) || partKindOf(lastName(operation.cgroup)) !== 'site') return [];
  return [[operation.cgroup, problem]];
}

function stateOf({ policy, document, diagnostics }: Loaded): ApplyResponse['file'] {
  if (policy !== undefined) return 'good';
  return document === undefined && diagnostics.length === 0 ? 'absent' : 'wrong';
}
