/**
 * The agent stops masters that have had no request for a while. systemd has their sockets and starts them with the
 * next request. A request that comes in meanwhile waits in the socket. The agent also ends all that is left of
 * removed accounts.
 */
import type { AgentPart } from '../../../../agent/part.ts';
import type { Log } from '../../../../agent/log.ts';
import { reportOnce } from '../../../../host/reconcile/report-once.ts';
import { Rounds } from '../../../../host/reconcile/rounds.ts';
import type { Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import type { Paths } from '../../../../host/paths.ts';
import { isUnitOfStopped, readStops } from '../../../../host/stops.ts';
import { runsSystemd } from '../../../../host/cgroups/systemd-delegation.ts';
import { connectBus, type Bus } from '../../../../sys/dbus/bus.ts';
import type { Variant } from '../../../../sys/dbus/value.ts';
import { IdleWatch, type MasterWork } from '../../../core/fpm/service/idle.ts';
import { worksOf } from './master-work.ts';
import { withoutAccount } from './removed-accounts.ts';
import { listUnits } from './units.ts';
import { manager, systemd } from '../../../../host/systemd/manager.ts';

export interface IdleSetting {
  readonly idleMs: number;
  readonly everyMs: number;
}

/** A stop costs the next request a start, and its opcache: minutes, not seconds. */
const defaultSetting: IdleSetting = { idleMs: 15 * 60_000, everyMs: 30_000 };

export function idleStopper(
  paths: Paths,
  log: Log,
  { idleMs, everyMs }: IdleSetting = defaultSetting,
): AgentPart {
  const watch = new IdleWatch(idleMs);
  const report = reportOnce((text) => log.warn(text));
  const rounds = new Rounds(everyMs, async () => report(await stopUnneeded(paths, watch)), {
    about: 'idle PHP-FPM services',
    log: (text) => log.warn(text),
  });
  return {
    afterTick() {
      if (runsSystemd()) rounds.tick();
    },
  };
}

/** The next round tries again what fails. */
async function stopUnneeded(paths: Paths, watch: IdleWatch): Promise<Result<void, Problem>> {
  const { instance } = paths;
  const connected = await connectBus();
  if (!connected.ok) return connected;
  using bus = connected.value;
  const masters = await readMasters(bus, instance);
  if (!masters.ok) return masters;
  const listed = await listUnits(bus, `${instance}-fpm*@*`);
  if (!listed.ok) return listed;
  const gone = await withoutAccount(listed.value.map(({ unit }) => unit));
  // One that is frozen is to be looked at, and would be killed in the end.
  const stops = readStops(paths);
  const idle = watch.toStop(masters.value, performance.now());
  const units = [...gone, ...idle.filter((each) => !isUnitOfStopped(stops, each))];
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

/** Reads the work of running masters. A unit that ends meanwhile has none. */
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
      return { unit, pid };
    }),
  );
  const works = await worksOf(masters.flatMap(({ pid }) => (pid > 0 ? [pid] : [])));
  return ok(
    masters.map(({ unit, pid }) => {
      const work = works.get(pid);
      return { unit, ...(work !== undefined && { work }) };
    }),
  );
}
