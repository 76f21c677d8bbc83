/**
 * Quantities of the policy language: a number with a unit, or the word `unlimited`.
 *
 * Every kind has one parser and one printer, and `parse(print(x)) = x` for every value.
 * A number without its unit is an error: nobody should have to remember whether 262144
 * meant pages, kilobytes or bytes.
 */
import { durationForm, durationPattern, formatDuration, parseDuration } from './duration.ts';
import type { Cause } from './problem.ts';
import { fail, ok, type Result } from './result.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]: Name };

/** CPU time per wall-clock time; 1 is one core kept busy. */
export type CpuFraction = Branded<'CpuFraction'>;
/** A relative share, 1 to 10000; 100 is what an unconfigured cgroup has. */
export type Weight = Branded<'Weight'>;
export type Bytes = Branded<'Bytes'>;
export type BytesPerSecond = Branded<'BytesPerSecond'>;
/** Operations per second. */
type PerSecond = Branded<'PerSecond'>;
/** A number of things: processes, files, entries. */
type Count = Branded<'Count'>;
type Milliseconds = Branded<'Milliseconds'>;

export const unlimited = 'unlimited';
export type Unlimited = typeof unlimited;

/** The value type of each kind of quantity. */
export interface QuantityTypes {
  readonly cpu: CpuFraction;
  readonly weight: Weight;
  readonly bytes: Bytes;
  readonly bytesPerSecond: BytesPerSecond;
  readonly perSecond: PerSecond;
  readonly count: Count;
  readonly duration: Milliseconds;
}
export type QuantityKind = keyof QuantityTypes;

export type Quantity = QuantityTypes[QuantityKind] | Unlimited;

interface Kind {
  readonly parse: (text: string) => Result<number, Cause>;
  readonly format: (value: number) => string;
  /** The written form of a value, for messages and for the generated documentation. */
  readonly form: string;
  readonly examples: readonly string[];
  /** XML Schema regular expression of a value other than `unlimited`. */
  readonly pattern: string;
}

const byteUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
const unitsLargestFirst = Object.entries(byteUnits).sort((a, b) => b[1] - a[1]);
const decimal = String.raw`(\d+(?:\.\d+)?)`;
const bytesForm = 'a number with one of KiB MiB GiB TiB kB MB GB TB';

/** The largest number of bytes that a double represents exactly, far above any host's capacity. */
const largest = Number.MAX_SAFE_INTEGER;

function within(value: number, text: string, max = largest): Result<number, Cause> {
  if (value > max) return fail({ reason: `"${text}" is larger than any host can hold` });
  return ok(value);
}

function parseBytes(text: string): Result<number, Cause> {
  const match = /^(\d+(?:\.\d+)?)\s?([A-Za-z]*)$/.exec(text);
  if (match === null) return fail({ reason: `"${text}" is not ${bytesForm}` });
  const [, digits = '', unit = ''] = match;
  const scale = Object.hasOwn(byteUnits, unit) ? byteUnits[unit] : undefined;
  if (scale === undefined) return fail(unitProblem(text, digits, unit));
  return within(Math.round(Number(digits) * scale), text);
}

function unitProblem(text: string, digits: string, unit: string): Cause {
  if (unit === '')
    return { reason: `"${text}" has no unit`, hint: `write for example "${digits}MiB"` };
  const near = Object.keys(byteUnits).find((name) => name.toLowerCase() === unit.toLowerCase());
  const meant = near ?? nearestByteUnit(unit);
  const hint =
    meant === undefined ? `units are ${bytesForm.slice(21)}` : `write "${digits}${meant}"`;
  return { reason: `"${text}" has an unknown unit "${unit}"`, hint };
}

function nearestByteUnit(unit: string): string | undefined {
  const initial = unit.charAt(0).toUpperCase();
  return /^[KMGT]$/.test(initial) && unit.length <= 2 ? `${initial}iB` : undefined;
}

/** Formats bytes in the shortest exact form: binary units first, whole numbers before decimals. */
export function formatBytes(value: number): string {
  for (const [unit, scale] of unitsLargestFirst) {
    if (value >= scale && value % scale === 0) return `${value / scale}${unit}`;
  }
  return `${value}B`;
}

function perSecond(parse: (text: string) => Result<number, Cause>, example: string) {
  return (text: string): Result<number, Cause> =>
    text.endsWith('/s')
      ? parse(text.slice(0, -2).trimEnd())
      : fail({
          reason: `"${text}" is not a rate`,
          hint: `write "/s" after it, for example "${example}"`,
        });
}

function parseWhole(text: string): Result<number, Cause> {
  if (!/^\d+$/.test(text)) return fail({ reason: `"${text}" is not a whole number` });
  return within(Number(text), text);
}

function parseCpu(text: string): Result<number, Cause> {
  const match = new RegExp(`^${decimal}\\s?(%|cores?)$`).exec(text);
  if (match === null) {
    const hint = /^\d+(\.\d+)?$/.test(text)
      ? `write "${text}%" or "${text} cores"`
      : 'write for example "150%" or "2 cores"';
    return fail({ reason: `"${text}" is not a share of a core`, hint });
  }
  const number = Number(match[1]);
  return within(match[2] === '%' ? number / 100 : number, text, 100_000);
}

function parseWeight(text: string): Result<number, Cause> {
  const whole = parseWhole(text);
  if (whole.ok && whole.value > 10_000)
    return fail({ reason: `"${text}" is not a weight`, hint: 'weights are 1 to 10000' });
  return whole;
}

/** Formats percent with as few decimals as are exact; a double's noise is not shown. */
const formatCpu = (value: number) => `${Number((value * 100).toFixed(6))}%`;

export const quantityKinds: Readonly<Record<QuantityKind, Kind>> = {
  cpu: {
    parse: parseCpu,
    format: formatCpu,
    form: 'a percentage of one core, or a number of cores',
    examples: ['150%', '2 cores'],
    pattern: String.raw`\d+(\.\d+)?\s?(%|cores?)`,
  },
  weight: {
    parse: parseWeight,
    format: String,
    form: 'a whole number from 1 to 10000',
    examples: ['100'],
    pattern: String.raw`[1-9]\d{0,4}`,
  },
  bytes: {
    parse: parseBytes,
    format: formatBytes,
    form: bytesForm,
    examples: ['1GiB', '512MiB'],
    pattern: String.raw`\d+(\.\d+)?\s?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)`,
  },
  bytesPerSecond: {
    parse: perSecond(parseBytes, '10MiB/s'),
    format: (value) => `${formatBytes(value)}/s`,
    form: `${bytesForm}, then /s`,
    examples: ['10MiB/s'],
    pattern: String.raw`\d+(\.\d+)?\s?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)\s?/s`,
  },
  perSecond: {
    parse: perSecond(parseWhole, '1000/s'),
    format: (value) => `${value}/s`,
    form: 'a whole number, then /s',
    examples: ['1000/s'],
    pattern: String.raw`\d+\s?/s`,
  },
  count: {
    parse: parseWhole,
    format: String,
    form: 'a whole number',
    examples: ['100'],
    pattern: String.raw`\d+`,
  },
  duration: {
    parse: parseDuration,
    // One word, as a command line needs it.
    format: (milliseconds) => formatDuration(milliseconds).replace(' ', ''),
    form: durationForm,
    examples: ['30s', '5min'],
    pattern: durationPattern,
  },
};

export function formatQuantity(kind: QuantityKind, value: Quantity): string {
  return value === unlimited ? unlimited : quantityKinds[kind].format(value);
}
