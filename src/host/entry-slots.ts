/**
 * The number of a tenant's commands that `bulkhead exec --entry` runs at once:
 * `/run/bulkhead/entries/`.
 *
 *     1001/limit   what the launcher reads; only for tenants whose entries, or whose reseller's entries, are limited
 *     1001/lock    locked by launchers, one after another
 *     1001/1 …     slots, written by the launcher: process id and start time of its last user
 *     1001-shop.example/   the same for a site
 *     r1000/       the same for a reseller
 *     .limits      all limits, to see what has changed
 *
 * No slot is ever returned: it is free once the process that took it has ended.
 *
 * A limit, which entry/parse.c reads:
 *
 *     entries 1       the version of this format
 *     limit 20
 *     reseller 1000   this reseller's limit counts, too; only if its entries are limited
 *     end
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { unlimited } from '../../packages/base/quantity.ts';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { LimitValues } from '../limits/limit.ts';
import type { Policy } from '../policy/policy.ts';
import { causeOf } from '../../packages/base/io/errno.ts';
import { readText } from '../../packages/base/io/read.ts';
import { replaceFile } from '../../packages/base/io/replace-file.ts';

type Limited = Pick<Policy, 'tenants' | 'resellers'>;

const first = 'entries 1';
const last = 'end';

/** The contents of a limit's file: at least one of both. */
export interface EntrySlots {
  readonly limit: number | undefined;
  readonly reseller?: number;
}

/**
 * Publishes the limits. The caller must have locked the instance. `runtime` is a directory of
 * root's.
 */
export function publishEntries(runtime: string, policy: Limited): Result<void, Problem> {
  const directory = `${runtime}/entries`;
  const wanted = slotsOf(policy);
  const text = linesOf([...wanted].map(([name, each]) => `${name} ${slotsText(each)}`));
  const before = readText(`${directory}/.limits`);
  if (before === text) return ok(undefined);
  try {
    const was = parseLimits(before) ?? leftovers(directory);
    if (was.size === 0 && wanted.size === 0) return ok(undefined);
    // It is written last, so that an interrupted apply is repeated.
    rmSync(`${directory}/.limits`, { force: true });
    for (const name of was.keys()) if (!wanted.has(name)) forget(directory, name);
    for (const [name, each] of wanted) {
      if (was.get(name) === slotsText(each)) continue;
      const written = writeSlots(`${directory}/${name}`, each);
      if (!written.ok) return written;
    }
  } catch (error) {
    return failed({ action: 'write', object: directory, ...causeOf(error) });
  }
  return replaceFile(`${directory}/.limits`, text, 0o600);
}

/** Returns the text of a limit's file. */
export const formatEntrySlots = ({ limit, reseller }: EntrySlots): string =>
  linesOf([
    ...(limit === undefined ? [] : [`limit ${limit}`]),
    ...(reseller === undefined ? [] : [`reseller ${reseller}`]),
  ]);

const linesOf = (lines: readonly string[]) =>
  [first, ...lines, last].map((line) => `${line}\n`).join('');

function writeSlots(directory: string, slots: EntrySlots): Result<void, Problem> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return replaceFile(`${directory}/limit`, formatEntrySlots(slots), 0o600);
}

export function withdrawEntries(runtime: string): void {
  rmSync(`${runtime}/entries`, { recursive: true, force: true });
}

/** Returns the slots by directory name. */
function slotsOf({ tenants, resellers }: Limited): ReadonlyMap<string, EntrySlots> {
  const groups = new Map(resellers.map(({ uid, values }) => [uid, limitOf(values)]));
  const all = [
    ...resellers.map(({ uid, values }) => [`r${uid}`, { limit: limitOf(values) }] as const),
    ...tenants.flatMap(({ uid, values, sites, reseller }) => {
      const isGroup = reseller !== undefined && groups.get(reseller) !== undefined;
      const own: EntrySlots = { limit: limitOf(values), ...(isGroup ? { reseller } : {}) };
      const ofSites = sites.map(
        (each) => [`${uid}-${each.name}`, { limit: limitOf(each.values) }] as const,
      );
      return [[String(uid), own] as const, ...ofSites];
    }),
  ];
  return new Map<string, EntrySlots>(
    all.filter(([, slots]) => slots.limit !== undefined || 'reseller' in slots),
  );
}

function limitOf(values: LimitValues): number | undefined {
  const limit = values['entries.limit'];
  return limit === unlimited ? undefined : limit;
}

const slotsText = ({ limit, reseller }: EntrySlots) => {
  const own = String(limit ?? '-');
  return reseller === undefined ? own : `${own} ${reseller}`;
};

/** Returns the limits by directory name; undefined if the file is missing, cut off, or has another version. */
function parseLimits(text: string | undefined): ReadonlyMap<string, string> | undefined {
  if (text?.startsWith(`${first}\n`) !== true || !text.endsWith(`\n${last}\n`)) return undefined;
  const lines = text.split('\n').slice(1, -2);
  return new Map(
    lines.map((line) => {
      const [name = '', ...rest] = line.split(' ');
      return [name, rest.join(' ')] as const;
    }),
  );
}

/** Returns the directories of an interrupted apply: limits that must be written again. */
const leftovers = (directory: string): ReadonlyMap<string, string> =>
  new Map(existsSync(directory) ? readdirSync(directory).map((name) => [name, '']) : []);

const forget = (directory: string, name: string) =>
  rmSync(`${directory}/${name}`, { recursive: true, force: true });
