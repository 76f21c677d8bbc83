/**
 * An nginx `location`: how it is chosen, and whether a request that lands there runs a program.
 * Source: ngx_http_core_module.c, ngx_http_core_location() and ngx_http_core_find_location().
 */
import type { Directive } from '../directive.ts';
import { isPass } from './passes.ts';

/** `counts`: it runs something. `pages`: it does so if there is no such file. */
export type LocationKind = 'counts' | 'pages' | 'free';

export interface Location {
  readonly kind: 'exact' | 'prefix' | 'regex' | 'named';
  readonly text: string;
  /** Whether a regular expression ignores case. */
  readonly caseless: boolean;
  /** Whether no regular expression is tried after it. */
  readonly firm: boolean;
  readonly block: readonly Directive[];
  /** The verdict on the location itself, without locations inside it. */
  readonly verdict: LocationKind;
  readonly nested: readonly Location[];
}

type Chosen = Pick<Location, 'kind' | 'text' | 'caseless' | 'firm'>;

const modifiers: readonly (readonly [string, Omit<Chosen, 'text'>])[] = [
  ['=', { kind: 'exact', caseless: false, firm: true }],
  ['^~', { kind: 'prefix', caseless: false, firm: true }],
  ['~*', { kind: 'regex', caseless: true, firm: false }],
  ['~', { kind: 'regex', caseless: false, firm: false }],
  ['@', { kind: 'named', caseless: false, firm: true }],
];

/** Returns how a location is chosen. The modifier may be a word of its own, or the beginning of the only one. */
function chosenBy({ args }: Directive): Chosen {
  const word = args.join('');
  const found = modifiers.find(([each]) => word.startsWith(each));
  if (found === undefined) return { kind: 'prefix', text: word, caseless: false, firm: false };
  const [modifier, how] = found;
  return { ...how, text: how.kind === 'named' ? word : word.slice(modifier.length) };
}

/** Names of the locations that run something, directly or through one another. */
type Programs = ReadonlySet<string>;

/** Returns the locations of a server. `inherited` is the error pages of the http level. */
export function locationsOf(
  server: readonly Directive[],
  inherited: readonly Directive[],
): { readonly locations: readonly Location[]; readonly rest: LocationKind } {
  const errors = errorPages(server, inherited);
  const programs = namedPrograms(server, errors);
  return {
    locations: readLocations(server, errors, programs),
    rest: leadsTo(server, errors, programs) ? 'pages' : 'free',
  };
}

/** Returns the error pages in force: a level that has one inherits none. */
export function errorPages(
  block: readonly Directive[],
  inherited: readonly Directive[] = [],
): readonly Directive[] {
  const own = block.filter(({ name }) => name === 'error_page');
  return own.length === 0 ? inherited : own;
}

function readLocations(
  block: readonly Directive[],
  inherited: readonly Directive[],
  programs: Programs,
): readonly Location[] {
  return block.flatMap((each): readonly Location[] => {
    if (each.name !== 'location' || each.block === undefined) return [];
    const chosen = chosenBy(each);
    const errors = errorPages(each.block, inherited);
    return [
      {
        ...chosen,
        block: each.block,
        verdict: verdictOf(each.block, chosen, errors, programs),
        nested: readLocations(each.block, errors, programs),
      },
    ];
  });
}

const inside = (block: readonly Directive[], wanted: string): readonly (readonly Directive[])[] =>
  block.flatMap(({ name, block: inner }) =>
    name === wanted && inner !== undefined ? [inner] : [],
  );

const passes = (block: readonly Directive[]) => block.some(({ name }) => isPass(name));

function verdictOf(
  block: readonly Directive[],
  { kind }: Chosen,
  errors: readonly Directive[],
  programs: Programs,
): LocationKind {
  if (passes(block) || inside(block, 'limit_except').some(passes)) return 'counts';
  // `if (!-f $request_filename) { proxy_pass … }`
  if (inside(block, 'if').some(passes)) return kind === 'prefix' ? 'pages' : 'counts';
  const leads = [block, ...inside(block, 'if')].some((each) => leadsTo(each, errors, programs));
  return leads ? 'pages' : 'free';
}

/** Whether `try_files` or `error_page` leads to a named location that runs something. A URI is looked up again. */
function leadsTo(
  block: readonly Directive[],
  errors: readonly Directive[],
  programs: Programs,
): boolean {
  const targets = [
    ...block.filter(({ name }) => name === 'try_files'),
    ...errorPages(block, errors),
  ];
  return targets.some(({ args }) => {
    const last = args.at(-1) ?? '';
    // `error_page 404 = $page;` can be a name, too.
    return programs.has(last) || (last.startsWith('$') && programs.size > 0);
  });
}

function namedPrograms(block: readonly Directive[], inherited: readonly Directive[]): Programs {
  const named = block.filter(({ name, args }) => name === 'location' && args[0]?.startsWith('@'));
  const programs = new Set<string>();
  for (let before = -1; before < programs.size;) {
    before = programs.size;
    for (const { args, block: inner = [] } of named) {
      const chosen = { kind: 'named' } as Chosen;
      if (verdictOf(inner, chosen, errorPages(inner, inherited), programs) !== 'free')
        programs.add(args[0] ?? '');
    }
  }
  return programs;
}
