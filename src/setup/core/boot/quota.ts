/**
 * User quotas on the file systems of homes, and what each file system needs for them. Bulkhead sets no project quotas, so they are not asked for.
 *
 *     xfs, /       quotas are turned on only by the first mount: rootflags=uquota       xfs(5)
 *     xfs          the option in /etc/fstab, at the next mount
 *     ext4         the feature "quota", while it is not mounted: tune2fs(8); then mounted with usrquota, which
 *                  enforces it. Or quota files, without a reboot: quotacheck(8), quotaon(8)
 */
import { valuesOf, type BootFacts, type HomeFileSystem } from './facts.ts';
import { impossible, noConfig, there, type FstabOption, type Need } from './option.ts';

export function quotaNeed({ homes, commandLine, config }: BootFacts): Need {
  const without = homes.filter(({ userQuota }) => !userQuota);
  if (homes.length === 0) return impossible('no home is on a disk of this host');
  if (without.length === 0) return there;
  const xfs = without.filter(({ type, node }) => type === 'xfs' && node !== undefined);
  if (xfs.length > 0) return withXfsQuota(config) ?? onXfs(xfs, commandLine);
  const ext4 = without.find(({ type, node }) => type === 'ext4' && node !== undefined);
  if (ext4 !== undefined) return onExt4(ext4);
  const kinds = without.map(({ type, mountPoint }) => `${mountPoint} (${type})`).join(', ');
  return impossible(`user quotas are possible on xfs and ext4, and homes are on ${kinds}`);
}

/** A kernel without quotas refuses a mount that asks for them: the host would not boot. */
function withXfsQuota(config: BootFacts['config']): Need | undefined {
  if (config === undefined) return noConfig;
  if (config.get('XFS_QUOTA') === 'y') return undefined;
  return impossible('this kernel was built without CONFIG_XFS_QUOTA');
}

function onXfs(xfs: readonly HomeFileSystem[], commandLine: string): Need {
  const isRoot = xfs.some(({ mountPoint }) => mountPoint === '/');
  const flags = valuesOf(commandLine, 'rootflags').at(-1);
  const word = `rootflags=${flags === undefined || flags === '' ? '' : `${flags},`}uquota`;
  const fstab = xfs.flatMap(({ mountPoint }): FstabOption[] =>
    mountPoint === '/' ? [] : [{ mountPoint, option: 'uquota' }],
  );
  return { kind: 'lacking', words: isRoot ? [word] : [], fstab };
}

function onExt4({ mountPoint, node = '', isCounted }: HomeFileSystem): Need {
  if (isCounted)
    return {
      kind: 'by hand',
      reason: `ext4 at ${mountPoint} counts what users have, and does not enforce quotas; it needs no reboot`,
      commands: [
        `mount -o remount,usrquota ${mountPoint} && quotaon ${mountPoint}  # with the package "quota"; then usrquota in the options of ${mountPoint} in /etc/fstab`,
      ],
    };
  const isRoot = mountPoint === '/';
  const where = isRoot ? 'in a rescue system' : `with ${mountPoint} unmounted`;
  return {
    kind: 'by hand',
    reason: `ext4 at ${mountPoint} gets quotas only ${where}, or with quota files`,
    commands: [
      `tune2fs -O quota ${node}  # ${where}; then usrquota in the options of ${mountPoint} in /etc/fstab`,
      `mount -o remount,usrquota ${mountPoint} && quotacheck -cum ${mountPoint} && quotaon ${mountPoint}  # or this, at once, with the package "quota"; usrquota in /etc/fstab as well`,
    ],
  };
}
