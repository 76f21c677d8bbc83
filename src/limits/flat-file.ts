/**
 * The three shapes of text in cgroup files.
 *
 *     1234                          one value
 *     usage_usec 1200               a key and a value per line ("flat keyed")
 *     254:0 rbps=1048576 wbps=max   a device and its values per line ("nested keyed")
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

/** Returns the line of each device. */
export function parseDeviceLines(text: string): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  eachLine(text, (device, rest) => lines.set(device, rest));
  return lines;
}

/** Returns the values in a device's line that `like` has, too: `rbps=5 wbps=max` like `rbps=9` is `rbps=5`. */
export function valuesLike(line: string, like: string): string {
  if (line === like || !like.includes('=')) return line;
  const keys = new Set(like.split(' ').map(keyOf));
  const words = line.split(' ').filter((word) => keys.has(keyOf(word)));
  return words.join(' ');
}

const keyOf = (word: string) => word.slice(0, word.indexOf('='));

/** Whether some limit of a file becomes smaller: `100000 100000`, `rbps=max wbps=1024`. */
export function lowers(file: string, from: string, to: string): boolean {
  const [before, after] = [magnitudes(file, from), magnitudes(file, to)];
  return after.some((each, index) => each < (before[index] ?? Infinity));
}

function magnitudes(file: string, text: string): readonly number[] {
  const each = text.split(' ').map(magnitude);
  // A quota and its period form one limit.
  if (file === 'cpu.max') return [(each[0] ?? Infinity) / (each[1] ?? 1)];
  // In these files 0 means unlimited.
  return file.startsWith('blkio.throttle.') ? each.map((cap) => cap || Infinity) : each;
}

/**
 * Returns the magnitude of one limit in text form, with or without its name; no limit is the
 * largest.
 */
function magnitude(word: string): number {
  const value = word.slice(word.indexOf('=') + 1);
  return value === 'max' || value === '-1' ? Infinity : Number(value);
}
