/**
 * Reads a policy and applies it, in a separate process. Reading a large policy, reclaiming a tenant's memory, or a
 * systemd command may take long, and the agent must keep ticking.
 *
 * In: an `ApplyRequest`, then the end. Out: an `ApplyResponse`. Both as v8.serialize writes them, which is fast, and
 * keeps maps and what tenants share. Lines such as `progress 40` on standard error report its progress.
 */
import { buffer } from 'node:stream/consumers';
import { deserialize, serialize } from 'node:v8';
import { markHomes } from '../host/accounts/homes.ts';
import { linuxHost, type Host } from '../host/host.ts';
import { pathsOf } from '../host/paths.ts';
import { readText } from '../sys/files/read.ts';
import { endWithParent } from '../sys/processes/child-script.ts';
import type { Diagnostic } from '../policy/diagnostic.ts';
import type { DriverName } from '../policy/document.ts';
import type { Policy } from '../policy/policy.ts';
import { failed, type Problem } from '../base/problem.ts';
import { ok, type Result } from '../base/result.ts';
import type { Failure } from '../host/driver.ts';
import { lastName, partKindOf } from '../plan/wanted.ts';
import { underLockAsync } from '../sys/files/under-lock.ts';
import { applyPolicy, policyLock } from './apply.ts';
import { loadPolicy, resolveText, type Loaded } from './load-policy.ts';
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
  /** Errors and warnings of the file. */
  readonly diagnostics: readonly Diagnostic[];
  /** The result; absent if there is nothing to apply: no valid file, and none that was applied before. */
  readonly applied: Result<Applied, Problem> | undefined;
}

export interface Applied {
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

async function answer(request: ApplyRequest): Promise<ApplyResponse> {
  const host = linuxHost(pathsOf(request.instance));
  const done = await underLockAsync(policyLock(host.paths), async () =>
    ok(await answerLocked(request, host)),
  );
  if (done.ok) return done.value;
  return { file: 'good', problem: undefined, diagnostics: [], applied: done };
}

async function answerLocked(request: ApplyRequest, host: Host): Promise<ApplyResponse> {
  const loaded = loadPolicy(request.file, host.paths);
  const toApply = loaded.policy === undefined ? loadLast(request, host) : loaded;
  return {
    file: stateOf(loaded),
    problem: loaded.problem,
    diagnostics: loaded.diagnostics
      .filter((each) => each.severity !== 'note')
      .slice(0, request.problemsMax),
    applied: toApply && (await apply(toApply, request, host)),
  };
}

/** Loads the last valid text with the current accounts. */
function loadLast({ file, lastText, keptPath }: ApplyRequest, host: Host): Loaded | undefined {
  const text = lastText ?? readText(keptPath);
  return text === undefined ? undefined : resolveText(file, text, host.paths);
}

async function apply(
  { policy, diagnostics }: Loaded,
  { problemsMax }: ApplyRequest,
  host: Host,
): Promise<Result<Applied, Problem>> {
  if (policy === undefined) {
    const reason = diagnostics[0]?.message ?? 'it has errors';
    return failed({ action: 'apply the policy that was in force', reason });
  }
  const parts = await applyParts(policy, host.paths, 'agent');
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

endWithParent();
const request = deserialize(await buffer(process.stdin)) as ApplyRequest;
process.stdout.write(serialize(await answer(request)));
