/**
 * The parameter `module_blacklist=` on the kernel's command line, as text.
 *
 *     root=/dev/vda1 ro module_blacklist=pcspkr,floppy quiet
 *
 * The kernel keeps only the last of several, so ours repeats the names in the others. Source:
 * Documentation/admin-guide/kernel-parameters.txt; kernel/module/main.c.
 */
import { kernelName } from './deny-file.ts';

/** Returns the names of every `module_blacklist=` in a text, in order. */
export function blacklistedIn(text: string): readonly string[] {
  const values = [...text.matchAll(/(?<![\w.-])module_blacklist=([^\s"']*)/g)].map(
    ([, value = '']) => value,
  );
  const names = values.flatMap((each) => each.split(',')).map(kernelName);
  return [...new Set(names.filter((each) => each !== undefined))];
}

export const parameterOf = (names: readonly string[]): string =>
  `module_blacklist=${[...new Set(names)].join(',')}`;

export const without = (names: readonly string[], ours: readonly string[]) =>
  names.filter((each) => !ours.includes(each));

/**
 * Edits the command line: names go to the end of the last `module_blacklist=`, the one that counts.
 * Everything else stays as it is.
 */
export function editCommandLine(
  text: string,
  was: readonly string[],
  now: readonly string[],
): string {
  const last = [...text.matchAll(/(?<=^|\s)module_blacklist=(\S*)/g)].at(-1);
  if (last === undefined) {
    if (now.length === 0) return text;
    const body = text.trimEnd();
    return `${body}${body === '' ? '' : ' '}${parameterOf(now)}${text.slice(body.length)}`;
  }
  const [token, value = ''] = last;
  const kept = without(value.split(',').filter(Boolean), was);
  const names = [...new Set([...kept, ...now])];
  const [head, tail] = [text.slice(0, last.index), text.slice(last.index + token.length)];
  return names.length === 0 ? head.replace(/ $/, '') + tail : head + parameterOf(names) + tail;
}

/**
 * Returns GRUB's setting: both variables if there is another blacklist, since GRUB puts the second
 * one last.
 */
export function grubText(names: readonly string[], foreign: readonly string[]): string {
  const variables =
    foreign.length === 0
      ? ['GRUB_CMDLINE_LINUX']
      : ['GRUB_CMDLINE_LINUX', 'GRUB_CMDLINE_LINUX_DEFAULT'];
  const parameter = parameterOf([...foreign, ...names]);
  return [
    '# Written by "bulkhead modules deny --boot"; "bulkhead modules allow" removes it',
    ...variables.map((each) => `${each}="$${each} ${parameter}"`),
    '',
  ].join('\n');
}
