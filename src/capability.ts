/**
 * What a capability adds to the engine. Everything is loaded when it is first needed: a command
 * must start as fast as if the other capabilities were not there.
 */
import type { AgentPart } from './agent/part.ts';
import type { Problem } from './base/problem.ts';
import type { SecurityItem } from './base/security-item.ts';
import type { Log } from './agent/log.ts';
import type { PolicyPart } from './apply/parts.ts';
import type { UndoStep } from './apply/undo-step.ts';
import type { PolicyFormat } from './apply/policy-format.ts';
import type { ExitCode } from './cli/shared/command.ts';
import type { CommandTable } from './cli/shared/command-table.ts';
import type { DoctorReport } from './cli/doctor-report.ts';
import type { Paths } from './host/paths.ts';
import type { Policy } from './policy/policy.ts';
import type { Origins, WayContext, WayKnowledge, WayName } from './host/ways/ways-in.ts';

type Lazy<T> = () => Promise<T>;

export interface Capability {
  readonly name: string;
  /** By the word on the command line. */
  readonly commands: CommandTable;
  /** Another format in which a policy may be written. */
  readonly policyFormat?: Lazy<PolicyFormat>;
  /** What it holds of the policy beside limits. */
  readonly policyPart?: Lazy<PolicyPart>;
  /** What `doctor` says of it, and what would help; nothing where there is nothing to say. */
  readonly doctor?: Lazy<(context: WayContext) => Promise<DoctorReport | undefined>>;
  /** Why limits cannot be removed yet; asked before `release` changes anything. */
  readonly releaseObstacle?: Lazy<(paths: Paths) => Problem | undefined>;
  /** What of it is in force now, and how that is undone; `release --all` asks, in the order of the list. */
  readonly undo?: Lazy<(paths: Paths) => readonly UndoStep[]>;
  /** What the agent does for it. */
  readonly agentParts?: readonly Lazy<(paths: Paths, log: Log) => AgentPart>[];
  /** What it adds to that report: how well it holds what the policy asks of it. */
  readonly securityItems?: Lazy<
    (paths: Paths, policy: Policy | undefined) => readonly SecurityItem[]
  >;
  /** What `doctor --security` prints. */
  readonly securityReport?: Lazy<
    (
      paths: Paths,
      policy: Policy | undefined,
      options: { readonly json: boolean; readonly more: readonly SecurityItem[] },
    ) => ExitCode
  >;
  /** What it knows of the ways in which processes of tenants begin here. */
  readonly waysIn?: {
    /** It starts other programs to find out, which takes up to a second. */
    readonly slow?: true;
    readonly load: Lazy<(context: WayContext) => WayKnowledge | Promise<WayKnowledge>>;
  };
  /** The names of the sites of tenants that are served here, by uid; nothing where that is not known. */
  readonly servedSites?: Lazy<
    (paths: Paths, policy: Policy) => Promise<ReadonlyMap<number, ReadonlySet<string>> | undefined>
  >;
  /** What it knows of processes that came by one of these ways. */
  readonly origins?: { readonly way: WayName; readonly load: Lazy<Origins> };
}
