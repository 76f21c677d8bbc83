/** The parts that the commands of a setup share: the policy, the record, and the state of the layers. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { StatusResponse } from '../../agent/api/status-response.ts';
import { briefly, callAgent } from '../../agent/api/client.ts';
import { capabilitiesOf, policyReaderOf, type Capability } from '../../cli/capability.ts';
import type { Layer } from '../../../packages/base/layer.ts';
import { policyProblemOf, surveyLayers } from '../../cli/layers/survey-layers.ts';
import { exitCodes, type ExitCode, type PolicyOptions } from '../../cli/shared/command.ts';
import { surveyEntryPaths } from '../../cli/shared/entry-paths.ts';
import { failWith, pathsFor } from '../../cli/shared/output.ts';
import { defaultPolicy } from '../../cli/shared/policy-option.ts';
import { sayItWaits } from '../../cli/shared/session.ts';
import type { Loaded, PolicyReader } from '../../apply/load-policy.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import { ownTextOf } from '../../policy/fleet/merged.ts';
import { jailOriginOf, nameOf, type Policy } from '../../policy/policy.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { ownUnits, unitFile } from '../../host/systemd/own-units.ts';
import type { Answers } from '../core/answers.ts';
import { besidePolicy, chosenLimits, whyNotFollow, withoutPanel } from '../core/imported-limits.ts';
import type { HostLook } from '../core/look.ts';
import { policyText } from '../core/policy-text.ts';
import type { SetupRecord } from '../core/record.ts';
import type { StepContext } from '../core/step.ts';
import type { Words } from '../core/words.ts';
import { lookAtHost } from '../io/look.ts';
import { readRecord } from '../io/record-file.ts';
import { readVeCfg } from '../io/ve-cfg.ts';
import { defaultAnswers } from './questions.ts';

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
  const file = resolve(options.policy);
  const capabilities = capabilitiesOf(command);
  return {
    paths,
    file,
    reader: await policyReaderOf(command),
    capabilities,
    look: lookAtHost(paths, file, { packagesOf: (await panelOf(capabilities, paths)) ?? null }),
    ...(options.try === undefined ? {} : { canary: options.try }),
  };
}

/** Returns the session for the policy of the record: one host has one. An error if the command line names another. */
function withRecordedPolicy(
  session: Session,
  record: Pick<SetupRecord, 'policyFile'> | undefined,
  isNamed: boolean,
): Result<Session, Problem> {
  if (record === undefined || record.policyFile === session.file) return ok(session);
  if (!isNamed) return ok({ ...session, file: record.policyFile });
  return failed({
    action: 'use the policy',
    object: session.file,
    reason: `this host was set up with ${record.policyFile}`,
    hint: 'leave --policy out, or run "bulkhead setup undo" first',
  });
}

/** A session with the record of the host; without one, setup has not run here. */
export interface RecordedSession {
  readonly session: Session;
  readonly record: SetupRecord | undefined;
}

/** Reads the record, and takes the policy from it. */
export function withRecord(found: Session, command: Command): Result<RecordedSession, Problem> {
  const read = readRecord(found.paths, defaultAnswers(found.look));
  if (!read.ok) return read;
  const record = read.value;
  const session = withRecordedPolicy(found, record, isPolicyNamed(command));
  return session.ok ? ok({ session: session.value, record }) : session;
}

/** Whether the command line names a policy; `setup` takes the option wherever it stands. */
const isPolicyNamed = (command: Command): boolean =>
  command.getOptionValueSourceWithGlobals('policy') === 'cli';

/** Returns the commands that would undo what is in force now, such as `pam disable`. */
export async function commandsInForce({
  capabilities,
  paths,
}: Session): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { undo } of capabilities)
    for (const { command } of (await undo?.())?.(paths) ?? [])
      // What waits for a reboot is not in force.
      if (command !== undefined && command[0] !== 'setup') found.push(nameOfCommand(command));
  const hasUnits = ownUnits.some(
    ({ name }) => !['absent', 'packaged'].includes(unitFile(paths, name)),
  );
  return hasUnits ? [...found, 'units disable'] : found;
}

/** Returns the command without its options and names, `web fpm disable`. */
export const nameOfCommand = (words: Words): string => {
  const last = words.findIndex((each) => each === 'disable');
  return words.slice(0, last + 1).join(' ');
};

/** Loads the policy as it is now. What is asked about one that was loaded once is asked once. */
export const loadNow = ({ reader, file, paths }: Session): Loaded => reader.load(file, paths);

/** Establishes the state of all layers now. */
export async function layersNow(
  session: Session,
  loaded: Loaded = loadNow(session),
): Promise<Result<readonly Layer[], Problem>> {
  const { paths, capabilities } = session;
  const { policy } = loaded;
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
    await surveyLayers(capabilities, {
      paths,
      policy,
      policyProblem: policyProblemOf(loaded),
      driver: driver.value,
      agent,
      entryPaths,
    }),
  );
}

async function sitesByTenant(
  session: Session,
  policy: Policy | undefined,
): Promise<StepContext['sites']> {
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

/** Returns the name of the panel whose packages can be read. */
async function panelOf(
  capabilities: readonly Capability[],
  paths: Paths,
): Promise<string | undefined> {
  for (const { packageLimits } of capabilities) {
    const found = (await packageLimits?.())?.panel(paths);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Reads the limits of another program, if those are wanted. */
async function importedFor(
  session: Session,
  answers: Answers,
  { policy, document }: Loaded,
): Promise<Pick<StepContext, 'imported'>> {
  if (answers.limits === 'starter' || answers.limits === 'medium') return {};
  const { reader, paths } = session;
  const read =
    answers.limits === 've.cfg' ? readVeCfg(reader, paths) : await packageLimitsOf(session);
  if (!read.ok) return { imported: read };
  const limits = chosenLimits(read.value, answers);
  if (policy === undefined) return { imported: ok(limits) };
  const obstacle =
    limits.panel === undefined || document === undefined ? undefined : whyNotFollow(document);
  if (obstacle !== undefined) return { imported: ok(withoutPanel(limits, obstacle)) };
  return { imported: ok(besidePolicy(limits, policy, document?.packages ?? [])) };
}

/** Adds the policy that the first step would write, where there is none: its tenants are known before. */
function withFirstPolicy(
  { reader, file, paths }: Session,
  answers: Answers,
  loaded: Loaded,
): Loaded {
  if (loaded.problem?.errno !== 'ENOENT' || loaded.policy !== undefined) return loaded;
  const { policy } = reader.resolve(file, policyText(answers), paths);
  return { ...loaded, policy };
}

type Imported = NonNullable<StepContext['imported']>;

/** The packages of a run: a panel has thousands of files, and each step needs what they say. */
const packagesRead = new WeakMap<HostLook, Promise<Imported>>();

function packageLimitsOf(session: Session): Promise<Imported> {
  const known = packagesRead.get(session.look);
  if (known !== undefined) return known;
  const read = readPackageLimits(session);
  packagesRead.set(session.look, read);
  return read;
}

async function readPackageLimits({ capabilities, paths }: Session): Promise<Imported> {
  for (const { packageLimits } of capabilities) {
    const part = await packageLimits?.();
    if (part?.panel(paths) !== undefined) return part.read(paths);
  }
  return fail({
    reason: 'no panel was found whose packages can be read',
    hint: 'answer "starter" or "medium"',
  });
}

/** Returns what steps are made of. */
export async function stepContext(
  session: Session,
  answers: Answers,
  loaded: Loaded = loadNow(session),
): Promise<StepContext> {
  const known = withFirstPolicy(session, answers, loaded);
  const context = await contextWithoutLimits(session, answers, known);
  return { ...context, ...(await importedFor(session, answers, known)) };
}

/** Returns it for what adds no limits, and reads no panel. */
export async function contextWithoutLimits(
  session: Session,
  answers: Answers,
  loaded: Loaded = loadNow(session),
): Promise<StepContext> {
  const { look, file } = session;
  const { policy, document } = withFirstPolicy(session, answers, loaded);
  const known = (policy?.tenants ?? []).flatMap((tenant) =>
    tenant.account === undefined ? [] : [{ ...tenant.account, jail: jailOriginOf(tenant.chain) }],
  );
  const tenants = known.map(({ user }) => user);
  const sites = await sitesByTenant(session, policy);
  const first = tenants.find((each) => sites.has(each)) ?? tenants[0];
  const canary = tenants.find((each) => each === session.canary) ?? first;
  return {
    answers,
    look,
    file,
    sites,
    unjailed: known.filter(({ jail }) => jail === undefined),
    policy: file === defaultPolicy ? [] : ['--policy', file],
    ...(document === undefined ? {} : { text: ownTextOf(document) }),
    ...(canary === undefined ? {} : { canary }),
  };
}
