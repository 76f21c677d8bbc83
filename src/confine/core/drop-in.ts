/**
 * The file that confines a service.
 *
 *     # Written by "bulkhead confine enable nginx"; "bulkhead confine disable nginx" removes it.
 *     # Your own settings belong in another file beside it, which systemd reads later: 60-local.conf
 *     # sha256 of the rest: 0f3a…
 *     [Service]
 *     # it loads no kernel modules
 *     ProtectKernelModules=yes
 */
import type { Line } from './line.ts';

const mark = '# Written by "bulkhead confine enable ';
const sumMark = '# sha256 of the rest: ';

type Digest = (text: string) => string;

export function dropInText(service: string, lines: readonly Line[], digest: Digest): string {
  const body = [
    '[Service]',
    ...lines.flatMap(({ key, value, why }, at) => {
      const assignment = `${key}=${value}`;
      // One reason for an assignment and the reset before it.
      return value !== '' && isReset(lines[at - 1], key)
        ? [assignment]
        : [`# ${reasonOf(lines, at, why)}`, assignment];
    }),
    '',
  ].join('\n');
  return [
    `${mark}${service}"; "bulkhead confine disable ${service}" removes it.`,
    '# Your own settings belong in another file beside it, which systemd reads later: 60-local.conf',
    `${sumMark}${digest(body)}`,
    body,
  ].join('\n');
}

const isReset = (line: Line | undefined, key: string) => line?.key === key && line.value === '';

const reasonOf = (lines: readonly Line[], at: number, why: string): string =>
  lines[at]?.value === '' ? (lines[at + 1]?.why ?? why) : why;

/** The state of the file. `changed`: somebody else has edited it since. `foreign`: it was never ours. */
export type DropInState = 'absent' | 'ours' | 'changed' | 'foreign';

export function dropInState(text: string | undefined, digest: Digest): DropInState {
  if (text === undefined) return 'absent';
  if (!text.startsWith(mark)) return 'foreign';
  const [, , sum = '', ...body] = text.split('\n');
  return sum === `${sumMark}${digest(body.join('\n'))}` ? 'ours' : 'changed';
}

/** Returns the assignments in the text, without comments. */
export const assignmentsOf = (text: string): readonly (readonly [key: string, value: string])[] =>
  text.split('\n').flatMap((each): readonly (readonly [string, string])[] => {
    const at = each.indexOf('=');
    return each.startsWith('#') || at < 0 ? [] : [[each.slice(0, at), each.slice(at + 1)]];
  });
