/**
 * Drop-ins of users' slices that set limits and that are not Bulkhead's:
 *
 *     /etc/systemd/system.control/user-1001.slice.d/50-CPUQuota.conf     what "systemctl set-property" leaves
 *     /etc/systemd/system/user-1001.slice.d/99-panel.conf
 *     /etc/systemd/system/user-.slice.d/limits.conf                      for every user
 *
 * Files below /run are left out: systemd's own, and what Bulkhead's driver leaves there.
 */
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import type { OtherWriter } from '../../../packages/base/other-writer.ts';
import { pathsOf } from '../servers/find-servers.ts';

const fileBytesMax = 64 * 1024;
/** More files are not read: they count as files that set limits. */
const filesReadMax = 1_000;

const setsLimit =
  /^\s*(?:CPU(?:Quota|QuotaPeriodSec|Weight|Shares)|AllowedCPUs|Memory(?:Min|Low|High|Max|SwapMax|Limit)|TasksMax|(?:Block)?IO(?:Weight|\w+Max))\s*=/m;
const isOurs = (path: string) => /\/\d*-?bulkhead[^/]*\.conf$/.test(path);

export function findSliceDropIns(root: string): readonly OtherWriter[] {
  const found = (directory: string) =>
    pathsOf(root, `/etc/systemd/${directory}/user-*.slice.d/*.conf`)
      .filter((path) => !isOurs(path))
      .filter((path, index) => index >= filesReadMax || limits(root + path));
  const [properties, files] = [found('system.control'), found('system')];
  return [
    ...(properties.length === 0 ? [] : [byProperty(properties)]),
    ...(files.length === 0 ? [] : [byFile(files)]),
  ];
}

function limits(path: string): boolean {
  const read = readBounded(path, fileBytesMax);
  return read.ok && setsLimit.test(decodeText(read.value));
}

const byProperty = (files: readonly string[]): OtherWriter => ({
  name: '"systemctl set-property", which panels run',
  sets: 'limits',
  files,
  remedy:
    'turn that off in the panel, then run "systemctl revert" for these slices, and bulkhead apply',
});

const byFile = (files: readonly string[]): OtherWriter => ({
  name: 'a systemd drop-in',
  sets: 'limits',
  files,
  remedy: 'turn off what writes it, remove the file, and run: systemctl daemon-reload',
});
