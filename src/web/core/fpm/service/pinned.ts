/**
 * The configuration of a service that stays as it is installed, since its new one was refused. Pools that root has
 * taken from the tenant are left out, and limits that root has lowered are lowered. The result needs no check: it only
 * lacks lines of an accepted text, and its numbers are smaller.
 *
 *     process.max = 4
 *
 *     ; file /etc/php/8.4/fpm/pool.d/shop.conf
 *     [shop]
 *     pm.max_children = 10
 *     pm.max_children = 5 ; lowered
 */
import type { FpmSection } from '../dump.ts';
import { fileMark, firstWorkers } from './config.ts';

const header = /^[ \t]*\[([^\]\n]*)\]/;
const lowered = / ; lowered$/;
const processMax = /^process\.max = (\d+)$/;

/** Settings of workers. None may be above the first; lowered together they keep their order. */
const workerKeys = [
  'pm.max_children',
  'pm.start_servers',
  'pm.min_spare_servers',
  'pm.max_spare_servers',
];

/**
 * Returns the text with fewer pools and lower limits. `pools` are the pools that stay, each with its section in root's
 * files now. The section is undefined if others than root can change those files, so that they prove nothing. `entries`
 * is the limit that the policy sets.
 */
export function pinnedConfig(
  text: string,
  pools: ReadonlyMap<string, FpmSection | undefined>,
  entries: number | undefined,
): string {
  const [first = { lines: [] }, ...parts] = partsOf(text);
  const kept = parts.filter(({ pool }) => pool === undefined || pools.has(pool));
  const bodies = kept.map((each) =>
    each.pool === undefined ? each.lines : lowerPool(each.lines, pools.get(each.pool)),
  );
  const start = kept.reduce(
    (sum, { pool }, at) => sum + (pool === undefined ? 0 : workersAtStart(bodies[at] ?? [])),
    0,
  );
  const most = entries === undefined || pools.size < 2 ? entries : Math.max(entries, start);
  return [lowerGlobal(first.lines, most), ...bodies].flat().join('\n');
}

interface Part {
  readonly lines: readonly string[];
  /** The name of the section. Absent for lines before the first pool, and for the marks of files. */
  readonly pool?: string;
}

function partsOf(text: string): readonly Part[] {
  const parts: { lines: string[]; pool?: string }[] = [{ lines: [] }];
  for (const line of text.split('\n')) {
    const name = header.exec(line)?.[1]?.trim();
    if (name !== undefined && name !== 'global') parts.push({ lines: [], pool: name });
    else if (line.startsWith(fileMark)) parts.push({ lines: [] });
    parts.at(-1)?.lines.push(line);
  }
  return parts;
}

function lowerPool(lines: readonly string[], wanted: FpmSection | undefined): readonly string[] {
  const limit = numberOf(wanted?.values.get('pm.max_children'));
  const now = numberOf(lastValue(lines, 'pm.max_children'));
  if (limit === undefined || now === undefined || limit >= now) return lines;
  const more = workerKeys.flatMap((key) => {
    const value = numberOf(lastValue(lines, key));
    return value === undefined || value <= limit ? [] : [`${key} = ${limit} ; lowered`];
  });
  const before = lines.filter((each) => !lowered.test(each));
  const end = before.findLastIndex((each) => each.trim() !== '') + 1;
  const still = lines.filter(
    (each) => lowered.test(each) && !more.some((line) => keyOf(line) === keyOf(each)),
  );
  return [...before.slice(0, end), ...still, ...more, ...before.slice(end)];
}

const keyOf = (line: string) => line.slice(0, line.indexOf('=')).trim();

function lastValue(lines: readonly string[], key: string): string | undefined {
  const line = lines.findLast((each) => keyOf(each) === key);
  return line?.slice(line.indexOf('=') + 1);
}

/** Parses digits, with or without quotes. */
function numberOf(value: string | undefined): number | undefined {
  const digits = /^[ \t]*["']?(\d{1,9})["']?[ \t]*(?:;.*)?\r?$/.exec(value ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const workersAtStart = (lines: readonly string[]): number =>
  firstWorkers(
    new Map(
      ['pm', ...workerKeys].flatMap((key) => {
        const value = lastValue(lines, key)
          ?.replace(/;.*$/, '')
          .replace(/["'\r]/g, '')
          .trim();
        return value === undefined ? [] : [[key, value] as const];
      }),
    ),
  );

function lowerGlobal(lines: readonly string[], limit: number | undefined): readonly string[] {
  if (limit === undefined) return lines;
  const at = lines.findIndex((each) => processMax.test(each));
  if (at < 0) {
    const end = lines.findLastIndex((each) => each.trim() !== '') + 1;
    return [...lines.slice(0, end), `process.max = ${limit}`, ...lines.slice(end)];
  }
  const now = Number(processMax.exec(lines[at] ?? '')?.[1]);
  return now <= limit ? lines : lines.with(at, `process.max = ${limit}`);
}
