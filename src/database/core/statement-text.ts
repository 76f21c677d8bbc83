/**
 * Statements as they may be shown and compared: without what was looked for, which can be a password or a name.
 *
 *     SELECT * FROM wp_users WHERE login = 'eve' AND id IN (1, 2, 3)
 *     SELECT * FROM wp_users WHERE login = ? AND id IN (?)
 *
 * The text comes from a tenant and may be cut anywhere: a literal that does not end hides all that follows.
 */

const literal =
  /\/\*[^]*?(?:\*\/|$)|(?:--\s|#)[^\n]*|'(?:[^'\\]|\\[^]|'')*(?:'|\\?$)|"(?:[^"\\]|\\[^]|"")*(?:"|\\?$)|`(?:[^`]|``)*(?:`|$)|\b(?:0[xX][0-9a-fA-F]+|0[bB][01]+|\d[\d.]*(?:[eE][+-]?\d+)?)\b|\s+/g;
const list = /\?(?:\s*,\s*\?)+/g;

/** Returns the statement in one line, with `?` in place of literals. Names in backquotes stay. */
export const withoutLiterals = (statement: string): string =>
  statement
    .replace(literal, (text) => {
      if (text.startsWith('`')) return text;
      if (/^(?:\s|\/\*|--|#)/.test(text)) return ' ';
      return '?';
    })
    .replace(list, '?')
    .replaceAll(/ +/g, ' ')
    .trim();
