/**
 * The kinds of attribute values, apart from the quantities of limits (`base/quantity.ts`). A new kind is one entry
 * here: the parser, the schema and the reference page read it.
 */
import { durationPattern, parseDuration, formatDuration } from '../../packages/base/duration.ts';
import { quantityKinds } from '../../packages/base/quantity.ts';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { appNamePattern, appsMax, variablePattern } from './apps/app.ts';
import { databaseKinds } from './databases/database-kinds.ts';
import { hostKinds, hostLabel as label } from './elements/host-kinds.ts';
import { networkKinds } from './network/network-kinds.ts';
import { fleetKinds } from './fleet/fleet-kinds.ts';
import { nameCharacters, namePattern } from './names.ts';
import {
  policyRights,
  siteLimitSetters,
  type PolicyRight,
  type SiteLimitSetters,
  type UidRange,
} from './document.ts';

interface ValueKindSpec<T> {
  /** The description in the reference page. */
  readonly form: string;
  /** An XML Schema pattern: anchored, and without `^`, `$` and JavaScript's Unicode classes. */
  readonly pattern: string;
  /** Parses a value. The diagnostic shows the error at the value. */
  readonly parse: (text: string) => Result<T, Cause>;
  readonly format: (value: T) => string;
}

/** uid_t is 32 bits; the last value means "no user" to the kernel. */
export const uidMax = 2 ** 32 - 2;

/** Valid user names: useradd's rule, extended for directory services. */
export const userPattern = /^[A-Za-z_][A-Za-z0-9_.@\\-]{0,63}\$?$/;

const tenantPattern = new RegExp(`^(${userPattern.source.slice(1, -1)}|\\d{1,10})$`);

const sitePattern = new RegExp(String.raw`^${label}(\.${label})*$`);
/** Source: RFC 1035, section 2.3.4, without the length bytes. */
const siteBytesMax = 253;

/** An account of this host, or a mail address; `%u` is replaced by an account. */
const mailPattern = /^[A-Za-z0-9._%+-]+(@[A-Za-z0-9.-]+)?$/;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Nothing that would end a line of a unit file. */
const linePattern = /^[^\p{Cc}\p{Zl}\p{Zp}]{0,4096}$/u;
const commandPattern = /^(?=.*\S)[^\p{Cc}\p{Zl}\p{Zp}]{1,4096}$/u;

const text = (kind: Omit<ValueKindSpec<string>, 'format'>): ValueKindSpec<string> => ({
  ...kind,
  format: (value) => value,
});
const matching = (pattern: RegExp, error: (text: string) => Cause) => (value: string) =>
  pattern.test(value) ? ok(value) : fail(error(value));

const word = String.raw`[^\s,]+`;
const range = String.raw`\d{1,10}(-\d{1,10})?`;
const setter = `(${siteLimitSetters.join('|')})`;
const right = `(${policyRights.join('|')})`;
const onlyPolicy = 'administrator';
const never = 'never';
const idleSecondsMin = 10;
const idleSecondsMax = 365 * 86_400;
const list = (each: string) => String.raw`[\s,]*${each}([\s,]+${each})*[\s,]*`;

export const valueKinds = {
  name: text({
    form: 'a name: letters, digits, spaces and `. _ - @ + & < > ( )`, at most 64',
    pattern: schemaPattern(nameCharacters),
    parse: matching(namePattern, (value) => ({
      reason: `"${value}" is not a name: letters, digits, spaces and . _ - @ + & < > ( ), at most 64`,
    })),
  }),
  names: {
    form: 'names, separated by spaces or commas',
    pattern: list(word),
    parse: (value: string) => ok(wordsOf(value)),
    format: (names: readonly string[]) => names.join(' '),
  },
  user: text({
    form: 'the name of an account',
    pattern: schemaPattern(userPattern),
    parse: matching(userPattern, (value) => ({
      reason: `"${value}" cannot be the name of an account`,
    })),
  }),
  site: text({
    form: 'a host name',
    pattern: schemaPattern(sitePattern),
    parse: parseSite,
  }),
  ...hostKinds,
  ...databaseKinds,
  ...networkKinds,
  ...fleetKinds,
  tenant: text({
    form: 'the name of a tenant, or its uid',
    pattern: schemaPattern(tenantPattern),
    parse: matching(tenantPattern, (value) => ({
      reason: `"${value}" cannot be the name of a tenant, and is not a uid`,
    })),
  }),
  uid: { form: 'a uid', pattern: String.raw`\d{1,10}`, parse: parseUid, format: String },
  ranges: {
    form: 'ranges such as `1000-59999`, separated by spaces or commas',
    pattern: list(range),
    parse: parseRanges,
    format: (ranges: readonly UidRange[]) => ranges.map(formatRange).join(' '),
  },
  setters: {
    form: '`administrator`, `reseller`, `tenant`, or `reseller tenant`',
    pattern: `${onlyPolicy}|${list(setter)}`,
    parse: parseSetters,
    format: (setters: SiteLimitSetters) => setters.join(' ') || onlyPolicy,
  },
  rights: {
    form: '`limits`, `packages`, or `limits packages`',
    pattern: list(right),
    parse: parseRights,
    format: (rights: readonly PolicyRight[]) => rights.join(' '),
  },
  text: text({ form: 'any text', pattern: '.*', parse: ok }),
  app: text({
    form: 'lower-case letters, digits and `-`, at most 32',
    pattern: schemaPattern(appNamePattern),
    parse: matching(appNamePattern, (value) => ({
      reason: `"${value}" is not the name of an application`,
      hint: 'write lower-case letters, digits and "-", at most 32',
    })),
  }),
  variable: text({
    form: 'the name of a variable',
    pattern: schemaPattern(variablePattern),
    parse: matching(variablePattern, (value) => ({
      reason: `"${value}" is not the name of a variable`,
      hint: 'write for example "NODE_ENV"',
    })),
  }),
  line: text({
    form: 'text in one line, at most 4096',
    pattern: '.{0,4096}',
    parse: matching(linePattern, () => ({
      reason: 'It has a control character, such as a line feed, or more than 4096 characters',
    })),
  }),
  command: text({
    form: 'a command line, at most 4096',
    pattern: '.{1,4096}',
    parse: matching(commandPattern, () => ({
      reason:
        'It is not a command: it is empty, has a control character, such as a line feed, or more than 4096 characters',
    })),
  }),
  idle: {
    form: 'a duration of at least 10s, or `never`',
    pattern: `${never}|${durationPattern}`,
    parse: parseIdle,
    format: (seconds: number) => (seconds === 0 ? never : formatDuration(seconds * 1000)),
  },
  version: text({
    form: '`1`',
    pattern: '1',
    parse: matching(/^1$/, (value) => ({
      reason: `Version "${value}" of the language is not known`,
      hint: 'this is version "1"',
    })),
  }),
  duration: {
    form: 'a number with one of `s` `min` `h` `days`',
    pattern: durationPattern,
    parse: parseDuration,
    format: formatDuration,
  },
  time: {
    form: 'a time of day, `HH:MM`',
    pattern: String.raw`([01]\d|2[0-3]):[0-5]\d`,
    parse: parseTime,
    format: (minutes: number) =>
      [Math.floor(minutes / 60), minutes % 60]
        .map((each) => String(each).padStart(2, '0'))
        .join(':'),
  },
  percent: {
    form: 'a whole number of percent, `1%` to `100%`',
    pattern: String.raw`([1-9]\d?|100)%`,
    parse: (value: string) =>
      /^(?:[1-9]\d?|100)%$/.test(value)
        ? ok(Number(value.slice(0, -1)) / 100)
        : fail({ reason: `"${value}" is not a percentage`, hint: 'write "1%" to "100%"' }),
    format: (fraction: number) => `${Math.round(fraction * 100)}%`,
  },
  language: text({
    form: 'a language, such as `en` or `pt-BR`',
    pattern: String.raw`[a-z]{2,3}(-[A-Z]{2})?`,
    parse: matching(/^[a-z]{2,3}(?:-[A-Z]{2})?$/, (value) => ({
      reason: `"${value}" is not a language`,
      hint: 'write for example "en", "de" or "pt-BR"',
    })),
  }),
  space: {
    form: 'a number with one of `KiB` `MiB` `GiB` `TiB`',
    pattern: quantityKinds.bytes.pattern,
    parse: parseSpace,
    format: quantityKinds.bytes.format,
  },
  count: {
    form: 'a whole number',
    pattern: String.raw`[1-9]\d{0,8}`,
    parse: (value: string) =>
      /^[1-9]\d{0,8}$/.test(value)
        ? ok(Number(value))
        : fail({ reason: `"${value}" is not a whole number from 1` }),
    format: String,
  },
  apps: {
    form: `a whole number up to ${appsMax}`,
    pattern: String.raw`0|[1-9]\d?`,
    parse: (value: string) =>
      /^(?:0|[1-9]\d?)$/.test(value) && Number(value) <= appsMax
        ? ok(Number(value))
        : fail({ reason: `"${value}" is not a whole number from 0 to ${appsMax}` }),
    format: String,
  },
  endpoint: {
    form: '`HOST:PORT`',
    pattern: String.raw`(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+):\d{1,5}`,
    parse: parseEndpoint,
    format: ({ host, port }: Endpoint) => `${host.includes(':') ? `[${host}]` : host}:${port}`,
  },
  path: text({
    form: 'an absolute path',
    pattern: '/.*',
    parse: matching(/^\/[^\p{Cc}]*$/u, (value) => ({
      reason: `"${value}" is not an absolute path`,
      hint: 'it must begin with "/"',
    })),
  }),
  mail: text({
    form: 'a mail address; `%u` is replaced by the account',
    pattern: String.raw`[A-Za-z0-9._%+\-]+(@[A-Za-z0-9.\-]+)?`,
    parse: matching(mailPattern, (value) => ({
      reason: `"${value}" is not a mail address`,
      hint: 'write for example "ops@example.org" or "root"',
    })),
  }),
  url: text({
    form: 'a URL with `http` or `https`',
    pattern: String.raw`https?://\S+`,
    parse: (value) =>
      /^https?:\/\/[^\s\p{Cc}]+$/u.test(value) && URL.canParse(value)
        ? ok(value)
        : fail({
            reason: `"${value}" is not a URL`,
            hint: 'write for example "https://example.org/hook"',
          }),
  }),
} as const;

export type ValueKindName = keyof typeof valueKinds;
/** The parsed value of the kind. */
export type ValueOf<Name extends ValueKindName> =
  ReturnType<(typeof valueKinds)[Name]['parse']> extends infer R
    ? R extends { readonly ok: true; readonly value: infer T }
      ? T
      : never
    : never;

const spaceMin = 16 * 2 ** 20;

function parseSpace(value: string): Result<number, Cause> {
  const parsed = quantityKinds.bytes.parse(value);
  if (!parsed.ok || parsed.value >= spaceMin) return parsed;
  return fail({ reason: `"${value}" is too small`, hint: 'the minimum is "16MiB"' });
}

/** Parses a time of day into minutes since midnight. */
function parseTime(value: string): Result<number, Cause> {
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(value) ?? [];
  return hours === undefined
    ? fail({ reason: `"${value}" is not a time of day`, hint: 'write for example "07:30"' })
    : ok(Number(hours) * 60 + Number(minutes));
}

/** Parses the time in seconds; 0 is "never". */
function parseIdle(value: string): Result<number, Cause> {
  if (value === never) return ok(0);
  const parsed = parseDuration(value);
  if (!parsed.ok) return parsed;
  const seconds = Math.round(parsed.value / 1000);
  if (seconds >= idleSecondsMin && seconds <= idleSecondsMax) return ok(seconds);
  return fail({
    reason: `"${value}" is not between ${idleSecondsMin}s and 365 days`,
    hint: 'write "never" for a program that runs always',
  });
}

function parseUid(value: string): Result<number, Cause> {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN;
  if (number <= uidMax) return ok(number);
  return fail({
    reason: `"${value}" is not a uid`,
    hint: `uids are whole numbers up to ${uidMax}`,
  });
}

/** Parses a site, into lower case, as host names are compared. */
function parseSite(value: string): Result<string, Cause> {
  if (value.length > siteBytesMax) {
    return fail({ reason: `The name of a site has ${siteBytesMax} characters at most` });
  }
  if (sitePattern.test(value)) return ok(value.toLowerCase());
  return fail({
    reason: `"${value}" is not a host name`,
    hint: 'write for example "shop.example", and a name with other letters in its form "xn--…"',
  });
}

function parseEndpoint(value: string): Result<Endpoint, Cause> {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) {
    return fail({
      reason: `"${value}" is not HOST:PORT`,
      hint: 'write for example "127.0.0.1:9640"',
    });
  }
  return ok({ host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port });
}

/** Parses the setters; none if only the policy sets limits. */
function parseSetters(value: string): Result<SiteLimitSetters, Cause> {
  if (value === onlyPolicy) return ok([]);
  const words = wordsOf(value);
  const setters = siteLimitSetters.filter((each) => words.includes(each));
  if (words.length > 0 && words.length === setters.length) return ok(setters);
  return fail({
    reason: `"${value}" does not say who sets limits of sites`,
    hint: 'write "administrator", "reseller", "tenant" or "reseller tenant"',
  });
}

function parseRights(value: string): Result<readonly PolicyRight[], Cause> {
  const words = wordsOf(value);
  const rights = policyRights.filter((each) => words.includes(each));
  if (words.length > 0 && words.length === rights.length) return ok(rights);
  return fail({
    reason: `"${value}" does not say what the reseller may change`,
    hint: 'write "limits", "packages" or "limits packages"',
  });
}

const wordsOf = (value: string): readonly string[] =>
  value.split(/[\s,]+/).filter((each) => each !== '');

function parseRanges(value: string): Result<readonly UidRange[], Cause> {
  const ranges: UidRange[] = [];
  for (const each of wordsOf(value)) {
    const parsed = parseRange(each);
    if (!parsed.ok) return parsed;
    ranges.push(parsed.value);
  }
  return ok(ranges);
}

/** Parses one range of an attribute, which are reported one by one. */
export function parseRange(value: string): Result<UidRange, Cause> {
  const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(value);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last > uidMax) {
    return fail({
      reason: `"${value}" is not a range of uids`,
      hint: 'write for example "1000-59999"',
    });
  }
  if (first > last)
    return fail({ reason: `The range "${value}" is backwards`, hint: `write "${last}-${first}"` });
  if (first === 0) {
    return fail({
      reason: `The range "${value}" includes uid 0, which is root and never a tenant`,
    });
  }
  return ok({ first, last });
}

const formatRange = ({ first, last }: UidRange) =>
  first === last ? `${first}` : `${first}-${last}`;

/** Returns the pattern for XML Schema, whose patterns are anchored and have no escape for `$`. */
function schemaPattern({ source }: RegExp): string {
  return source.replace(/^\^|\$$/g, '').replaceAll(String.raw`\$`, '$');
}
