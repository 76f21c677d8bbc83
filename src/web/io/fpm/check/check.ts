/**
 * Checks with php-fpm, before anything is switched, the configuration of a tenant and of the rest. Together they must
 * have every pool of before, with every value, once. Root's files decide without consent: a tenant cannot signal or
 * stop any process here, and none is in its cgroup.
 */
import { formatCause } from '../../../../../packages/base/problem.ts';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { runBounded } from '../../../../sys/processes/run-bounded.ts';
import type { FpmSection } from '../../../core/fpm/dump.ts';
import { originOfLine } from '../../../core/fpm/service/config.ts';
import type { SplitService } from '../../../core/fpm/service/split.ts';
import { configName, type ServiceEntry } from '../../../core/fpm/service/units.ts';
import type { FpmLayout } from '../layout.ts';
import { asNobody, checkUid, dumpPools, placeText, type DumpProblem } from './dump.ts';

/** Why a configuration is not accepted, or why nothing is known about it. */
export interface Objection {
  readonly reason: string;
  readonly isUnfinished?: true;
}

/** Checks a service in a directory that only root can write to, and that everybody may pass through. */
export async function checkService(
  layout: FpmLayout,
  service: SplitService,
  text: string,
  entry: ServiceEntry,
  { scratch, timeoutMs }: { readonly scratch: string; readonly timeoutMs: number },
): Promise<Objection | undefined> {
  const { asRoot } = service;
  if (entry.isJailed && asRoot !== undefined)
    return {
      reason: `${asRoot}, for which its master has to be root, and in a jail that is not possible; remove it from the pool, or ${entry.isSiteJailed === true ? 'remove the <jail> of the site' : 'give the tenant <jail profile="none"/>'}`,
    };
  const path = `${scratch}/${configName(service)}`;
  writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  chownSync(path, 0, checkUid);
  chmodSync(path, 0o640);
  // A root master opens logs, which the unprivileged account could not.
  const before = asRoot === undefined ? asNobody : [];
  const dumped = await dumpPools(layout.program, path, { before, timeoutMs });
  if (!dumped.ok) return objectionOf(dumped.error, service, text);
  const other = otherPools(service, dumped.value);
  if (other !== undefined) return other;
  return asRoot === undefined ? closedTo(layout, service, entry, timeoutMs) : undefined;
}

function objectionOf(problem: DumpProblem, service: SplitService, text: string): Objection {
  const { line, message, isUnfinished } = problem;
  const origin = line === undefined ? poolNamed(message, service) : originOfLine(text, line);
  const reason = placeText(origin === undefined ? { message } : { ...origin, message });
  return { reason, ...(isUnfinished && { isUnfinished }) };
}

/** Returns where the pool begins that a message names: `[pool shop] the chdir path … does not exist`. */
function poolNamed(
  message: string,
  { files }: Pick<SplitService, 'files'>,
): { file: string; line: number } | undefined {
  const pool = poolIn(message);
  for (const { path, sections } of files) {
    const line = sections.find(({ name }) => name === pool)?.line;
    if (line !== undefined) return { file: path, line };
  }
  return undefined;
}

export const poolIn = (message: string): string | undefined =>
  /^\[pool ([^\]]+)\]/.exec(message)?.[1];

/** Returns why a directory in which workers are to start is closed to the tenant itself, in its jail if it has one. */
async function closedTo(
  { launcher }: FpmLayout,
  { tenant, site, pools, files }: SplitService,
  { instance, isJailed, isSiteJailed }: ServiceEntry,
  timeoutMs: number,
): Promise<Objection | undefined> {
  const directories = pools.flatMap(({ section }) => section?.values.get('chdir') ?? []);
  const asked = [...new Set(directories)].filter((each) => each.startsWith('/') && each !== '/');
  if (asked.length === 0) return undefined;
  const { uid, gid, user } = tenant;
  const key = !isJailed ? '' : isSiteJailed === true ? `${uid}-${site}` : `${uid}`;
  const args = ['look', instance, `${uid}`, `${gid}`, user, key, ...asked];
  const run = await runBounded(launcher, args, { timeoutMs });
  if (!run.ok)
    return { reason: `its chdir cannot be entered: ${formatCause(run.error)}`, isUnfinished: true };
  const { status, stdout, stderr } = run.value;
  if (status !== 0) return { reason: stderr.trim().replace(/^bulkhead: /, '') };
  const [first = ''] = Buffer.from(stdout).toString('utf8').split('\n');
  if (first === '') return undefined;
  const found = /^(.*): ([^:]*)$/.exec(first);
  const pool = pools.find(({ section }) => section?.values.get('chdir') === found?.[1]);
  const place = pool && poolNamed(`[pool ${pool.name}]`, { files });
  const message = `[pool ${pool?.name ?? ''}] the chdir path '${found?.[1]}' cannot be entered by ${user}: ${found?.[2]}`;
  return { reason: placeText(place === undefined ? { message } : { ...place, message }) };
}

function otherPools({ pools }: SplitService, sections: readonly FpmSection[]) {
  const expected = pools.map(({ name, section }) => section ?? name);
  return sectionsDiffer(sections, expected);
}

/** A main file for the distribution's service, as it would be read. */
export interface MainText {
  readonly text: string;
  /** Targets of the links that it includes, by path. */
  readonly links: ReadonlyMap<string, string>;
}

/** Writes the files into the scratch directory and dumps them as root, since that service is root. */
export async function dumpMain(
  program: string,
  { text, links }: MainText,
  scratch: string,
  timeoutMs: number,
) {
  for (const [path, target] of links) {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  }
  const path = `${scratch}/php-fpm.conf`;
  writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  return dumpPools(program, path, { timeoutMs });
}

/** Returns how the pools differ. Their order matters, and a pool of our own is compared by name only. */
export function sectionsDiffer(
  got: readonly FpmSection[],
  expected: readonly (FpmSection | string)[],
): Objection | undefined {
  if (got.length !== expected.length)
    return {
      reason: `php-fpm finds ${got.length} pools in it where ${expected.length} were expected`,
    };
  const other = expected.find((each, index) => !isSame(each, got[index]));
  if (other === undefined) return undefined;
  const name = typeof other === 'string' ? other : other.name;
  return { reason: `php-fpm understands the pool ${name} in another way there` };
}

const isSame = (expected: FpmSection | string, got: FpmSection | undefined): boolean =>
  typeof expected === 'string'
    ? got?.name === expected
    : JSON.stringify([got?.name, ...(got?.values ?? [])]) ===
      JSON.stringify([expected.name, ...expected.values]);
