/**
 * Options of mounts in /etc/fstab.
 *
 *     UUID=…  /home  xfs  defaults,nodev  0  2
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { FstabOption } from './option.ts';

const fields = /^(\s*[^#\s]\S*\s+)(\S+)(\s+\S+\s+)(\S+)(.*)$/;

/** Adds the options; every mount point must have one line. */
export function addOptions(text: string, wanted: readonly FstabOption[]): Result<string, Cause> {
  let edited = text;
  for (const { mountPoint, option } of wanted) {
    const lines = edited.split('\n').filter((each) => pathOf(each) === mountPoint);
    if (lines.length !== 1) {
      const found = lines.length === 0 ? 'no line' : `${lines.length} lines`;
      const hint = `add ${option} where ${mountPoint} is mounted`;
      return fail({ reason: `it has ${found} for ${mountPoint}`, hint });
    }
    edited = changed(edited, mountPoint, (options) =>
      options.includes(option) ? options : [...options, option],
    );
  }
  return ok(edited);
}

export const removeOptions = (text: string, added: readonly FstabOption[]): string =>
  added.reduce(
    (edited, { mountPoint, option }) =>
      changed(edited, mountPoint, (options) => options.filter((each) => each !== option)),
    text,
  );

/** Blanks in a path are written as `\040`. */
const pathOf = (line: string): string | undefined =>
  fields
    .exec(line)?.[2]
    ?.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));

function changed(
  text: string,
  mountPoint: string,
  change: (options: readonly string[]) => readonly string[],
): string {
  return text
    .split('\n')
    .map((line) => {
      if (pathOf(line) !== mountPoint) return line;
      return line.replace(fields, (_all, ...[source, path, type, options, rest]: string[]) => {
        const list = change((options ?? '').split(','));
        return `${source}${path}${type}${list.length === 0 ? 'defaults' : list.join(',')}${rest}`;
      });
    })
    .join('\n');
}
