/**
 * Whether a user could choose the environment of the step, which root runs. pam_exec passes on PAM's own list of
 * variables, and with `user_readenv=1` pam_env adds those that a user has written into ~/.pam_environment. LD_PRELOAD
 * among them would take effect before the step's first line.
 */
import { isStep } from './profiles.ts';
import { stackOf, type PamReader, type StackEntry } from './stack.ts';

/** Services that ask for a user's variables only when the session has been opened. */
const credentialsAfterSession: readonly string[] = ['atd'];

/** Returns the line that lets a user choose it. */
export function userEnvironmentLine(service: string, read: PamReader): StackEntry | undefined {
  const session = stackOf(service, 'session', read);
  const step = session.findIndex(isStep);
  if (step < 0) return undefined;
  const auth = credentialsAfterSession.includes(service) ? [] : stackOf(service, 'auth', read);
  return [...auth, ...session.slice(0, step)].find(readsUserFile);
}

const readsUserFile = ({ module, args }: StackEntry): boolean =>
  module === 'pam_env.so' && args.some((each) => /^user_readenv=0*[1-9]/.test(each));
