/** Names of module files. */

/**
 * The suffixes of modules. Kernels no longer write some of these; a file of that name is a module
 * all the same.
 */
const suffix = /\.ko(?:\.(?:xz|zst|gz|lz4|bz2))?$/;

export const isModuleFile = (file: string): boolean => suffix.test(file);

/** Removes the suffix: `kernel/sound/snd-hda-intel.ko.xz` is `kernel/sound/snd-hda-intel`. */
export const withoutSuffix = (file: string): string => file.replace(suffix, '');

/** Removes directories and suffix: `/lib/modules/…/snd-hda-intel.ko.xz` is `snd-hda-intel`. */
export function bareName(file: string): string {
  const bare = withoutSuffix(file);
  return bare.slice(bare.lastIndexOf('/') + 1);
}
