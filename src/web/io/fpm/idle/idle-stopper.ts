/**
 * The agent stops masters that nobody has asked for anything in a while; systemd has their sockets and starts them
 * with the next request. One that comes just then waits in the socket. And it ends all that is left of accounts that
 * were removed.
 */
import type { AgentPart } from '../../../../agent/part.ts';
import type { Log } from '../../../../agent/log.ts';
import { printProblem, type Problem } from '../../../../base/problem.ts';
import { ok, type Result } from '../../../../base/result.ts';
import type { Paths } from '../../../../host/paths.ts';
import { runsSystemd } from '../../../../host/cgroups/systemd-delegation.ts';
import { readText } from '../../../../sys/files/read.ts';
import { runBounded } from '../../../../sys/processes/run-bounded.ts';
import { connectBus, type Bus } from '../../../../sys/dbus/bus.ts';
import type { Variant } from '../../../../sys/dbus/value.ts';
import { IdleWatch, type MasterWork } from '../../../core/fpm/service/idle.ts';
import { workOf } from './master-work.ts';
import { listUnits, manager, systemd } from './units.ts';

export interface IdleSetting {
  readonly idleMs: number;
  readonly everyMs: number;
}

/** A stop costs the next request a start, and its opcache: minutes, not seconds. */
const defaultSetting: IdleSetting = { idleMs: 15 * 60_000, everyMs: 30_000 };

export function idleStopper(
  { instance }: Paths,
  log: Log,
  { idleMs, everyMs }: IdleSetting = defaultSetting,
): AgentPart {
  const watch = new IdleWatch(idleMs);
  let next = 0;
  let isBusy = false;
  let reported: string | undefined;
  const round = async () => {
    const done = await stopUnneeded(instance, watch);
    const problem = done.ok ? undefined : printProblem(done.error);
    if (problem !== undefined && problem !== reported) log.warn(problem);
    reported = problem;
    isBusy = false;
  };
  return {
    afterTick() {
      const now = performance.now();
      if (isBusy || now < next || !runsSystemd()) return;
      next = now + everyMs;
      isBusy = true;
      void round();
    },
  };
}

/** The next round tries again what fails. */
async function stopUnneeded(instance: string, watch: IdleWatch): Promise<Result<void, Problem>> {
  const connected = await connectBus();
  if (!connected.ok) return connected;
  using bus = connected.value;
  const masters = await readMasters(bus, instance);
  if (!masters.ok) return masters;
  const gone = await withoutAccount(bus, instance);
  if (!gone.ok) return gone;
  const units = [...gone.value, ...watch.toStop(masters.value, performance.now())];
  const stopped = await Promise.all(
    units.map((unit) =>
      bus.call({
        ...manager,
        member: 'StopUnit',
        signature: 'ss',
        body: [unit, 'replace'],
        returns: 'o',
      }),
    ),
  );
  return stopped.find((each) => !each.ok) ?? ok(undefined);
}

/**
 * Sockets and services of a uid whose account was removed: the next account with that uid must find nothing of the one
 * before. A reload of the distribution's service removes their files.
 */
async function withoutAccount(
  bus: Bus,
  instance: string,
): Promise<Result<readonly string[], Problem>> {
  const listed = await listUnits(bus, `${instance}-fpm*@*`);
  if (!listed.ok) return listed;
  const byUid = Map.groupBy(
    listed.value,
    ({ unit }) => /@([1-9]\d{0,9})[.:]/.exec(unit)?.[1] ?? '',
  );
  byUid.delete('');
  const known = new Set(
    (readText('/etc/passwd') ?? '').split('\n').map((line) => line.split(':')[2]),
  );
  const unknown = [...byUid.keys()].filter((uid) => !known.has(uid));
  const gone = await Promise.all(
    unknown.map(async (uid) => {
      // Accounts of a directory service are not in the file; 2 says that there is none, and nothing else does.
      const asked = await runBounded('getent', ['passwd', uid], { timeoutMs: 10_000 });
      return asked.ok && asked.value.status === 2 ? (byUid.get(uid) ?? []) : [];
    }),
  );
  // Sockets first, which would start the service again.
  const units = gone.flat().map(({ unit }) => unit);
  return ok(units.sort((a, b) => Number(b.endsWith('.socket')) - Number(a.endsWith('.socket'))));
}

/** Of those that run. One that ends meanwhile is left out. */
async function readMasters(
  bus: Bus,
  instance: string,
): Promise<Result<readonly MasterWork[], Problem>> {
  const listed = await listUnits(bus, `${instance}-fpm*@*.service`);
  if (!listed.ok) return listed;
  const masters = await Promise.all(
    listed.value.map(async ({ unit, path }) => {
      const main = await bus.call({
        destination: systemd,
        path,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'Get',
        signature: 'ss',
        body: [`${systemd}.Service`, 'MainPID'],
        returns: 'v',
      });
      const pid = main.ok ? Number((main.value[0] as Variant).value) : 0;
      const work = pid > 0 ? workOf(pid) : undefined;
      return { unit, ...(work !== undefined && { work }) };
    }),
  );
  return ok(masters);
}
