/** Numbers, times and plurals of a language. */

export interface Numbers {
  /** Returns `1,000`. */
  readonly number: (value: number, digits?: number) => string;
  /** Returns `12 %` for 0.12. */
  readonly percent: (share: number) => string;
  /** Returns `620 MiB`: binary units, three digits. */
  readonly bytes: (value: number) => string;
  readonly rate: (bytesPerSecond: number) => string;
  /** Returns `14:02`, with the day if it is another one. */
  readonly time: (at: number, now?: number) => string;
  readonly dateTime: (at: number) => string;
  /** Returns `24 November at 12:02`. */
  readonly moment: (at: number) => string;
  /** Returns `24 November`. */
  readonly day: (at: number) => string;
  readonly sameDay: (a: number, b: number) => boolean;
  /** Returns `5 minutes ago`. */
  readonly ago: (at: number, now: number) => string;
  /** Returns `1 h 30 min`. */
  readonly duration: (seconds: number) => string;
  readonly list: (items: readonly string[]) => string;
  /** Returns the number with the form of the noun that belongs to it. */
  readonly count: (value: number, forms: Forms) => string;
}

/** The forms of a noun by plural category: `{ one: 'tenant', other: 'tenants' }`. */
export type Forms = Readonly<Partial<Record<Intl.LDMLPluralRule, string>>> & {
  readonly other: string;
};

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function numbersOf(locale: string): Numbers {
  const plain = [0, 1, 2].map(
    (maximumFractionDigits) => new Intl.NumberFormat(locale, { maximumFractionDigits }),
  );
  const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
  const times = new Intl.DateTimeFormat(locale, {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const days = new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const whole = new Intl.DateTimeFormat(locale, {
    dateStyle: 'medium',
    timeStyle: 'medium',
    hourCycle: 'h23',
  });
  const moments = new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'long',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const wholeDays = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'always' });
  const lists = new Intl.ListFormat(locale, { type: 'conjunction' });
  const plurals = new Intl.PluralRules(locale);
  const number = (value: number, digits = 0) => (plain[digits] ?? plain[0]!).format(value);
  const bytes = (value: number) => {
    const { scaled, unit } = scaledBytes(value);
    const digits = unit === 0 || scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
    return `${number(scaled, digits)}\u00a0${byteUnits[unit]}`;
  };
  return {
    number,
    percent: (share) => percents.format(share),
    bytes,
    rate: (value) => `${bytes(value)}/s`,
    time: (at, now = at) => (isSameDay(at, now) ? times : days).format(at),
    dateTime: (at) => whole.format(at),
    moment: (at) => moments.format(at),
    day: (at) => wholeDays.format(at),
    sameDay: isSameDay,
    ago: (at, now) => relativeTime(relative, at - now),
    duration: (seconds) => durationText(locale, seconds),
    list: (items) => lists.format(items),
    count: (value, forms) => `${number(value)} ${forms[plurals.select(value)] ?? forms.other}`,
  };
}

function scaledBytes(value: number): { readonly scaled: number; readonly unit: number } {
  let scaled = Number.isFinite(value) ? Math.max(0, value) : 0;
  let unit = 0;
  for (; scaled >= 1000 && unit < byteUnits.length - 1; unit++) scaled /= 1024;
  return { scaled, unit };
}

const isSameDay = (a: number, b: number) =>
  new Date(a).toDateString() === new Date(b).toDateString();

const steps = [
  ['second', 1000],
  ['minute', 60_000],
  ['hour', 3_600_000],
  ['day', 86_400_000],
] as const;

function relativeTime(format: Intl.RelativeTimeFormat, milliseconds: number): string {
  const size = Math.abs(milliseconds);
  const [unit, length] = steps.findLast(([, each]) => size >= each) ?? steps[0];
  return format.format(Math.round(milliseconds / length), unit);
}

/** Returns a duration in its two largest units. */
function durationText(locale: string, seconds: number): string {
  const parts = [
    ['day', Math.floor(seconds / 86_400)],
    ['hour', Math.floor(seconds / 3600) % 24],
    ['minute', Math.floor(seconds / 60) % 60],
    ['second', Math.floor(seconds) % 60],
  ] as const;
  const first = parts.findIndex(([, value]) => value > 0);
  const shown = first === -1 ? parts.slice(-1) : parts.slice(first, first + 2);
  return shown
    .filter(([, value], at) => value > 0 || at === 0)
    .map(([unit, value]) =>
      new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' }).format(value),
    )
    .join(' ');
}
