/**
 * Sets up the v2 tree on a host where systemd owns the tree: a unit with `Delegate=`, below which
 * systemd writes nothing. Source: systemd's CGROUP_DELEGATION document.
 *
 * The unit has no process of its own and stays active, so that nothing that happens to Bulkhead's agent affects
 * tenants. Stopping it does not touch their processes. Its file records, across reboots, whether tenants without a
 * reseller are in its cgroup or are slices.
 *
 * systemd is told to read the files of all units again only if it does not know this one as its file is now: that takes
 * seconds on a slow host. With the next such reading, systemd learns of the link that starts the unit at boot. Until then,
 * only `IgnoreOnIsolate=` keeps "systemctl isolate multi-user.target" from stopping the unit.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Preparation } from '../../plan/observed.ts';
import type { Delegation } from './cgroup-driver.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { runFailure, type RunError } from '../../sys/processes/run-bounded.ts';
import { removeIfThere, replaceFile } from '../../../packages/base/io/replace-file.ts';
import { makeWantsLink } from '../systemd/wants-link.ts';

export const runsSystemd = () => existsSync('/run/systemd/system');

export const unitOf = (instance: string) => `${instance}-tenants.service`;

/** The occupants of the cgroups below the unit: all tenants, or resellers with their tenants. */
type Holds = 'tenants' | 'resellers';

const description = (instance: string, holds: Holds) =>
  `Description=Cgroups of Bulkhead's ${holds} (${instance})`;

const unitText = (
  instance: string,
  holds: Holds,
) => `# Written by "bulkhead apply"; it is replaced when it differs.
[Unit]
${description(instance, holds)}
Documentation=man:bulkhead(8)
IgnoreOnIsolate=yes

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
Delegate=cpu io memory pids
Slice=-.slice
KillMode=process
CPUAccounting=yes
IOAccounting=yes
MemoryAccounting=yes
TasksAccounting=yes
TasksMax=infinity

[Install]
WantedBy=multi-user.target
`;

const commandMilliseconds = 60_000;

const pathOf = (instance: string) => `/etc/systemd/system/${unitOf(instance)}`;
const linkOf = (instance: string) =>
  `/etc/systemd/system/multi-user.target.wants/${unitOf(instance)}`;

/** Returns the unit's occupants; undefined if there is no unit. */
export function delegatedTo(instance: string): Holds | undefined {
  const text = readText(pathOf(instance));
  return text === undefined ? undefined : whomFor(text, instance);
}

/** Returns the occupants by the unit file's text. A unit not written only for resellers may contain tenants. */
export const whomFor = (text: string, instance: string): Holds =>
  text.split('\n').includes(description(instance, 'resellers')) ? 'resellers' : 'tenants';

export function delegateFromSystemd(
  instance: string,
  holds: Holds,
  cgroupExists: () => boolean,
): Delegation {
  const unit = unitOf(instance);
  const path = pathOf(instance);
  const text = unitText(instance, holds);
  return {
    pending(): readonly Preparation[] {
      const written = readText(path) === text;
      if (written && cgroupExists()) return [];
      return [
        {
          id: 'unit',
          summary: `systemd unit ${unit}, whose cgroup is delegated to Bulkhead`,
          names: [unit],
        },
      ];
    },
    make: () => startUnit(instance, text, cgroupExists),
    unmake: () => removeUnit(instance),
  };
}

function startUnit(
  instance: string,
  text: string,
  cgroupExists: () => boolean,
): Result<void, Problem> {
  const unit = unitOf(instance);
  const path = pathOf(instance);
  try {
    const before = readText(path);
    if (before !== text) {
      const written = replaceFile(path, text);
      if (!written.ok) return written;
    }
    const linked = makeWantsLink(linkOf(instance));
    if (!linked.ok) return linked;
    // systemd only compares times of files, and the clock may have been set back since.
    const isReplaced = before !== undefined && before !== text;
    if (isReplaced || knownAs(unit) !== 'current') systemctl('daemon-reload');
    systemctl(cgroupExists() ? 'start' : 'restart', unit);
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'start the systemd unit', object: unit, ...systemctlCause(error) });
  }
}

function removeUnit(instance: string): Result<void, Problem> {
  const unit = unitOf(instance);
  const path = pathOf(instance);
  try {
    if (!existsSync(path)) return ok(undefined);
    systemctl('stop', unit);
    removeIfThere(linkOf(instance));
    removeIfThere(path);
    if (knownAs(unit) !== 'absent') systemctl('daemon-reload');
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'remove the systemd unit', object: unit, ...systemctlCause(error) });
  }
}

/** Returns how systemd knows the unit: as its file is now, not at all, or as something that was before. */
function knownAs(unit: string): 'current' | 'absent' | 'old' {
  const shown = systemctl('show', '--property=LoadState', '--property=NeedDaemonReload', unit);
  const lines = shown.split('\n');
  if (lines.includes('NeedDaemonReload=yes')) return 'old';
  if (lines.includes('LoadState=not-found')) return 'absent';
  return lines.includes('LoadState=loaded') ? 'current' : 'old';
}

function systemctl(...args: string[]): string {
  return execFileSync('systemctl', args, {
    timeout: commandMilliseconds,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
}

/** Returns the first line that systemctl printed, or why it did not end as it should. */
function systemctlCause(error: unknown): Cause {
  const { stderr } = error as { readonly stderr?: string };
  const said = stderr?.trim().split('\n')[0] ?? '';
  if (said !== '') return { reason: said };
  const cause = runFailure(error as RunError, commandMilliseconds);
  return { ...cause, reason: `systemctl: ${cause.reason}` };
}
