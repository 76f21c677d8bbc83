/**
 * The last results of commands that take long or need more rights than the agent has, for the console:
 * `/var/lib/bulkhead/reports/prove.json`.
 *
 *     {"version":1,"at":1764537600000,"report":{"kernel":"6.12.0","entries":[]}}
 *
 * A file is replaced whole. Nothing decides by it.
 */
import { existsSync, rmSync } from 'node:fs';
import { isObject, jsonText, parseObject } from '../../packages/base/json.ts';
import { decodeText, readBounded } from '../../packages/base/io/regular-file.ts';
import { replaceStateFile } from '../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { Paths } from './paths.ts';

export type ReportName = 'setup-status' | 'prove' | 'modules-scan' | 'verify';

const version = 1;
/** A scan of 10,000 modules fits, and what the front passes on is longer. */
const bytesMax = 12 * 2 ** 20;

const fileOf = (state: string, name: ReportName): string => `${state}/reports/${name}.json`;

/** Keeps a report, if root ran the command and this host uses Bulkhead: a mere look leaves nothing behind. */
export function keepReport(
  { state }: Pick<Paths, 'state'>,
  name: ReportName,
  report: object,
): Result<void, Problem> {
  if (process.geteuid?.() !== 0 || !existsSync(state)) return ok(undefined);
  const object = fileOf(state, name);
  const text = `${jsonText({ version, at: Date.now(), report })}\n`;
  if (Buffer.byteLength(text) > bytesMax)
    return failed({
      action: 'keep the result for the console in',
      object,
      reason: `it has more than ${bytesMax} bytes`,
    });
  return replaceStateFile(object, text);
}

/** Forgets a report that is out of date. */
export function forgetReport({ state }: Pick<Paths, 'state'>, name: ReportName): void {
  try {
    rmSync(fileOf(state, name), { force: true });
  } catch {
    // It stays, and shows its date.
  }
}

export interface KeptResult {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly report: object;
}

/** Returns undefined if the command has not run. */
export function readReport(
  state: string,
  name: ReportName,
): Result<KeptResult | undefined, Problem> {
  const object = fileOf(state, name);
  const read = readBounded(object, bytesMax, { links: 'refuse' });
  if (!read.ok) {
    const isAbsent = read.error.errno === 'ENOENT' || read.error.errno === 'ENOTDIR';
    return isAbsent ? ok(undefined) : read;
  }
  const kept = parseObject(decodeText(read.value));
  const at = kept?.['at'];
  const report = kept?.['report'];
  if (kept?.['version'] === version && typeof at === 'number' && isObject(report))
    return ok({ at, report });
  return failed({
    action: 'read the result',
    object,
    reason: 'it is damaged, or of another version',
    hint: 'run the command again',
  });
}
