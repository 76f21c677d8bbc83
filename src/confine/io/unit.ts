/** A unit as systemd and the kernel have it now. */
import { existsSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { systemdVersion, unitProperties } from '../../host/systemd/systemctl.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { listeningSockets, serviceProcesses } from './listening.ts';
import type { ConfinePaths, ConfinedService } from './places.ts';

export interface UnitNow {
  /** `active`, `inactive`, `failed`, `activating`, … */
  readonly active: string;
  /** 0 if it does not run. */
  readonly mainPid: number;
  readonly restarts: number;
  readonly fragment: string;
  readonly dropIns: readonly string[];
  /** Whether files have changed since systemd read them. */
  readonly stale: boolean;
  readonly cgroup: string;
}

/**
 * Returns the major version of the systemd that runs this host, or the reason why there is none.
 */
export async function runningSystemd(): Promise<Result<number, Problem>> {
  const cannot = { action: 'confine daemons' };
  if (!existsSync('/run/systemd/system'))
    return failed({
      ...cannot,
      reason:
        'systemd does not run this host (process 1 is another), and its sandbox is what would confine them',
    });
  const version = await systemdVersion();
  if (version !== undefined) return ok(version);
  return failed({ ...cannot, reason: 'systemctl does not tell its version' });
}

const names = [
  'ActiveState',
  'MainPID',
  'NRestarts',
  'FragmentPath',
  'DropInPaths',
  'NeedDaemonReload',
  'ControlGroup',
];

export async function readUnit({ unit }: ConfinedService): Promise<Result<UnitNow, Problem>> {
  const read = await unitProperties(`${unit}.service`, names);
  if (!read.ok) return read;
  const text = (name: string) => read.value.get(name) ?? '';
  return ok({
    active: text('ActiveState'),
    mainPid: Number(text('MainPID')) || 0,
    restarts: Number(text('NRestarts')) || 0,
    fragment: text('FragmentPath'),
    dropIns: text('DropInPaths')
      .split(' ')
      .filter((each) => each !== ''),
    stale: text('NeedDaemonReload') === 'yes',
    cgroup: text('ControlGroup'),
  });
}

export const statusOf = ({ proc }: ConfinePaths, { mainPid }: UnitNow): string =>
  mainPid > 0 ? (readText(`${proc}/${mainPid}/status`) ?? '') : '';

/**
 * Returns the addresses at which its processes listen: `tcp 0100007F:0050`, `unix
 * /run/php/php8.4-fpm.sock`.
 */
export const listensOn = ({ proc }: ConfinePaths, now: UnitNow): ReadonlySet<string> =>
  listeningSockets(proc, serviceProcesses(proc, now.cgroup, now.mainPid));
