/** The response to `GET /v1/status`, part of the control API (`api.ts`). */
/** The state of the agent. */
export interface StatusResponse {
  /** The version of Bulkhead. */
  readonly version: string;
  /** `bulkhead`, or the name of a separate cgroup tree. */
  readonly instance: string;
  /** The agent's process. */
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The work of an agent that is starting; absent once it has started. */
  readonly starting?: StartingStatus;
  /** The driver that enforces limits. */
  readonly driver: string;
  /** The policy that the agent follows. */
  readonly policy: {
    /** The path of the policy. */
    readonly file: string;
    /** `refused`: the file has errors, and the previous policy is in force. */
    readonly state: 'in force' | 'refused' | 'failed' | 'absent';
    /** Milliseconds since 1970. */
    readonly stateChangedAt: number;
    /** The reasons for the state, as sentences; empty if the policy is in force. */
    readonly problems: readonly string[];
    /** Why changes that were to go back by themselves stay in force: their file was damaged. Absent if none do. */
    readonly notGoingBack?: string;
  };
  /** The number of tenants. */
  readonly tenants: number;
  /** The number of resellers. */
  readonly resellers: number;
  /** How the agent moves processes into their cgroups. */
  readonly placement: PlacementStatus;
  /** The regular measurement. */
  readonly tick: {
    /** The time between two ticks. */
    readonly intervalSeconds: number;
    /** The time when the last tick ended, in milliseconds since 1970; absent before the first. */
    readonly endedAt?: number;
    /** The duration of the last tick; absent before the first. */
    readonly durationSeconds?: number;
    /** The number of ticks since the agent started. */
    readonly ticks: number;
    /** The number of faults since the agent started. */
    readonly faults: number;
  };
  /** The stored measurements. */
  readonly history: {
    /** `off`: none is being kept, for the reason in `problem`. */
    readonly state: 'on' | 'off';
    /** The reason why nothing is being kept. */
    readonly problem?: string;
    /** The size of the files. */
    readonly bytes: number;
    /** The time of the oldest measurement, in milliseconds since 1970. */
    readonly oldestAt?: number;
  };
  /** The agent's own memory. */
  readonly memoryBytes: number;
  /** The TCP listener of the API, if it has one. */
  readonly tcp?: TcpStatus;
}

export interface StartingStatus {
  /** While it is applying the policy, it answers nothing but this status. */
  readonly doing: 'applying the policy' | 'scanning all processes';
  /** The progress in percent; absent if unknown. */
  readonly percent?: number;
}

export interface TcpStatus {
  /** The TCP port. */
  readonly port: number;
  /** The addresses at which the API listens. */
  readonly addresses: readonly string[];
  /** Whether the service manager listens on each address, so that nobody can take the port while the agent is down. */
  readonly socketActivated: boolean;
}

export interface PlacementStatus {
  /** `off`: the kernel reports no changes of uid here, for the reason in `problem`; processes are polled. */
  readonly state: 'on' | 'starting' | 'off';
  /** The reason why it is off. */
  readonly problem?: string;
  /** Whether the kernel reports only changes of uid (Linux 6.6), or all process events. */
  readonly filtered?: boolean;
  /** Counters since the agent started. */
  readonly events: number;
  /** The number of processes moved into their cgroups. */
  readonly migrated: number;
  /** How often the kernel dropped events, after each of which all processes are scanned. */
  readonly overruns: number;
  /** How often the process that moves them was started again. */
  readonly restarts: number;
  /** Processes of tenants outside their cgroups at the last full scan. */
  readonly outside: readonly OutsideProcess[];
  /** Why there may be more outside; empty if all processes could be inspected. */
  readonly unknown: readonly string[];
  /** The time of the last full scan, in milliseconds since 1970. */
  readonly scannedAt?: number;
}

interface OutsideProcess {
  readonly pid: number;
  readonly uid: number;
  /** The reason why it is outside. */
  readonly reason: string;
}
