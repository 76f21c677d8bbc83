/** A virtual machine with Bulkhead as installed. Its processor is emulated, so only ratios and counts mean something there. */
import type { Cause } from '../packages/base/problem.ts';
import { fail, ok, type Result } from '../packages/base/result.ts';
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import { logToStderr } from '../testing/progress.ts';
import { startGuest, type Guest } from '../testing/vm/guest.ts';
import { prepareImage } from '../testing/vm/image.ts';
import { copyInstalled } from '../testing/vm/installed.ts';

/** Starts it, and prepares it further if that is asked for. The error is why it cannot start here. */
export async function startBuiltGuest(
  prepare: (guest: Guest) => Promise<unknown> = async () => {},
): Promise<Result<Guest, Cause>> {
  const ready = await ensurePrerequisites('vm', logToStderr);
  if (!ready.ok) return fail({ reason: ready.reason });
  const image = await prepareImage(logToStderr);
  if (!image.ok) return image;
  const guest = await startGuest(image.value);
  try {
    await copyInstalled(guest);
    await prepare(guest);
    return ok(guest);
  } catch (error) {
    await guest[Symbol.asyncDispose]();
    throw error;
  }
}
