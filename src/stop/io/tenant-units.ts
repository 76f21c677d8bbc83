/**
 * The services that Bulkhead has made for a tenant: PHP-FPM, CGI and applications, and their sockets. A stopped tenant's units have a
 * condition next to their files, so that neither a reload nor a reboot starts them.
 */
import { existsSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { stemPattern } from '../../layouts/service-names.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import { stopFile, type Stop } from '../../host/stops.ts';
import { systemctl, systemctlEach, unitStates } from '../../host/systemd/systemctl.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { namesIn } from '../../../packages/base/io/read.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';

const directory = ({ etc }: Paths, unit: string) => `${etc}/systemd/system/${unit}.d`;
const conditionName = ({ instance }: Paths) => `50-${instance}-stopped.conf`;

/**
 * Whether a unit's name shows that it belongs to this tenant: `bulkhead-fpm84@1004:shop.socket`,
 * `bulkhead-app@1004:blog.socket`, `bulkhead-cgi@erin.socket`.
 */
export function isUnitOf(
  { uid, user }: Pick<Stop, 'uid' | 'user'>,
  instance: string,
  unit: string,
): boolean {
  const [, kind = '', owner = ''] =
    /^(.+)@([A-Za-z0-9_-]+)(?::[A-Za-z0-9_.-]+)?\.(?:service|socket)$/.exec(unit) ?? [];
  if (new RegExp(`^${instance}${stemPattern}$`).test(kind)) return owner === String(uid);
  if (kind === `${instance}-app`) return owner === String(uid);
  return kind === `${instance}-cgi` && (owner === String(uid) || (user !== '' && owner === user));
}

/** Returns the tenant's units that run or listen. */
export async function unitsOf(
  stop: Pick<Stop, 'uid' | 'user'>,
  { instance }: Paths,
): Promise<Result<readonly string[], Problem>> {
  if (!runsSystemd()) return ok([]);
  const states = await unitStates(`${instance}-*@*`);
  if (!states.ok) return states;
  const found = [...states.value.values()].filter(
    ({ unit, active }) => active !== 'inactive' && isUnitOf(stop, instance, unit),
  );
  return ok(found.map(({ unit }) => unit));
}

export const isSocket = (unit: string): boolean => unit.endsWith('.socket');

/** Frozen processes end by SIGKILL only, and ExecStopPost= would be frozen as well: a shutdown would wait for minutes. */
const frozenService = '[Service]\nKillSignal=SIGKILL\nExecStopPost=\n';

/** Makes systemd start none of the units while the tenant is stopped. */
export async function keepOut(stop: Stop, paths: Paths): Promise<Result<void, Problem>> {
  if (stop.units.length === 0) return ok(undefined);
  const condition = `# Written by "bulkhead stop"; "bulkhead start" removes it.\n[Unit]\nConditionPathExists=!${stopFile(paths, stop.uid)}\n`;
  for (const unit of stop.units) {
    try {
      mkdirSync(directory(paths, unit), { recursive: true, mode: 0o755 });
    } catch (error) {
      const object = directory(paths, unit);
      return failed({ action: 'create the directory', object, ...causeOf(error) });
    }
    const text = stop.frozen && !isSocket(unit) ? `${condition}${frozenService}` : condition;
    const written = replaceFile(`${directory(paths, unit)}/${conditionName(paths)}`, text);
    if (!written.ok) return written;
  }
  return reload();
}

export const stopUnits = (units: readonly string[]): Promise<Result<void, Problem>> =>
  units.length === 0 ? Promise.resolve(ok(undefined)) : systemctlEach(['stop'], units);

/** A service whose process was killed has failed for systemd, which is nothing that anybody has to look into. */
export async function forgetFailures(units: readonly string[]): Promise<void> {
  if (units.length > 0) await systemctlEach(['reset-failed'], units);
}

/** Removes the conditions; the units can be started again. */
export async function letIn({ units }: Stop, paths: Paths): Promise<Result<void, Problem>> {
  if (units.length === 0) return ok(undefined);
  for (const unit of units) {
    rmSync(`${directory(paths, unit)}/${conditionName(paths)}`, { force: true });
    removeIfEmpty(directory(paths, unit));
  }
  return reload();
}

/**
 * A service starts with its socket; only what has none is started itself. A socket does not start beside its running
 * service, which one that was frozen is: it finishes its requests first.
 */
export async function startUnits(stop: Stop, paths: Paths): Promise<Result<void, Problem>> {
  const { sockets, services, others } = unitsToStart(stop, paths);
  if (!runsSystemd()) return ok(undefined);
  if (sockets.length === 0) return startAll([...services, ...others]);
  const ended = await stopUnits([...services, ...others]);
  const started = await startAll([...sockets, ...services]);
  return ended.ok ? started : ended;
}

const startAll = (units: readonly string[]): Promise<Result<void, Problem>> =>
  units.length === 0 ? Promise.resolve(ok(undefined)) : systemctlEach(['start'], units);

/**
 * Returns what is to start: sockets, services that start at boot, too, and other services that were stopped. Also units
 * that came while the tenant was stopped, and none of an application that has gone since.
 */
export function unitsToStart(stop: Stop, { etc, instance }: Paths) {
  const directory = `${etc}/systemd/system`;
  const enabled = [
    ...namesIn(`${directory}/sockets.target.wants`),
    ...namesIn(`${directory}/multi-user.target.wants`),
  ];
  const isThere = (unit: string) =>
    !unit.startsWith(`${instance}-app@`) || existsSync(`${directory}/${unit}`);
  const atBoot = enabled.filter((unit) => isUnitOf(stop, instance, unit));
  const all = [...new Set([...stop.units, ...atBoot])].filter(isThere);
  const services = atBoot.filter((unit) => !isSocket(unit) && isThere(unit));
  return {
    sockets: all.filter(isSocket),
    services,
    others: all.filter((unit) => !isSocket(unit) && !services.includes(unit)),
  };
}

async function reload(): Promise<Result<void, Problem>> {
  if (!runsSystemd()) return ok(undefined);
  const done = await systemctl('daemon-reload');
  return done.ok ? ok(undefined) : done;
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Somebody else has a file there.
  }
}
