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
  readonly step: { readonly path: string; readonly executable: boolean };
  readonly profiles: readonly { readonly path: string; readonly is: ProfileState }[];
  /** The number of accounts that the step is run for; absent if no policy is in force. */
  readonly logins: number | undefined;
  /** The number of those accounts that have systemd slices. */
  readonly slices: number;
  /** Present if tenants have jails: how many, and whether the module that enters them exists. */
  readonly jail?: {
    readonly module: string;
    readonly usable: boolean;
    readonly tenants: number;
  };
  /** Whether the agent moves sessions that the step does not place. */
  readonly agentRuns: boolean;
  readonly services: readonly ServiceView[];
}

/** Whether all accounts have slices, so that nothing else matters. */
export const hasSlicesOnly = ({ logins = 0, slices }: LoginView): boolean =>
  slices > 0 && slices === logins;
