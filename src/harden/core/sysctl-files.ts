/**
 * Files of sysctl.d: which line counts for a key at the next boot.
 *
 *     # comment
 *     kernel.dmesg_restrict = 1
 *     -net/ipv4/conf/eth0.1/forwarding = 1
 *
 * All files are read in the order of their names, whatever directory they are in. If several have the same name, only
 * the one in the first directory counts. A later line wins. Source: sysctl.d(5), sysctl.conf(5).
 */
export interface SysctlFile {
  readonly path: string;
  readonly text: string;
}

export interface SysctlLine {
  readonly path: string;
  readonly line: number;
  /** The key with dots; may be a pattern. */
  readonly key: string;
  readonly value: string;
}

export function parseSysctlFile({ path, text }: SysctlFile): readonly SysctlLine[] {
  return text.split('\n').flatMap((line, index): SysctlLine[] => {
    const match = /^\s*-?\s*([^\s#;=-][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    if (match === null) return [];
    const [, key = '', value = ''] = match;
    return [{ path, line: index + 1, key: withDots(key), value }];
  });
}

/** Writes the key with dots: whichever of the two separators comes first is the separator. */
function withDots(key: string): string {
  const slash = key.indexOf('/');
  const dot = key.indexOf('.');
  if (slash === -1 || (dot !== -1 && dot < slash)) return key;
  return key.replaceAll(/[./]/g, (char) => (char === '/' ? '.' : '/'));
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/**
 * Returns the line after ours that sets the key, from files in the order in which they are read. procps reads
 * /etc/sysctl.conf last.
 */
export function laterLine(
  key: string,
  ours: string,
  files: readonly SysctlFile[],
): SysctlLine | undefined {
  const own = nameOf(ours);
  return files
    .filter(({ path }) => nameOf(path) > own || nameOf(path) === 'sysctl.conf')
    .flatMap(parseSysctlFile)
    .findLast((each) => matches(each.key, key));
}

function matches(pattern: string, key: string): boolean {
  if (pattern === key) return true;
  if (!/[*?[]/.test(pattern)) return false;
  const source = pattern.replaceAll(/[.+^${}()|\\]/g, String.raw`\$&`);
  try {
    const regular = source.replaceAll('*', '[^.]*').replaceAll('?', '[^.]').replaceAll('[!', '[^');
    return new RegExp(`^${regular}$`).test(key);
  } catch {
    return false;
  }
}

const head =
  '# Written by "bulkhead harden enable"; "bulkhead harden disable" removes it. Do not edit.';

export const isOurSysctlFile = (text: string): boolean => text.startsWith(head);

export const fileText = (values: readonly { readonly key: string; readonly set: string }[]) =>
  `${[head, ...values.map(({ key, set }) => `${key} = ${set}`)].join('\n')}\n`;
