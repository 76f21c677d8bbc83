/**
 * The parts that a capability adds to the engine. Each part is loaded when it is first needed, so that a
 * command starts as fast as if the other capabilities did not exist.
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
  /** Commands by their names on the command line. */
  readonly commands: CommandTable;
  /** Another format in which a policy may be written. */
  readonly policyFormat?: Lazy<PolicyFormat>;
  /** The part of the policy that the capability enforces, next to limits. */
  readonly policyPart?: Lazy<PolicyPart>;
  /** Returns the section for `doctor`, with what would help; undefined if there is nothing to report. */
  readonly doctor?: Lazy<(context: WayContext) => Promise<DoctorReport | undefined>>;
  /** Why limits cannot be removed yet; asked before `release` changes anything. */
  readonly releaseObstacle?: Lazy<(paths: Paths) => Problem | undefined>;
  /** Returns steps that undo what is in force now; `release --all` asks capabilities in the order of their list. */
  readonly undo?: Lazy<(paths: Paths) => readonly UndoStep[]>;
  /** Parts of the agent that belong to the capability. */
  readonly agentParts?: readonly Lazy<(paths: Paths, log: Log) => AgentPart>[];
  /** Returns rows for the security report: how well the capability enforces its part of the policy. */
  readonly securityItems?: Lazy<
    (paths: Paths, policy: Policy | undefined) => readonly SecurityItem[]
  >;
  /** Prints the security report (`doctor --security`). */
  readonly securityReport?: Lazy<
    (
      paths: Paths,
      policy: Policy | undefined,
      options: { readonly json: boolean; readonly more: readonly SecurityItem[] },
    ) => ExitCode
  >;
  /** Facts about entry paths, by which tenants' processes start on this host. */
  readonly waysIn?: {
    /** It starts other programs to find out, which takes up to a second. */
    readonly slow?: true;
    readonly load: Lazy<(context: WayContext) => WayKnowledge | Promise<WayKnowledge>>;
  };
  /** The names of the sites of tenants that are served here, by uid; nothing where that is not known. */
  readonly servedSites?: Lazy<
    (paths: Paths, policy: Policy) => Promise<ReadonlyMap<number, ReadonlySet<string>> | undefined>
  >;
  /** Facts about processes that started by one of these entry paths. */
  readonly origins?: { readonly way: WayName; readonly load: Lazy<Origins> };
}
