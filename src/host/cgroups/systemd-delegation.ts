/**
 * Sets up the v2 tree on a host where systemd owns the tree: a unit with `Delegate=`, below which
 * systemd writes nothing. Source: systemd's CGROUP_DELEGATION document.
 *
 * The unit has no process of its own and stays active, so that nothing that happens to Bulkhead's
 * agent affects tenants; stopping it leaves their processes alone.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { failed } from '../../base/problem.ts';
import { ok } from '../../base/result.ts';
import type { Preparation } from '../../plan/observed.ts';
import type { Delegation } from './cgroup-driver.ts';
import { readText } from '../../sys/files/read.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';

export const runsSystemd = () => existsSync('/run/systemd/system');

export const unitOf = (instance: string) => `${instance}-tenants.service`;

const unitText = (
  instance: string,
) => `# Written by "bulkhead apply"; it is replaced when it differs.
[Unit]
Description=Cgroups of Bulkhead's tenants (${instance})
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

export function delegateFromSystemd(instance: string, cgroupExists: () => boolean): Delegation {
  const unit = unitOf(instance);
  const path = `/etc/systemd/system/${unit}`;
  const text = unitText(instance);
  return {
    pending(): readonly Preparation[] {
      const written = readText(path) === text;
      if (written && cgroupExists()) return [];
      return [
        { id: 'unit', summary: `systemd unit ${unit}, whose cgroup is delegated to Bulkhead` },
      ];
    },
    make() {
      try {
        if (readText(path) !== text) {
          const written = replaceFile(path, text);
          if (!written.ok) return written;
        }
        // It makes systemd read its files again.
        systemctl('enable', '--quiet', unit);
        systemctl(cgroupExists() ? 'start' : 'restart', unit);
        return ok(undefined);
      } catch (error) {
        return failed({ action: 'start the systemd unit', object: unit, reason: firstLine(error) });
      }
    },
    unmake() {
      try {
        if (!existsSync(path)) return ok(undefined);
        systemctl('disable', '--quiet', '--no-reload', '--now', unit);
        rmSync(path, { force: true });
        systemctl('daemon-reload');
        return ok(undefined);
      } catch (error) {
        return failed({
          action: 'remove the systemd unit',
          object: unit,
          reason: firstLine(error),
        });
      }
    },
  };
}

function systemctl(...args: string[]): void {
  execFileSync('systemctl', args, {
    timeout: commandMilliseconds,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
}

function firstLine(error: unknown): string {
  const { stderr } = error as { stderr?: string };
  return (stderr?.trim() || String(error)).split('\n')[0] ?? '';
}
