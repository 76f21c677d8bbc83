/**
 * The place in the lines of an access log that has the bytes that were sent.
 *
 *     $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer"
 *     %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"
 *
 * Visitors choose much of a line, but no quote: both servers write one with a backslash, or as `\x22`. So quotes divide a
 * line as they divide its format, and the number is found where everything before it in its part, or after it, is the
 * server's own. A format without such a place is not counted by.
 * Source: ngx_http_log_module.c, mod_log_config.c, ap_escape_logitem() of server/util.c.
 */
import { fail, ok, type Result } from '../../../../packages/base/result.ts';

export interface ByteField {
  /** The number of parts into which quotes divide a line, and the place of the part with the number. */
  readonly parts: number;
  readonly part: number;
  /** A regular expression for that part; its group is the number. */
  readonly pattern: string;
}

export type FieldOrReason = Result<ByteField, string>;

/** A piece of a format: text of the administrator's, or what stands for a value. */
type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly rank: number; readonly pattern: string }
  /** A value of the server's own, which no visitor can choose. */
  | { readonly kind: 'own'; readonly pattern: string }
  | { readonly kind: 'any' };

const number = String.raw`\d{1,15}`;
const word = String.raw`[^\s"]+`;
const none: FieldOrReason = fail('its format has no number of bytes');

/** `arguments` of `log_format` after its name; several are one text. */
export function nginxField(args: readonly string[]): FieldOrReason {
  const escape = /^escape=(\w+)$/.exec(args[0] ?? '')?.[1];
  if (escape === 'none') return fail('its format has escape=none, so visitors could write numbers');
  const text = args.slice(escape === undefined ? 0 : 1).join('');
  const variable = /\$(?:\{(\w+)\}|(\w+))/g;
  return fieldOf(
    piecesOf(text, variable, ([, braced, plain]) => nginxValue(braced ?? plain ?? '')),
  );
}

function nginxValue(name: string): Piece {
  if (name === 'bytes_sent') return { kind: 'bytes', rank: 2, pattern: number };
  if (name === 'body_bytes_sent') return { kind: 'bytes', rank: 1, pattern: number };
  const own = Object.hasOwn(nginxOwn, name) ? nginxOwn[name] : undefined;
  return own === undefined ? { kind: 'any' } : { kind: 'own', pattern: own };
}

const nginxOwn: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['remote_addr', 'remote_port', 'server_addr', 'server_port', 'server_name', 'time_iso8601'].map(
      (name) => [name, word],
    ),
  ),
  ...Object.fromEntries(
    ['status', 'msec', 'request_time', 'pid', 'pipe', 'scheme', 'ssl_protocol'].map((name) => [
      name,
      word,
    ]),
  ),
  ...Object.fromEntries(
    ['connection', 'connection_requests', 'request_length'].map((name) => [name, number]),
  ),
  time_local: String.raw`[\w/:]+ [-+]\d{4}`,
};

/** The text of a `LogFormat`. */
export function apacheField(text: string): FieldOrReason {
  // Such as "\n", by which a request has two lines.
  if (text.includes('\\')) return fail('its format has a backslash');
  const item = /%([!\d,]*)([<>]*)(?:\{([^}]*)\})?(\^?[a-zA-Z]{2}(?<=\^..)|[a-zA-Z]|%)/g;
  return fieldOf(
    piecesOf(text, item, ([, condition, , argument, letter = '']) =>
      condition === '' && argument === undefined ? apacheValue(letter) : { kind: 'any' },
    ),
  );
}

function apacheValue(letter: string): Piece {
  const dashed = `${number}|-`;
  if (letter === 'O') return { kind: 'bytes', rank: 2, pattern: number };
  if (letter === 'B' || letter === 'b') return { kind: 'bytes', rank: 1, pattern: dashed };
  if (letter === '%') return { kind: 'text', text: '%' };
  const own = Object.hasOwn(apacheOwn, letter) ? apacheOwn[letter] : undefined;
  return own === undefined ? { kind: 'any' } : { kind: 'own', pattern: own };
}

const apacheOwn: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['a', 'A', 'v', 'X'].map((letter) => [letter, word])),
  ...Object.fromEntries(['p', 's', 'D', 'T', 'k', 'P', 'I', 'S'].map((each) => [each, '[-\\d]+'])),
  t: String.raw`\[[\w/:]+ [-+]\d{4}\]`,
};

function piecesOf(
  text: string,
  value: RegExp,
  pieceOf: (match: RegExpExecArray) => Piece,
): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(value)) {
    pieces.push({ kind: 'text', text: text.slice(at, match.index) }, pieceOf(match));
    at = match.index + match[0].length;
  }
  return [...pieces, { kind: 'text', text: text.slice(at) }];
}

/** Returns the first number of bytes that can be told from what visitors choose; one with headers comes first. */
function fieldOf(pieces: readonly Piece[]): FieldOrReason {
  const parts = partsOf(pieces);
  const found = parts.flatMap((part, at) =>
    part.flatMap((piece, index) =>
      piece.kind === 'bytes'
        ? [{ at, rank: piece.rank, pattern: patternIn(part, index, piece.pattern) }]
        : [],
    ),
  );
  if (found.length === 0) return none;
  const usable = found.filter(({ pattern }) => pattern !== undefined);
  const [best] = usable.toSorted((a, b) => b.rank - a.rank);
  return best?.pattern === undefined
    ? fail('its format does not keep the number of bytes apart from what visitors choose')
    : ok({ parts: parts.length, part: best.at, pattern: best.pattern });
}

/** Divides a format at its quotes. */
function partsOf(pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  const parts: Piece[][] = [[]];
  for (const piece of pieces) {
    const [first = '', ...more] = piece.kind === 'text' ? piece.text.split('"') : [];
    if (piece.kind !== 'text') parts.at(-1)?.push(piece);
    else {
      parts.at(-1)?.push({ kind: 'text', text: first });
      for (const text of more) parts.push([{ kind: 'text', text }]);
    }
  }
  return parts;
}

/** Anchors the number at the beginning or at the end of its part, whichever side has nothing of visitors'. */
function patternIn(part: readonly Piece[], at: number, bytes: string): string | undefined {
  const before = sideOf(part.slice(0, at));
  const after = sideOf(part.slice(at + 1));
  if (before !== undefined && after !== undefined) return `^${before}(${bytes})${after}$`;
  const isApart = (text: string) => text !== '' && !/\d/.test(text);
  if (before !== undefined)
    return isApart(textOf(part[at + 1]).slice(0, 1)) ? `^${before}(${bytes})(?!\\d)` : undefined;
  if (after === undefined || !isApart(textOf(part[at - 1]).slice(-1))) return undefined;
  return `(?<!\\d)(${bytes})${after}$`;
}

const textOf = (piece: Piece | undefined) => (piece?.kind === 'text' ? piece.text : '');

function sideOf(pieces: readonly Piece[]): string | undefined {
  const patterns = pieces.map((each) => {
    if (each.kind === 'text') return escaped(each.text);
    return each.kind === 'any' ? undefined : `(?:${each.pattern})`;
  });
  return patterns.includes(undefined) ? undefined : patterns.join('');
}

const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);

/** The format that nginx has by itself. */
export const nginxCombined = nginxField([
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"',
]);

/** The format of a log for which none is given. */
export const apacheCommon = apacheField('%h %l %u %t "%r" %>s %b');
