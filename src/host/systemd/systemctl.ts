/** Calls to systemd through systemctl, which waits for jobs to end. */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';

/** Longer than a master process may take to finish its requests. */
const timeoutMs = 120_000;
/** Longer than the longest TimeoutStartSec= of our own units. */
const ownStartMs = 960_000;
/** The maximum number of names in one call. */
const unitsMax = 200;

export const systemctl = (...args: readonly string[]): Promise<Result<string, Problem>> =>
  call(args, timeoutMs);

/** Starts a unit of ours. systemd decides when that has failed: on a busy host the agent's start takes minutes. */
export const startOwnUnit = (unit: string): Promise<Result<string, Problem>> =>
  call(['start', unit], ownStartMs);

async function call(args: readonly string[], withinMs: number): Promise<Result<string, Problem>> {
  const action = `run systemctl ${args[0] ?? ''} of`;
  const object = args
    .slice(1)
    .filter((each) => !each.startsWith('-'))
    .join(' ');
  const run = await runBounded('systemctl', args, { timeoutMs: withinMs });
  const what = { action, ...(object === '' ? {} : { object: shortened(object) }) };
  if (!run.ok) return failed({ ...what, ...run.error });
  const { status, stdout, stderr } = run.value;
  if (status === 0) return ok(Buffer.from(stdout).toString('utf8'));
  const reason = stderr.trim().split('\n')[0];
  return failed({
    ...what,
    reason: reason === undefined || reason === '' ? `it ended with status ${status}` : reason,
  });
}

const shortened = (text: string) => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/**
 * Calls systemctl, in several calls if needed. `args` come before the names, of which there may be
 * thousands. All calls are made; the error is the first one.
 */
export async function systemctlEach(
  args: readonly string[],
  units: readonly string[],
): Promise<Result<void, Problem>> {
  let all: Result<void, Problem> = ok(undefined);
  for (let at = 0; at < units.length; at += unitsMax) {
    const done = await systemctl(...args, ...units.slice(at, at + unitsMax));
    if (!done.ok && all.ok) all = done;
  }
  return all;
}

export interface UnitState {
  readonly unit: string;
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`. */
  readonly active: string;
  /** `listening`, `running`, `dead`, … */
  readonly sub: string;
}

/** Returns the states of the units that systemd knows. Old versions print no JSON: before 246. */
export async function unitStates(
  pattern: string,
): Promise<Result<ReadonlyMap<string, UnitState>, Problem>> {
  const run = await systemctl('list-units', '--all', '--full', '--plain', '--no-legend', pattern);
  return run.ok ? ok(parseUnitStates(run.value)) : run;
}

/**
 * Parses the lines of `list-units`. There may be a sign before one that failed.
 *
 *     bulkhead-app@1001:blog.socket loaded active listening Socket of application blog
 */
export const parseUnitStates = (text: string): ReadonlyMap<string, UnitState> =>
  new Map(
    text.split('\n').flatMap((line): readonly (readonly [string, UnitState])[] => {
      const words = /^\W*(\S+\.[a-z]+)\s+[a-z-]+\s+([a-z-]+)\s+([a-z-]+)(?:\s|$)/.exec(line);
      const [, unit, active, sub] = words ?? [];
      if (unit === undefined || active === undefined || sub === undefined) return [];
      return [[unit, { unit, active, sub }]];
    }),
  );

/**
 * Stops the slice that systemd makes for the units of a template, once none is left: it stays otherwise. For
 * `bulkhead-fpm84` it is `system-bulkhead\x2dfpm84.slice`.
 */
export async function stopTemplateSlice(template: string): Promise<Result<void, Problem>> {
  const slice = `system-${template.replaceAll('-', '\\x2d')}.slice`;
  const states = await unitStates('system-*.slice');
  if (!states.ok) return states;
  return states.value.get(slice)?.active === 'active'
    ? systemctlEach(['stop'], [slice])
    : ok(undefined);
}

type Properties = ReadonlyMap<string, string>;

export async function unitProperties(
  unit: string,
  names: readonly string[],
): Promise<Result<Properties, Problem>> {
  const run = await systemctl('show', unit, ...names.map((each) => `--property=${each}`));
  return run.ok ? ok(parseProperties(run.value)) : run;
}

/** Returns the properties of many units, by their names. */
export async function propertiesOfUnits(
  units: readonly string[],
  names: readonly string[],
): Promise<Result<ReadonlyMap<string, Properties>, Problem>> {
  const found = new Map<string, Properties>();
  const wanted = ['Id', ...names].map((each) => `--property=${each}`);
  for (let at = 0; at < units.length; at += unitsMax) {
    const run = await systemctl('show', ...wanted, '--', ...units.slice(at, at + unitsMax));
    if (!run.ok) return run;
    for (const block of run.value.split('\n\n')) {
      const properties = parseProperties(block);
      found.set(properties.get('Id') ?? '', properties);
    }
  }
  return ok(found);
}

function parseProperties(text: string): Properties {
  const pairs = text.split('\n').flatMap((line): readonly (readonly [string, string])[] => {
    const at = line.indexOf('=');
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
  });
  return new Map(pairs);
}

/** Returns the version, from `systemd 257 (257.13-1)`; undefined if systemd does not run here. */
export async function systemdVersion(): Promise<number | undefined> {
  const run = await systemctl('--version');
  const version = run.ok ? /^systemd (\d+)/.exec(run.value)?.[1] : undefined;
  return version === undefined ? undefined : Number(version);
}
