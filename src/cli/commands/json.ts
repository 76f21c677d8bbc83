/** The values that the engine's commands print with `--json`. Schemas are generated from these types. */
import type { OtherWriter } from '../../../packages/base/other-writer.ts';
import type {
  AlertsTestResponse,
  IncidentResponse,
  IncidentsResponse,
  MovedIncidentResponse,
  ProcessesResponse,
  TopResponse,
  Who,
} from '../../agent/api/api.ts';
import type { AdviseResponse, UsageResponse } from '../../agent/api/usage-api.ts';
import type { MovedOrigin } from '../../agent/history/history-api.ts';
import type { SimulateResponse } from '../../agent/policy/simulate-response.ts';
import type { PlacementStatus, StatusResponse } from '../../agent/api/status-response.ts';
import type { SecurityItem } from '../../../packages/base/security-item.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Stop } from '../../host/stops.ts';
import type { OwnUnit, UnitFileState } from '../../host/systemd/own-units.ts';
import type { EntryPathReport } from '../../host/entry-paths/entry-paths.ts';
import type { Counters, LimitKey, PeakCounter } from '../../limits/limit.ts';
import type { Support } from '../../limits/support.ts';
import type { Operation } from '../../plan/operations.ts';
import type { Diagnostic } from '../../policy/diagnostic.ts';
import type { UsageChart } from '../../usage/chart/usage-chart.ts';
import type { DriverName } from '../../policy/document.ts';
import type { Explanation } from '../../policy/explain.ts';
import type { OwnLimit } from '../../policy/sites/site-limits.ts';
import type { DoctorReport } from '../doctor-report.ts';
import type { Layer, LayerCounts } from '../../../packages/base/layer.ts';
import type { CameOutside } from '../shared/entry-paths.ts';

/** The result of checking a policy. */
export interface CheckJson {
  /** Whether the policy has no errors. */
  readonly ok: boolean;
  /** The reason why the file could not be read, as a sentence. */
  readonly problem?: string;
  /** The errors, warnings and notes. */
  readonly diagnostics: readonly Diagnostic[];
  /** Notes on what the policy means on this host. */
  readonly remarks: readonly string[];
  /** The number of tenants; 0 if the policy has errors. */
  readonly tenants: number;
  /** The number of resellers; 0 if the policy has errors. */
  readonly resellers: number;
}

/** The operations that `apply` would execute, in their order. */
export interface PlanJson {
  /** The driver that would enforce the limits. */
  readonly driver: DriverName;
  /** The operations, in the order of execution. */
  readonly operations: readonly Operation[];
  /** A line for each change other than limits, such as a jail to build. */
  readonly more: readonly string[];
}

/** The operations that were executed, and what failed. */
export interface ApplyJson {
  /** The driver that enforces the limits. */
  readonly driver: DriverName;
  /** The operations, in the order of execution. */
  readonly operations: readonly Operation[];
  /** The operations that failed, and why. */
  readonly failures: readonly FailedOperation[];
  /** A line for each change other than limits, such as a jail that was built. */
  readonly more: readonly string[];
  /** Failures of something other than limits. */
  readonly problems: readonly ProblemJson[];
  /** Accounts of the policy that do not exist now. */
  readonly missingAccounts: readonly MissingAccountJson[];
}

/** An account that the policy names and that does not exist now. */
export interface MissingAccountJson {
  /** The account's name. */
  readonly user: string;
  /** Its uid at the last apply. */
  readonly uid: number;
  /** The element that names it; `except`: an attribute of `<tenants>`. */
  readonly element: 'tenant' | 'reseller' | 'except';
  /** `missing`: the element applies to that uid. `replaced`: another account has got it, and the element has no effect. */
  readonly state: 'missing' | 'replaced';
  /** The consequence and the remedy. */
  readonly message: string;
}

/** A problem, and the sentence that people read. */
export interface ProblemJson extends Problem {
  /** The problem as one sentence. */
  readonly message: string;
}

/** An operation that failed. */
export interface FailedOperation extends ProblemJson {
  /** The operation. */
  readonly operation: Operation;
}

/** The differences between the policy and the kernel. */
export interface VerifyJson {
  /** The operations that would correct them; empty if nothing differs. */
  readonly drift: readonly Operation[];
  /** A line for each difference other than limits. */
  readonly more: readonly string[];
}

/** One subject's limits, or with `--by-tenants` the limits that tenants and resellers have set. */
export type ExplainJson = Explanation | LimitsByTenants;

/** The limits of sites that tenants and resellers have set. */
export interface LimitsByTenants {
  /** The limits, in force or not. */
  readonly limits: readonly LimitByTenant[];
}

/** A limit of a site that is not from the policy. */
export interface LimitByTenant {
  /** `alice/shop.example`. */
  readonly site: string;
  /** The limit and its attribute: `cpu limit`. */
  readonly limit: string;
  /** The value as the policy would have it. */
  readonly value: string;
  /** The tenant or reseller that set it. */
  readonly by: string;
  readonly state: OwnLimit['state'];
}

/** The packages of the policy. */
export interface PackageListJson {
  /** The packages. */
  readonly packages: readonly PackageRow[];
}

export interface PackageRow {
  /** The package's name. */
  readonly name: string;
  /** The number of tenants in it. */
  readonly tenants: number;
  /** The limits as the policy has them, by `LIMIT.ATTRIBUTE`. */
  readonly limits: Readonly<Record<LimitKey, string>>;
}

/** Everything that `release --all` undoes, or would undo. */
export type ReleaseJson = ReleasePlan | Released;

export interface ReleasePlan {
  readonly dryRun: true;
  /** A line for each step, in their order. */
  readonly steps: readonly string[];
}

export interface Released {
  /** The steps that were done. */
  readonly done: readonly string[];
  /** Steps that failed; empty if none did. */
  readonly problems: readonly Problem[];
}

/** The abilities of this host, and how tenants' processes start; with `--security` its protections. */
export type DoctorJson = HostReport | NoDriver | SecurityReport;

export interface HostReport {
  /** The kernel's release. */
  readonly kernel: string;
  /** The driver that enforces limits here. */
  readonly driver: DriverName;
  /** The reason for this driver. */
  readonly reason: string;
  /** The disks that can be throttled, as `MAJOR:MINOR`. */
  readonly devices: readonly string[];
  /** Notes for the administrator, with remedies. */
  readonly remarks: readonly string[];
  /** Programs that Bulkhead needs and that are not installed. */
  readonly missing: readonly string[];
  /** Accounts of the policy that do not exist now. */
  readonly missingAccounts: readonly MissingAccountJson[];
  /** Other programs that set limits of users' slices, or users' disk quotas. */
  readonly otherWriters: readonly OtherWriter[];
  /**
   * Values that something else has changed since the agent applied the policy. Absent if that is unknown, as without an
   * agent.
   */
  readonly changedByOthers?: readonly string[];
  /** How the agent moves processes; if no agent answers, `off` and the reason. */
  readonly placement: PlacementStatus | NoPlacement;
  /** The entry paths: how tenants' processes start. */
  readonly entryPaths: readonly EntryPathReport[];
  /** The reports of capabilities about this host. */
  readonly capabilities: readonly DoctorReport[];
  /** How well each limit is enforced, by `LIMIT.ATTRIBUTE`. */
  readonly limits: Readonly<Record<LimitKey, Support>>;
  /** The layers of protection, each with its state; `setup status` counts them. */
  readonly layers: readonly Layer[];
}

export interface NoPlacement {
  /** `off`: no agent answers. */
  readonly state: 'off';
  /** The reason why no agent answers. */
  readonly problem: string;
}

/** A host on which no limit can be set. */
export interface NoDriver {
  /** The kernel's release. */
  readonly kernel: string;
  /** The reason, as a sentence. */
  readonly problem: string;
}

/** The protections of this host. */
export interface SecurityReport {
  /** The protections. */
  readonly items: readonly SecurityItemJson[];
}

/** A protection. */
export interface SecurityItemJson extends Pick<SecurityItem, 'item' | 'key' | 'verdict' | 'why'> {
  /** The current value; null if this kernel does not have it. */
  readonly now: string | null;
  /** The good value; null if there is no recommendation. */
  readonly wanted: string | null;
  /** Programs that may no longer work with the good value; null if none are known. */
  readonly breaks: string | null;
  /** The version of the kernel that introduced it; null if that does not matter. */
  readonly since: string | null;
  /** The remedy if the protection is missing, or another note; null if there is none. */
  readonly remark: string | null;
}

/** The limits in force, and what each tenant uses now. */
export interface StatusJson {
  /** The driver that enforces the limits. */
  readonly driver: string;
  /** The tenants of the policy; empty if the policy has errors. */
  readonly tenants: readonly TenantStatus[];
  /** The resellers, each as the sum of its tenants. */
  readonly resellers: readonly MemberStatus[];
  /** Processes of tenants outside their cgroups. */
  readonly outside: readonly CameOutside[];
  /** Reasons why there may be more outside; empty if all processes could be inspected. */
  readonly unknown: readonly string[];
  /** Whether limits are only observed, and the kernel enforces none; absent if they are enforced. */
  readonly observed?: true;
  /** Accounts of the policy that do not exist now; absent if there are none. */
  readonly missingAccounts?: readonly MissingAccountJson[];
  /** The entry paths: how tenants' processes start. Absent if only the agent answers. */
  readonly entryPaths?: readonly EntryPathReport[];
  /** The number of layers of protection in each state; present with `--score`. */
  readonly counts?: LayerCounts;
  /** The agent's own status; absent if it does not answer. */
  readonly agent?: StatusResponse;
}

/** A reseller, a tenant or a site. */
export interface MemberStatus {
  /** The account, reseller or site. */
  readonly name: string;
  /** The uid; for a site its tenant's. */
  readonly uid: number;
  /** Whether it has a cgroup, so that its limits are in force. */
  readonly inForce: boolean;
  /** The tenant's package; absent if it has none. */
  readonly package?: string | undefined;
  /** Some of its limits, as the policy has them. */
  readonly limits: {
    /** The limit on CPU time. */
    readonly cpu: string;
    /** The limit on memory. */
    readonly memory: string;
    /** The limit on processes and threads. */
    readonly processes: string;
  };
  /** Raw counters since the cgroup was made; absent if there is no cgroup. */
  readonly counters?: Omit<Counters, PeakCounter> | undefined;
}

export interface TenantStatus extends MemberStatus {
  /** Present if an administrator has stopped it. */
  readonly stopped?: Stop;
  /** The tenant's sites; absent if it has none. */
  readonly sites?: readonly MemberStatus[];
}

/** The agent's last tick, or without an agent the kernel's counters. */
export type TopJson = TopResponse;

/** The processes of one tenant. */
export type PsJson = ProcessesResponse;

/** The use of resources over a period. */
export interface UsageJson extends UsageResponse, FromOtherHosts {}

/** The history that came with the tenant from other hosts, if one tenant was asked for. */
export interface FromOtherHosts {
  /** A record for each account on another host, the latest first; absent if nothing came, null if that is unknown. */
  readonly moved?: readonly MovedOrigin[] | null;
}

/** Recorded use, replayed against the limits of another policy. */
export type SimulateJson = SimulateResponse;

/** The use of a tenant over a period, as `chart` draws it. */
export interface ChartJson extends UsageChart {
  readonly who: Who;
  /** The length of a part. */
  readonly partSeconds: number;
}

/** Incidents, the latest first. */
export interface FaultsJson extends IncidentsResponse, FromOtherHosts {}

/** One incident with its evidence. */
export type IncidentJson = IncidentResponse | MovedIncidentResponse;

/** Limits compared with past usage. */
export type AdviseJson = AdviseResponse;

/** The result of a test message to each receiver. */
export type AlertsTestJson = AlertsTestResponse;

/** The systemd units of Bulkhead on this host. */
export interface UnitsStatusJson {
  /** The units of Bulkhead. */
  readonly units: readonly UnitRow[];
}

export interface UnitRow {
  /** The name of the unit. */
  readonly name: string;
  /** The state of the unit's file; `old`: it is from another version. */
  readonly file: UnitFileState;
  readonly use: OwnUnit['use'];
  /** Whether it starts at boot. */
  readonly enabled: boolean;
  /** Whether it runs now. */
  readonly active: boolean;
}

/** The units after they were installed. */
export type UnitsEnableJson = UnitsStatusJson;

/** The units that were removed. */
export interface UnitsDisableJson {
  /** The names of the units. */
  readonly removed: readonly string[];
}
