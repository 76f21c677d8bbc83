/** What is known of the step on a host. */
import type { SessionJudgement, SliceOutcome } from './judge.ts';

export type ProfileState = 'absent' | 'as written' | 'differs';

export interface ServiceView extends SessionJudgement {
  /** Its file in /etc/pam.d: `sshd`. */
  readonly service: string;
  /** Whether its session includes the files in which `pam enable` puts our lines; true where it writes none. */
  readonly reachable: boolean;
  /** The line that lets users choose the environment of the step: `/etc/pam.d/su:3`. */
  readonly userEnvironment?: string;
  /** For tenants that are slices of systemd, where there are some. */
  readonly inSlice?: SliceOutcome;
}

export interface LoginView {
  readonly step: { readonly path: string; readonly executable: boolean };
  readonly profiles: readonly { readonly path: string; readonly is: ProfileState }[];
  /** How many accounts the step is run for; absent where no policy is in force. */
  readonly logins: number | undefined;
  /** How many of them are slices of systemd. */
  readonly slices: number;
  /** Where tenants have jails: how many, and whether the module that enters them is there. */
  readonly jail?: {
    readonly module: string;
    readonly usable: boolean;
    readonly tenants: number;
  };
  /** Whether the agent moves those that the step does not place. */
  readonly agentRuns: boolean;
  readonly services: readonly ServiceView[];
}

/** Whether all of them are slices, so that nothing else matters. */
export const hasSlicesOnly = ({ logins = 0, slices }: LoginView): boolean =>
  slices > 0 && slices === logins;
