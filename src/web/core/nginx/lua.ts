/**
 * Finds the end of a Lua block: the brace that closes it, ignoring braces in strings and comments.
 *
 *     content_by_lua_block { ngx.say("}") -- }
 *         local t = { [[ } ]] } }
 *
 * Source: Lua 5.1 reference manual, 2.1.
 */

/**
 * Returns the offset after the closing brace, if there is one. `from` is the offset after the opening brace.
 */
export function endOfLua(text: string, from: number): number | undefined {
  let depth = 1;
  for (let at = from; at < text.length;) {
    const char = text[at];
    if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return at + 1;
    at = behindToken(text, at);
  }
  return undefined;
}

function behindToken(text: string, at: number): number {
  const char = text[at];
  if (char === '"' || char === "'") return behindQuoted(text, at, char);
  if (char === '[') return behindLong(text, at) ?? at + 1;
  if (text.startsWith('--', at)) {
    return behindLong(text, at + 2) ?? orEnd(text, text.indexOf('\n', at), 1);
  }
  return at + 1;
}

function behindQuoted(text: string, begin: number, quote: string): number {
  for (let at = begin + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at + 1;
  }
  return text.length;
}

const longBracket = /\[(=*)\[/y;

/** `[[ … ]]`, `[==[ … ]==]`. */
function behindLong(text: string, at: number): number | undefined {
  longBracket.lastIndex = at;
  const open = longBracket.exec(text);
  if (open === null) return undefined;
  const close = `]${open[1]}]`;
  return orEnd(text, text.indexOf(close, longBracket.lastIndex), close.length);
}

const orEnd = (text: string, found: number, length: number) =>
  found === -1 ? text.length : found + length;
