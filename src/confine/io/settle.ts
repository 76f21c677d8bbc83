/** Whether a service that was restarted is up: active, on the same main process for a while, and listening where it did. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { ConfinePaths, ConfinedService } from './places.ts';
import { listensOn, readUnit, type UnitNow } from './unit.ts';

const pauseMs = 500;
/** The time for services that load a lot before they listen. */
const listenWithinMs = 90_000;
/** The time in which systemd starts a service again that dies at once. */
const staysForMs = 3_000;

export async function waitUntilUp(
  places: ConfinePaths,
  service: ConfinedService,
  listening: ReadonlySet<string>,
): Promise<Result<void, Problem>> {
  const until = performance.now() + listenWithinMs;
  for (;;) {
    const now = await readUnit(service);
    if (!now.ok) return now;
    const problem = stateProblem(service, now.value);
    if (problem !== undefined) return failed(problem);
    const there = listensOn(places, now.value);
    const missing = [...listening].filter((each) => !there.has(each));
    if (missing.length === 0) return stays(service, now.value);
    if (performance.now() > until)
      return failed({
        ...cannot(service),
        reason: `it no longer listens on ${missing.join(', ')}`,
      });
    await sleep(pauseMs);
  }
}

async function stays(service: ConfinedService, before: UnitNow): Promise<Result<void, Problem>> {
  await sleep(staysForMs);
  const now = await readUnit(service);
  if (!now.ok) return now;
  const problem = stateProblem(service, now.value);
  if (problem !== undefined) return failed(problem);
  if (now.value.mainPid === before.mainPid) return ok(undefined);
  return failed({ ...cannot(service), reason: 'its main process ended and was started again' });
}

/** Returns the problem with the service's state. A restart by hand sets systemd's own count of restarts to 0. */
function stateProblem(service: ConfinedService, now: UnitNow): Problem | undefined {
  if (!['active', 'reloading'].includes(now.active))
    return { ...cannot(service), reason: `after the restart it is ${now.active}` };
  if (now.restarts > 0)
    return { ...cannot(service), reason: 'systemd has to start it again and again' };
  return undefined;
}

const cannot = ({ name }: ConfinedService) => ({ action: 'confine', object: name });
