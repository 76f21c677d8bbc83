/** The state of the step on a host. */
import type { SessionJudgement, SliceOutcome } from './judge.ts';

export type ProfileState = 'absent' | 'as written' | 'differs';

export interface ServiceView extends SessionJudgement {
  /** Its file in /etc/pam.d: `sshd`. */
  readonly service: string;
  /** Whether its session includes the files in which `pam enable` puts our lines; true if it writes none. */
  readonly reachable: boolean;
  /** The line that lets users choose the environment of the step: `/etc/pam.d/su:3`. */
  readonly userEnvironment?: string;
  /** The outcome for tenants with systemd slices, if there are any. */
  readonly inSlice?: SliceOutcome;
}

export interface LoginView {
  /** The program that PAM runs. */
  readonly step: {
    readonly path: string;
    /** Whether it can be executed. */
    readonly executable: boolean;
  };
  /** Bulkhead's files for pam-auth-update. */
  readonly profiles: readonly {
    readonly path: string;
    /** Whether the file is Bulkhead's. */
    readonly is: ProfileState;
  }[];
  /** The number of accounts that the step is run for; absent if no policy is in force. */
  readonly logins: number | undefined;
  /** The number of those accounts that have systemd slices. */
  readonly slices: number;
  /** Present if tenants have jails: how many, and whether the module that enters them exists. */
  readonly jail?: {
    /** The path of the PAM module that enters jails. */
    readonly module: string;
    /** Whether the PAM module exists. */
    readonly usable: boolean;
    /** The number of tenants with a jail. */
    readonly tenants: number;
  };
  /** Whether the agent moves sessions that the step does not place. */
  readonly agentRuns: boolean;
  /** The PAM services. */
  readonly services: readonly ServiceView[];
}

/** Whether all accounts have slices, so that nothing else matters. */
export const hasSlicesOnly = ({ logins = 0, slices }: LoginView): boolean =>
  slices > 0 && slices === logins;
