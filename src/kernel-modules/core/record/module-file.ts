/** What files of modules are called. */

/** Some of these kernels no longer write; a file of that name is a module all the same. */
const suffix = /\.ko(?:\.(?:xz|zst|gz|lz4|bz2))?$/;

export const isModuleFile = (file: string): boolean => suffix.test(file);

/** `kernel/sound/snd-hda-intel.ko.xz` is `kernel/sound/snd-hda-intel`. */
export const withoutSuffix = (file: string): string => file.replace(suffix, '');

/** `/lib/modules/…/snd-hda-intel.ko.xz` is `snd-hda-intel`. */
export function bareName(file: string): string {
  const bare = withoutSuffix(file);
  return bare.slice(bare.lastIndexOf('/') + 1);
}
