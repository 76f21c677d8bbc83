/** The state of the step on a host. */
import type { SessionJudgement, SliceOutcome } from './judge.ts';

export type ProfileState = 'absent' | 'as written' | 'differs';

export interface ServiceView extends SessionJudgement {
  /** Its file in /etc/pam.d: `sshd`. */
  readonly service: string;
  /** Whether its session includes the files in which `pam enable` puts our lines; true if it writes none. */
  readonly reachable: boolean;
  /** The reason why the daemon's sessions are outside jails, although its PAM file has the step. */
  readonly outsideJails?: string;
  /** Whether the account phase therefore refuses tenants with a jail. */
  readonly refusesJailed?: boolean;
  /** Set if its sessions may be outside jails: the accounts that have one are not known. */
  readonly jailsUnknown?: true;
  /** The outcome for tenants with systemd slices, if there are any. */
  readonly inSlice?: SliceOutcome;
}

export interface TenantCounts {
  /** The number of tenants that are slices of systemd. */
  readonly slices: number;
  /** The number of all other tenants. */
  readonly others: number;
}

export interface LoginView {
  /** The PAM module. */
  readonly module: {
    readonly path: string;
    /** Whether it exists. */
    readonly usable: boolean;
  };
  /** Bulkhead's files for pam-auth-update. */
  readonly profiles: readonly {
    readonly path: string;
    /** Whether the file is Bulkhead's. */
    readonly is: ProfileState;
  }[];
  /** The tenants in force; absent if no policy is in force. */
  readonly tenants: TenantCounts | undefined;
  /** Present if tenants have jails. */
  readonly jail?: {
    /** The number of tenants with a jail; only root can read it. */
    readonly tenants: number | 'unknown';
  };
  /** Whether the agent moves sessions that the step does not place. */
  readonly agentRuns: boolean;
  /** The PAM services. */
  readonly services: readonly ServiceView[];
}

/** Whether all tenants have slices, so that nothing else matters. */
export const hasSlicesOnly = ({ tenants }: LoginView): boolean =>
  tenants !== undefined && tenants.slices > 0 && tenants.others === 0;
