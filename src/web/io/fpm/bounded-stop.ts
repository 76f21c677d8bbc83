/** Waiting for the end of tenants' services, which they may try to put off: not for ever. */
import type { Problem } from '../../../base/problem.ts';
import type { Result } from '../../../base/result.ts';
import { systemctlEach } from '../../../host/systemd/systemctl.ts';

/** For requests in progress. The unit's own limit is longer, for stops that nobody waits for. */
const patienceMs = 20_000;

type Step = Promise<Result<void, Problem>>;

/** While `act` waits for the end of these services: what is left of them after a while is killed. */
export async function endingBy(services: readonly string[], act: () => Step): Step {
  const timer = setTimeout(
    () => void systemctlEach(['kill', '--signal=SIGKILL'], services),
    patienceMs,
  );
  try {
    return await act();
  } finally {
    clearTimeout(timer);
  }
}

export const stopServices = (services: readonly string[]): Step =>
  endingBy(services, () => systemctlEach(['stop'], services));
