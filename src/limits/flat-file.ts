/**
 * The three shapes of text in cgroup files.
 *
 *     1234                          one value
 *     usage_usec 1200               a key and a value a line ("flat keyed")
 *     254:0 rbps=1048576 wbps=max   a device and its values a line ("nested keyed")
 *
 * Source: Documentation/admin-guide/cgroup-v2.rst, "Interface Files".
 */

/** Calls `visit` with the first word of each line and the rest of the line. */
export function eachLine(text: string, visit: (key: string, rest: string) => void): void {
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf('\n', start);
    if (end === -1) end = text.length;
    const space = text.indexOf(' ', start);
    if (space !== -1 && space < end) visit(text.slice(start, space), text.slice(space + 1, end));
    start = end + 1;
  }
}

/** The line of each device. */
export function parseDeviceLines(text: string): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  eachLine(text, (device, rest) => lines.set(device, rest));
  return lines;
}

/** Whether some limit of a file becomes smaller: `100000 100000`, `rbps=max wbps=1024`. */
export function lowers(from: string, to: string): boolean {
  const [before, after] = [from.split(' '), to.split(' ')];
  return after.some((word, index) => magnitude(word) < magnitude(before[index] ?? 'max'));
}

/** Size of one limit as text, with or without its name; no limit is the largest. */
function magnitude(word: string): number {
  const value = word.slice(word.indexOf('=') + 1);
  return value === 'max' || value === '-1' ? Infinity : Number(value);
}
