/**
 * Panels and servers whose own settings show that they set limits or quotas:
 *
 *     RESOURCES_LIMIT='yes'             /usr/local/hestia/conf/hestia.conf: HestiaCP runs "systemctl set-property"
 *     DISK_QUOTA='yes'                  the same file: HestiaCP runs setquota, which sets space and files
 *     quota_partition=/home             /usr/local/directadmin/conf/directadmin.conf; /home if it is not set
 *     cgroups  1                        /usr/local/lsws/conf/httpd_config.conf or a file that it includes, in CGIRLimit:
 *                                       on; 2 is disabled
 *     <cgroups>1</cgroups>              httpd_config.xml of the Enterprise edition
 */
import { existsSync } from 'node:fs';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import type { OtherWriter } from '../../../packages/base/other-writer.ts';
import { findLiteSpeed } from '../servers/find-servers.ts';
import { liteSpeedFiles } from './litespeed-files.ts';

const fileBytesMax = 4 * 2 ** 20;

interface KnownWriter extends Omit<OtherWriter, 'files'> {
  /** The file that shows it. */
  readonly file: string;
  /** A line that the file must have; absent if its existence suffices. */
  readonly says?: RegExp;
}

const leaveSpace =
  'leave disk space to it: without "disk.space" in the policy, Bulkhead never changes it';
const hestia = '/usr/local/hestia/conf/hestia.conf';
const writers: readonly KnownWriter[] = [
  {
    name: 'HestiaCP',
    sets: 'limits',
    file: hestia,
    says: /^RESOURCES_LIMIT=['"]?yes/m,
    remedy: 'run: v-delete-sys-cgroups; then: bulkhead apply',
  },
  {
    name: 'HestiaCP',
    sets: 'quotas',
    file: hestia,
    says: /^DISK_QUOTA=['"]?yes/m,
    remedy: `${leaveSpace}. It also lifts limits on files whenever it sets a quota; to set both in the policy, run: v-change-sys-config-value DISK_QUOTA no`,
  },
  {
    name: 'DirectAdmin',
    sets: 'quotas',
    file: '/usr/local/directadmin/conf/directadmin.conf',
    remedy: leaveSpace,
  },
  { name: 'cPanel', sets: 'quotas', file: '/usr/local/cpanel/cpanel', remedy: leaveSpace },
];

/** Returns LiteSpeed with each file that its program reads, or may read. */
function liteSpeedWriters(root: string): readonly KnownWriter[] {
  const found = findLiteSpeed(root);
  if (found === undefined) return [];
  const { configuration, otherConfiguration, serverRoot } = found;
  const mains = [configuration, ...(otherConfiguration === undefined ? [] : [otherConfiguration])];
  const named = { name: 'LiteSpeed', sets: 'limits' } as const;
  return mains.flatMap((main): readonly KnownWriter[] => {
    if (main.endsWith('.xml')) {
      const says = /<cgroups>\s*1\s*<\/cgroups>/i;
      return [{ ...named, file: main, says, remedy: inConsole }];
    }
    return liteSpeedFiles(root, { main, serverRoot }).map((file) => ({
      ...named,
      file,
      says: /^\s*cgroups\s+1\s*$/im,
      remedy: file === main ? inConsole : inIncluded,
    }));
  });
}

const inConsole =
  'set "cgroups" to "Disabled" in its WebAdmin console: Server, Security, CGI Settings';
/** The console changes only the main file. */
const inIncluded = 'write "cgroups 2" there, and restart LiteSpeed';

export function knownWriters(root: string): readonly OtherWriter[] {
  return [...writers, ...liteSpeedWriters(root)].flatMap(({ name, sets, file, says, remedy }) => {
    const path = root + file;
    const isThere = says === undefined ? existsSync(path) : matches(path, says);
    return isThere ? [{ name, sets, files: [file], remedy }] : [];
  });
}

function matches(path: string, pattern: RegExp): boolean {
  const read = readBounded(path, fileBytesMax);
  return read.ok && pattern.test(decodeText(read.value));
}
