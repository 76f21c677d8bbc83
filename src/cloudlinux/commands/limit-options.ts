/**
 * Limits as lvectl takes them, in the words of the policy.
 *
 *     --speed=150%      cpu.limit=150%             of one core
 *     --cpu=25          cpu.limit=100%             of the whole machine, here of 4 cores
 *     --speed=1ghz      cpu.limit=40%              of a core, here of 2.5 GHz
 *     --pmem=512M       memory.limit=512MiB        without a suffix KB
 *     --io=1024         io.total=1MiB/s          reads and writes together
 *     --iops=100        io.operations=100/s
 *     --nproc=0         processes.limit=unlimited
 *
 * LVE counts in powers of 1024 whatever it calls them.
 */
import type { LimitNumbers } from '../../agent/api/api.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { limitAttribute } from '../../limits/limits.ts';
import {
  formatQuantity,
  unlimited,
  type Bytes,
  type BytesPerSecond,
  type CpuFraction,
} from '../../../packages/base/quantity.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

export interface LimitOptions {
  readonly cpu?: string;
  readonly speed?: string;
  readonly ncpu?: string;
  readonly io?: string;
  readonly iops?: string;
  readonly nproc?: string;
  readonly pmem?: string;
  readonly vmem?: string;
  readonly mem?: string;
  readonly maxEntryProcs?: string;
  readonly ep?: string;
  readonly unlimited?: boolean;
  readonly saveAllParameters?: boolean;
}

/** The facts that the words depend on. */
export interface OptionTarget {
  readonly cores: number;
  /** Absent if the kernel does not report it. */
  readonly coreMegahertz: number | undefined;
  /** Limits in force for the target, inherited ones included. */
  readonly values: LimitValues;
  readonly numbers: LimitNumbers;
}

/** The limits of an LVE, as far as they exist here. */
const lveKeys: readonly LimitKey[] = [
  'cpu.limit',
  'memory.limit',
  'io.total',
  'io.operations',
  'processes.limit',
  'entries.limit',
];

/** The limits that lvectl cannot express. */
const directions = ['io.read', 'io.write', 'io.reads', 'io.writes'] as const;

const isLimited = ({ values }: OptionTarget, key: LimitKey) =>
  (values[key] ?? unlimited) !== unlimited;

type Words = Map<LimitKey, string>;

const nothingToChange: Problem = {
  action: 'change limits',
  reason: 'none is given',
  hint: 'write for example --speed=100%',
};

/** Returns words for `set`: `cpu.limit=150%`. Every error is reported. */
export function limitWords(
  options: LimitOptions,
  place: OptionTarget,
): Result<readonly string[], readonly Problem[]> {
  const words: Words = new Map();
  if (options.saveAllParameters === true) {
    for (const key of lveKeys) words.set(key, inForce(key, place.values));
    for (const key of directions.filter((each) => isLimited(place, each))) {
      words.set(key, inForce(key, place.values));
    }
  }
  if (options.unlimited === true) for (const key of lveKeys) words.set(key, unlimited);
  const errors = [...addressSpace(options), ...cpuWord(options, place, words)];
  for (const each of plainOptions) {
    const text = each.names.map((name) => options[name]).find((given) => given !== undefined);
    if (text === undefined) continue;
    const value = each.read(text, `--${each.names[0]}`);
    if (!value.ok) errors.push(value.error);
    else for (const key of each.keys) words.set(key, value.value);
  }
  liftDirections(options, place, words);
  if (errors.length > 0) return fail(errors);
  if (words.size === 0) return fail([nothingToChange]);
  return ok([...words].map(([key, value]) => `${key}=${value}`));
}

/**
 * Removes the limits of single directions: a given limit bounds both directions together, and
 * theirs would apply as well.
 */
function liftDirections(
  { io, iops, unlimited: all }: LimitOptions,
  place: OptionTarget,
  words: Words,
) {
  for (const key of directions.filter((each) => isLimited(place, each))) {
    const given = key === 'io.read' || key === 'io.write' ? io : iops;
    if (given !== undefined || all === true) words.set(key, unlimited);
  }
}

function inForce(key: LimitKey, values: LimitValues): string {
  const attribute = limitAttribute(key);
  return formatQuantity(attribute.kind, values[key] ?? attribute.fallback);
}

interface PlainOption {
  readonly names: readonly ('pmem' | 'io' | 'iops' | 'nproc' | 'maxEntryProcs' | 'ep')[];
  readonly keys: readonly LimitKey[];
  readonly read: (text: string, option: string) => Result<string, Problem>;
}

const plainOptions: readonly PlainOption[] = [
  {
    names: ['pmem'],
    keys: ['memory.limit'],
    read: amount((bytes) => formatQuantity('bytes', bytes as Bytes)),
  },
  {
    names: ['io'],
    keys: ['io.total'],
    read: amount((bytes) => formatQuantity('bytesPerSecond', bytes as BytesPerSecond)),
  },
  { names: ['iops'], keys: ['io.operations'], read: whole((number) => `${number}/s`) },
  { names: ['nproc'], keys: ['processes.limit'], read: whole(String) },
  { names: ['maxEntryProcs', 'ep'], keys: ['entries.limit'], read: whole(String) },
];

const scales: Readonly<Record<string, number>> = {
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/**
 * Returns the bytes of `512M`, `1.5G`, `2048KB/s`, or `1024`, which is KB; undefined for anything
 * else.
 */
function bytesOf(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)\s?([kmgt]?)(?:i?b)?(?:\/s)?$/i.exec(text);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * (scales[match[2]?.toLowerCase() ?? ''] ?? 1024));
}

function amount(say: (bytes: number) => string) {
  return (text: string, option: string): Result<string, Problem> => {
    const bytes = isUnlimited(text) ? 0 : bytesOf(text);
    if (bytes === undefined) {
      return failed({
        action: `set ${option} to`,
        object: text,
        reason: 'that is not a size',
        hint: `write for example ${option}=512M`,
      });
    }
    return ok(bytes === 0 ? unlimited : say(bytes));
  };
}

function whole(say: (number: number) => string) {
  return (text: string, option: string): Result<string, Problem> => {
    if (isUnlimited(text)) return ok(unlimited);
    if (!/^\d{1,12}$/.test(text)) {
      return failed({
        action: `set ${option} to`,
        object: text,
        reason: 'that is not a whole number',
        hint: `write for example ${option}=100`,
      });
    }
    return ok(Number(text) === 0 ? unlimited : say(Number(text)));
  };
}

const isUnlimited = (text: string) => text === unlimited;

/**
 * Reports a limit of the address space. 0 means no limit, so that lvectl accepts the output of
 * `list`.
 */
function addressSpace(options: LimitOptions): Problem[] {
  return (['vmem', 'mem'] as const).flatMap((name) => {
    const text = options[name];
    if (text === undefined || isUnlimited(text) || bytesOf(text) === 0) return [];
    return [
      {
        action: `set --${name} to`,
        object: text,
        reason: 'the kernel has no limit for the address space of a tenant',
        hint: `use --pmem, or --${name}=0`,
      },
    ];
  });
}

/** Adds the smaller of the share and the cores; returns the errors. */
function cpuWord({ cpu, speed, ncpu }: LimitOptions, place: OptionTarget, words: Words): Problem[] {
  if (cpu !== undefined && speed !== undefined) {
    return [
      { action: 'use --speed and --cpu', reason: 'they are the same limit', hint: 'give only one' },
    ];
  }
  const share =
    speed !== undefined
      ? shareOf(speed, '--speed', 1, place)
      : cpu !== undefined
        ? shareOf(cpu, '--cpu', place.cores, place)
        : ok(undefined);
  const cores = ncpu === undefined ? ok(undefined) : coresOf(ncpu);
  const errors = [share, cores].flatMap((each) => (each.ok ? [] : [each.error]));
  if (!share.ok || !cores.ok) return errors;
  if (share.value === undefined && cores.value === undefined) return [];
  // Without a share, the number of cores leaves the share as it is, and so can only lower the
  // limit.
  const bound = share.value ?? place.numbers['cpu.limit'] ?? 0;
  const held = smallerOf(bound, cores.value ?? 0);
  words.set('cpu.limit', held === 0 ? unlimited : formatQuantity('cpu', held as CpuFraction));
  return [];
}

/** Returns the smaller limit; 0 is unlimited. */
const smallerOf = (a: number, b: number) => (a === 0 ? b : b === 0 ? a : Math.min(a, b));

/** Returns the cores kept busy; a bare number is percent of `cores`. */
function shareOf(
  text: string,
  option: string,
  cores: number,
  place: OptionTarget,
): Result<number, Problem> {
  if (isUnlimited(text)) return ok(0);
  const match = /^(\d{1,9}(?:\.\d{1,6})?)\s?(%|mhz|ghz)?$/i.exec(text);
  const cannot = { action: `set ${option} to`, object: text };
  if (match === null) {
    return failed({
      ...cannot,
      reason: 'that is not a share of a core',
      hint: 'write for example --speed=100%',
    });
  }
  const number = Number(match[1]);
  const unit = match[2]?.toLowerCase();
  if (unit === undefined) return ok((number / 100) * cores);
  if (unit === '%') return ok(number / 100);
  if (place.coreMegahertz === undefined) {
    return failed({
      ...cannot,
      reason: 'the clock rate of a core is not known',
      hint: 'use a percentage',
    });
  }
  return ok((unit === 'ghz' ? number * 1000 : number) / place.coreMegahertz);
}

function coresOf(text: string): Result<number, Problem> {
  if (isUnlimited(text)) return ok(0);
  if (/^\d{1,6}$/.test(text)) return ok(Number(text));
  return failed({
    action: 'set --ncpu to',
    object: text,
    reason: 'that is not a number of cores',
    hint: 'write for example --ncpu=2',
  });
}
