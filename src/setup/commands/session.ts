/** The parts that the commands of a setup share: the policy, the record, and the state of the layers. */
import type { Command } from 'commander';
import type { StatusResponse } from '../../agent/api/api.ts';
import { briefly, callAgent } from '../../agent/api/client.ts';
import { capabilitiesOf, policyReaderOf, type Capability } from '../../cli/capability.ts';
import type { Layer } from '../../../packages/base/layer.ts';
import { surveyLayers } from '../../cli/layers/survey-layers.ts';
import { exitCodes, type ExitCode, type PolicyOptions } from '../../cli/shared/command.ts';
import { surveyEntryPaths } from '../../cli/shared/entry-paths.ts';
import { failWith, pathsFor } from '../../cli/shared/output.ts';
import { defaultPolicy } from '../../cli/shared/policy-option.ts';
import { sayItWaits } from '../../cli/shared/session.ts';
import type { PolicyReader } from '../../apply/load-policy.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import { nameOf, type Policy } from '../../policy/policy.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Answers } from '../core/answers.ts';
import type { HostLook } from '../core/look.ts';
import type { StepContext } from '../core/step.ts';
import { lookAtHost } from '../io/look.ts';

export interface SetupOptions extends PolicyOptions {
  readonly json?: boolean;
  readonly try?: string;
}

export interface Session {
  readonly paths: Paths;
  readonly file: string;
  readonly reader: PolicyReader;
  readonly capabilities: readonly Capability[];
  readonly look: HostLook;
  /** The tenant on which changes are tried first, if one was named. */
  readonly canary?: string;
}

/** Returns the session, or an exit status after the reason has been printed. */
export async function setupSession(
  options: SetupOptions,
  command: Command,
): Promise<Session | ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0)
    return failWith({
      action: 'set up this host',
      reason: 'only root may',
      hint: 'run it as root',
    });
  return {
    paths,
    file: options.policy,
    reader: await policyReaderOf(command),
    capabilities: capabilitiesOf(command),
    look: lookAtHost(paths, options.policy),
    ...(options.try === undefined ? {} : { canary: options.try }),
  };
}

const policyOf = ({ reader, file, paths }: Session): Policy | undefined =>
  reader.load(file, paths).policy;

/** Establishes the state of all layers now. */
export async function layersNow(session: Session): Promise<Result<readonly Layer[], Problem>> {
  const { paths, capabilities } = session;
  const policy = policyOf(session);
  const driver = probeDriver(paths, policy?.driver);
  if (!driver.ok) return driver;
  const agent = await callAgent<StatusResponse>(
    paths,
    '/v1/status',
    {},
    { ...briefly, onSlow: sayItWaits },
  );
  const context = { paths, policy, driver: driver.value.capabilities.driver };
  const entryPaths = await surveyEntryPaths(capabilities, context, 'thorough');
  return ok(
    await surveyLayers(capabilities, { paths, policy, driver: driver.value, agent, entryPaths }),
  );
}

/** The sites of tenants that web servers of this host serve, by the tenant's name. */
export async function sitesByTenant(
  session: Session,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const policy = policyOf(session);
  const found = new Map<string, readonly string[]>();
  if (policy === undefined) return found;
  for (const { servedSites } of session.capabilities) {
    const served = await (await servedSites?.())?.(session.paths, policy);
    for (const tenant of policy.tenants) {
      const names = [...(served?.get(tenant.uid) ?? [])];
      if (names.length > 0) found.set(nameOf(tenant), names);
    }
  }
  return found;
}

/** Returns what steps are made of. */
export async function stepContext(session: Session, answers: Answers): Promise<StepContext> {
  const { look, file } = session;
  const tenants = (policyOf(session)?.tenants ?? []).flatMap(({ account }) => account?.user ?? []);
  const withSite = [...(await sitesByTenant(session)).keys()];
  const first = tenants.find((each) => withSite.includes(each)) ?? tenants[0];
  const canary = tenants.find((each) => each === session.canary) ?? first;
  return {
    answers,
    look,
    tenants,
    policy: file === defaultPolicy ? [] : ['--policy', file],
    ...(canary === undefined ? {} : { canary }),
  };
}
