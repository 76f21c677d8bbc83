/** Waits for the end of tenants' services, but not for ever, since tenants may delay it. */
import type { Problem } from '../../../../../packages/base/problem.ts';
import type { Result } from '../../../../../packages/base/result.ts';
import { systemctlEach } from '../../../../host/systemd/systemctl.ts';

/**
 * How long requests in progress may take. The unit's own limit is longer, for stops that nobody
 * waits for.
 */
const patienceMs = 20_000;

type Step = Promise<Result<void, Problem>>;

/**
 * Runs `act`, which waits for the end of these services, and kills what is left of them after a
 * while.
 */
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
