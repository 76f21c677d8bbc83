/**
 * The lines of /proc/PID/status.
 *
 *     Name:	php
 *     State:	S (sleeping)
 *
 * A process chooses its name. The kernel escapes a newline in it, and a backslash, but no carriage return. That also
 * ends a line for a regular expression, so a name could forge any other line.
 * Source: proc_pid_status(5).
 */

/** Returns the text after `KEY:`, without leading blanks. */
export function statusValue(status: string, key: string): string | undefined {
  const head = `\n${key}:`;
  const text = `\n${status}`;
  const at = text.indexOf(head);
  if (at === -1) return undefined;
  const begin = at + head.length;
  const end = text.indexOf('\n', begin);
  return text.slice(begin, end === -1 ? undefined : end).replace(/^[\t ]+/, '');
}

/** Returns the process's name, which may contain anything. */
export const statusName = (status: string): string | undefined =>
  statusValue(status, 'Name')?.replaceAll(/\\([n\\])/g, (_, escaped) =>
    escaped === 'n' ? '\n' : '\\',
  );

/** Returns the state's first letter: `R`, `S`, `D`, `T`, `Z`, … */
export const statusState = (status: string): string | undefined =>
  statusValue(status, 'State')?.[0];
