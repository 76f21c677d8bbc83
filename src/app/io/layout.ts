/** The paths of everything that belongs to applications, apart from sockets. Root owns all of it. */
import { webGroups } from '../../layouts/layouts.ts';
import type { Paths } from '../../host/paths.ts';
import { systemdVersion } from '../../host/systemd/systemctl.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { entryFile } from '../../sys/package-files.ts';
import type { AppSetting } from '../core/units.ts';

export interface AppLayout extends AppSetting {
  /** The directory of the units. */
  readonly units: string;
  /** The list of disabled applications. */
  readonly disabled: string;
  readonly lock: string;
}

/** The version from which systemd has PollLimitBurst=. */
const pollLimitSince = 255;

export async function appLayoutOf(paths: Paths): Promise<AppLayout> {
  const version = await systemdVersion();
  return appLayout(paths, (version ?? 0) >= pollLimitSince);
}

export function appLayout(paths: Paths, hasPollLimit: boolean): AppLayout {
  const { instance, etc, state, runtime } = paths;
  return {
    instance,
    state,
    hasPollLimit,
    launcher: entryFile('bulkhead-exec'),
    webGroup: webGroupOf(paths),
    units: `${etc}/systemd/system`,
    disabled: `${etc}/${instance}/app/disabled`,
    lock: `${runtime}/app.lock`,
  };
}

/** Returns the group of web servers; nobody but root can connect if there is none. Source: group(5). */
function webGroupOf({ etc }: Paths): string {
  const names = new Set(
    (readText(`${etc}/group`) ?? '').split('\n').map((line) => line.split(':')[0]),
  );
  return webGroups.find((each) => names.has(each)) ?? 'root';
}
