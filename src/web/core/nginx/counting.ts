/**
 * The requests to an nginx `server` that are entries: the ones that it passes on to a program.
 *
 *     location ~ ^(.+\.php)(.*)$ { fastcgi_pass … }        /index.php, and /index.php.css as well
 *
 * No nginx variable holds the location of a request, but a map can be given the locations' own expressions. They are
 * tried in an order in which no free one precedes another that could take the request from it. If the two cannot be
 * told apart, the request counts.
 *
 * An expression that matches replaces `$1`. The first one that matches here is the one that chose the location, so `$1`
 * is what it was. If the vhost uses a `$1` from elsewhere, no expression is tried at all, and every request counts.
 * Source: ngx_http_variables.c, ngx_http_regex_exec(); ngx_http_rewrite_module.c for `break`.
 */
import type { Directive } from '../directive.ts';
import { nginxQuoted } from '../entries/nginx-quoted.ts';
import { locationsOf, type Location, type LocationKind } from './location.ts';

export interface CountRule {
  readonly pattern: string;
  readonly caseless: boolean;
  readonly verdict: LocationKind;
}

/**
 * The first rule that matches `$uri` says whether a request counts. `pages`: it counts unless it has the name of a
 * static file.
 */
export interface Counting {
  readonly rules: readonly CountRule[];
  readonly rest: LocationKind;
}

const everything: Counting = { rules: [], rest: 'counts' };

/** Bytes of a word of nginx's configuration. */
const wordBytesMax = 4_000;

export function countingOf(
  server: readonly Directive[],
  inherited: readonly Directive[] = [],
): Counting {
  const { locations, rest } = locationsOf(server, inherited);
  if (losesCaptures(server, locations)) return everything;
  const main = locations.find(({ kind, text }) => kind === 'prefix' && text === '/');
  const ordered = inOrder(locations);
  const counting = { rules: ordered.map(ruleOf), rest: main?.verdict ?? rest };
  const usable = counting.rules.every(({ pattern }) => isUsable(pattern));
  if (!usable) return everything;
  const safe = all(locations).some(changesUri) ? withoutFree(counting) : counting;
  return trimmed(withOwnStatics(safe));
}

const isUsable = (pattern: string) =>
  !pattern.includes('\ufffd') && Buffer.byteLength(nginxQuoted(pattern)) < wordBytesMax;

const all = (locations: readonly Location[]): readonly Location[] =>
  locations.flatMap((each) => [each, ...all(each.nested)]);

/** Orders locations as rules. Named ones are left out: they have the URI of the previous location. */
function inOrder(locations: readonly Location[]): readonly Location[] {
  const of = (wanted: Location['kind']) => locations.filter(({ kind }) => kind === wanted);
  const nestedIn = (each: Location) => all(each.nested);
  const prefixes = of('prefix').toSorted((a, b) => b.text.length - a.text.length);
  const late = prefixes.flatMap((each) =>
    nestedIn(each).filter(({ verdict }) => verdict !== 'counts'),
  );
  const careful = late.some(({ verdict }) => verdict === 'pages');
  return [
    ...of('exact'),
    ...locations.flatMap(nestedIn).filter(({ verdict }) => verdict === 'counts'),
    ...[...of('exact'), ...of('regex')]
      .flatMap(nestedIn)
      .flatMap((each) => (each.verdict === 'pages' ? [counted(each)] : [])),
    ...prefixes
      .filter(({ firm, verdict }) => firm && verdict !== 'free')
      .map((each) => (hidesProgram(each, prefixes) ? counted(each) : each)),
    ...of('regex').map((each) => (careful && each.verdict === 'free' ? paged(each) : each)),
    ...prefixes.flatMap((each) => [...nestedInOrder(each), ...(each.text === '/' ? [] : [each])]),
  ];
}

const counted = (location: Location): Location => ({ ...location, verdict: 'counts' });
const paged = (location: Location): Location => ({ ...location, verdict: 'pages' });

/** Whether a longer prefix that runs something begins with this one: that is another location. */
const hidesProgram = ({ text }: Location, prefixes: readonly Location[]) =>
  prefixes.some((each) => each.verdict === 'counts' && each.text.startsWith(text));

/** Returns nested locations in the order in which nginx tries them. Ones that count already precede all others. */
function nestedInOrder({ nested }: Location): readonly Location[] {
  const inner = all(nested).filter(({ verdict }) => verdict !== 'counts');
  const rank: Record<Location['kind'], number> = { exact: 0, regex: 1, prefix: 2, named: 3 };
  return inner
    .filter(({ kind }) => kind !== 'named')
    .toSorted((a, b) => rank[a.kind] - rank[b.kind] || byLength(a, b));
}

const byLength = (a: Location, b: Location) =>
  a.kind === 'prefix' ? b.text.length - a.text.length : 0;

function ruleOf({ kind, text, caseless, verdict }: Location): CountRule {
  const end = kind === 'exact' ? String.raw`\z` : '';
  const pattern = kind === 'regex' ? text : `^${literal(text)}${end}`;
  return { pattern, caseless, verdict };
}

const literal = (text: string) => text.replaceAll(/[^A-Za-z0-9_/\u0080-\uffff]/g, String.raw`\$&`);

/**
 * Whether a location that runs something has `rewrite … break`: then the URI is not the one that chose the location.
 */
function changesUri({ block, verdict }: Location): boolean {
  if (verdict === 'free') return false;
  const inside = [
    block,
    ...block.flatMap((each) => (each.name === 'if' ? [each.block ?? []] : [])),
  ];
  const rewrites = inside.flat().filter(({ name }) => name === 'rewrite');
  const breaks = inside.flat().some(({ name }) => name === 'break');
  const flagOf = ({ args: [, target = '', flag] }: Directive) =>
    flag ?? (/^(?:https?:\/\/|\$scheme)/.test(target) ? 'redirect' : undefined);
  return rewrites.some((each) => {
    const flag = flagOf(each);
    return flag === 'break' || (flag === undefined && breaks);
  });
}

export const withoutFree = ({ rules, rest }: Counting): Counting => {
  const atLeastPages = (verdict: LocationKind) => (verdict === 'free' ? 'pages' : verdict);
  return {
    rules: rules.map((each) => ({ ...each, verdict: atLeastPages(each.verdict) })),
    rest: atLeastPages(rest),
  };
};

/** Stops guessing at static files once a vhost itself names them in a location. */
function withOwnStatics({ rules, rest }: Counting): Counting {
  let known = false;
  const exact = (verdict: LocationKind) => (known && verdict === 'pages' ? 'counts' : verdict);
  const judged = rules.map((each) => {
    const rule = { ...each, verdict: exact(each.verdict) };
    known ||=
      each.verdict === 'free' && /css/.test(each.pattern) && /png|jpe|gif/.test(each.pattern);
    return rule;
  });
  return { rules: judged, rest: exact(rest) };
}

function trimmed({ rules, rest }: Counting): Counting {
  const last = rules.findLastIndex(({ verdict }) => verdict !== rest);
  return { rules: rules.slice(0, last + 1), rest };
}

/** Directives that use captures before limits are checked. All others use them when the request is handled. */
const early = new Set(['rewrite', 'set', 'if', 'return', 'break', 'location', 'server_name']);

function losesCaptures(server: readonly Directive[], locations: readonly Location[]): boolean {
  const uses = (block: readonly Directive[]) =>
    block.some(
      ({ name, args }) => !early.has(name) && args.some((each) => /\$\{?[1-9]/.test(each)),
    );
  const ifs = (block: readonly Directive[]) =>
    block.flatMap(({ name, block: inner }) =>
      name === 'if' && inner !== undefined ? [inner] : [],
    );
  if (uses(server) || ifs(server).some(uses)) return true;
  return all(locations).some(({ kind, block }) => {
    if (ifs(block).some(uses)) return true;
    const others = block.some(({ name }) => name === 'rewrite' || name === 'if');
    return uses(block) && (kind !== 'regex' || others);
  });
}

/** Merges the counting of vhosts with one name: a request counts if it would at any of them. */
export function mergedCounting(countings: readonly Counting[]): Counting {
  const [first = { rules: [], rest: 'free' }, ...others] = countings;
  const key = JSON.stringify(first);
  if (others.every((each) => JSON.stringify(each) === key)) return first;
  const verdicts = countings.flatMap(({ rules, rest }) => [
    rest,
    ...rules.flatMap(({ verdict }) => (verdict === 'pages' ? [verdict] : [])),
  ]);
  const order: readonly LocationKind[] = ['counts', 'pages', 'free'];
  const rest = order.find((each) => verdicts.includes(each)) ?? 'free';
  const rules = countings.flatMap(({ rules: each }) =>
    each.filter(({ verdict }) => verdict === 'counts'),
  );
  return trimmed({ rules: distinct(rules), rest });
}

const distinct = (rules: readonly CountRule[]) => [
  ...new Map(rules.map((each) => [JSON.stringify(each), each])).values(),
];

/** Whether static files and pages are distinguished only by the endings of names. */
export const guessesStatics = ({ rules, rest }: Counting): boolean =>
  rest === 'pages' || rules.some(({ verdict }) => verdict === 'pages');
