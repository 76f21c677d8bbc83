/**
 * A virtual machine with this project and its compiled BPF programs, for benchmarks whose kernel
 * must run them.
 */
import { logToStderr } from '../testing/progress.ts';
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import { startGuest, type Guest, type GuestTime } from '../testing/vm/guest.ts';
import { prepareImage } from '../testing/vm/image.ts';
import type { Cause } from '../packages/base/problem.ts';
import { fail, ok, type Result } from '../packages/base/result.ts';
import { compileBpf } from '../scripts/bpf.ts';

/** Starts the virtual machine. The error is why it cannot start here. */
export async function startBpfGuest(
  directory: string,
  time: GuestTime = 'real',
): Promise<Result<Guest, Cause>> {
  for (const suite of ['bpf', 'vm'] as const) {
    const ready = await ensurePrerequisites(suite, logToStderr);
    if (!ready.ok) return fail({ reason: ready.reason });
  }
  const image = await prepareImage(logToStderr);
  if (!image.ok) return image;
  const guest = await startGuest(image.value, time === 'counted' ? 1 : 2, time);
  await guest.copyProject();
  for (const object of compileBpf(`${directory}/bpf`))
    await guest.copyIn(object, `/opt/bulkhead/dist/bpf/${object.split('/').at(-1) ?? ''}`);
  return ok(guest);
}
