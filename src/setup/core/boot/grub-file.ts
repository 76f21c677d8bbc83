/**
 * The file of Debian's and Ubuntu's GRUB that only Bulkhead writes, and the command lines in GRUB's own file.
 *
 *     /etc/default/grub.d/90-bulkhead.cfg, which a shell reads after /etc/default/grub
 *     linux  /boot/vmlinuz-6.12.1 root=UUID=… ro quiet psi=1                             /boot/grub/grub.cfg
 *
 * `GRUB_CMDLINE_LINUX_DEFAULT` comes last on the command line, and not in recovery entries, which stay as they are.
 */
import { hasWords, type BootWord } from './words.ts';

const heading = `# Written by "bulkhead setup boot"; "bulkhead setup boot undo" removes it.\n`;

/** Adds the words to the text of the file, which an earlier change may have begun. */
export const grubFileText = (words: readonly BootWord[], begun = heading): string =>
  `${begun}${begun.endsWith('\n') ? '' : '\n'}GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT ${words.map(({ word }) => word).join(' ')}"
`;

const entries = (grubCfg: string): readonly string[] =>
  [...grubCfg.matchAll(/^\s*linux(?:16|efi)?\s+(\S.*)$/gm)].map(([, line = '']) => line);

/** Whether any entry of grub.cfg has the words. */
export const isInGrubCfg = (grubCfg: string, words: readonly string[]): boolean =>
  entries(grubCfg).some((each) => hasWords(each, words));

export const withoutComments = (text: string): string => text.replace(/^\s*#.*$/gm, '');

/**
 * Edits `GRUB_CMDLINE_LINUX="…"` of /etc/default/grub; undefined if it is not one plain line, which only a shell could
 * read.
 */
export function editGrubDefault(
  text: string,
  edit: (commandLine: string) => string,
): string | undefined {
  const lines = [...text.matchAll(/^[ \t]*(?:export[ \t]+)?GRUB_CMDLINE_LINUX=.*$/gm)];
  const [line] = lines;
  if (line === undefined || lines.length > 1) return undefined;
  const [, before, value = '', after] =
    /^(GRUB_CMDLINE_LINUX=")([^"'\\$`]*)("[ \t]*)$/.exec(line[0]) ?? [];
  if (before === undefined || after === undefined) return undefined;
  const end = line.index + line[0].length;
  return `${text.slice(0, line.index)}${before}${edit(value)}${after}${text.slice(end)}`;
}
