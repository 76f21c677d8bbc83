/**
 * Sets up the v2 tree on a host where systemd owns the tree: a unit with `Delegate=`, below which
 * systemd writes nothing. Source: systemd's CGROUP_DELEGATION document.
 *
 * The unit has no process of its own and stays active, so that nothing that happens to Bulkhead's agent affects
 * tenants. Stopping it does not touch their processes. Its file records, across reboots, whether tenants without a
 * reseller are in its cgroup or are slices.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Preparation } from '../../plan/observed.ts';
import type { Delegation } from './cgroup-driver.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { runFailure, type RunError } from '../../sys/processes/run-bounded.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';

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
    if (readText(path) !== text) {
      const written = replaceFile(path, text);
      if (!written.ok) return written;
    }
    // systemd reads its files again then.
    systemctl('enable', '--quiet', unit);
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
    systemctl('disable', '--quiet', '--no-reload', '--now', unit);
    rmSync(path, { force: true });
    systemctl('daemon-reload');
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'remove the systemd unit', object: unit, ...systemctlCause(error) });
  }
}

function systemctl(...args: string[]): void {
  execFileSync('systemctl', args, {
    timeout: commandMilliseconds,
    stdio: ['ignore', 'ignore', 'pipe'],
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
