/**
 * The systemd user manager (`user@UID.service`), which would start the tenant's programs outside its jail. The PAM
 * module refuses it a session; this keeps systemd from starting it at all, so that no failed unit is left after each
 * login.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { removeIfThere, replaceFile } from '../../../packages/base/io/replace-file.ts';
import { jailPathsOf } from './jail-paths.ts';

/** The time for a reload, in which systemd reads all of its files again. */
const reloadMilliseconds = 120_000;

/** Whether systemd is the init system: this directory exists only then. Source: sd_booted(3). */
const isBooted = () => existsSync('/run/systemd/system');

const fileOf = ({ instance }: Paths) => `/etc/systemd/system/user@.service.d/90-${instance}.conf`;

const textOf = (paths: Paths) => `# Made by Bulkhead; "bulkhead release" removes it.
[Unit]
# Programs of a tenant that has a jail start inside.
ConditionPathExists=!${jailPathsOf(paths).tenants}/%i
`;

/** Withholds the user manager from accounts with a jail; others have theirs as before. */
export function withholdUserManagers(paths: Paths): Result<void, Problem> {
  const file = fileOf(paths);
  if (!isBooted() || readText(file) === textOf(paths)) return ok(undefined);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'make the directory', object: dirname(file), ...causeOf(error) });
  }
  const written = replaceFile(file, textOf(paths));
  return written.ok ? reload() : written;
}

/** Allows user managers again, once nobody has a jail. */
export function allowUserManagers(paths: Paths): Result<void, Problem> {
  const file = fileOf(paths);
  if (!existsSync(file)) return ok(undefined);
  try {
    removeIfThere(file);
  } catch (error) {
    return failed({ action: 'remove', object: file, ...causeOf(error) });
  }
  try {
    rmdirSync(dirname(file));
  } catch {
    // The administrator has files in it.
  }
  return isBooted() ? reload() : ok(undefined);
}

function reload(): Result<void, Problem> {
  const options = { encoding: 'utf8', timeout: reloadMilliseconds } as const;
  const { status, error, stderr } = spawnSync('systemctl', ['daemon-reload'], options);
  if (status === 0) return ok(undefined);
  const reason = error === undefined ? stderr.trim().split('\n', 1)[0] : causeOf(error).reason;
  return failed({
    action: 'make systemd read its files again',
    reason: reason === undefined || reason === '' ? 'systemctl failed' : reason,
    hint: 'run systemctl daemon-reload',
  });
}
