/**
 * Our lines in the administrator's files: the include of a vhost, and a comment above that names its
 * author.
 *
 *     server {
 *         # By "bulkhead web entries enable --edit-vhosts"; "disable" removes it:
 *         include /etc/nginx/bulkhead/site.conf;
 *
 * Nothing else of a file changes, and without these lines it is byte for byte as before.
 */
export interface VhostLine {
  /** The line where the vhost begins, from 1. */
  readonly line: number;
  readonly directive: string;
}

const about = '# By "bulkhead web entries enable --edit-vhosts"; "disable" removes it:';
const ours = new RegExp(
  String.raw`^[ \t]*${RegExp.escape(about)}\r?\n[ \t]*(?:include|IncludeOptional) \S+\r?\n`,
  'gm',
);

export const withoutLines = (text: string): string => text.replaceAll(ours, '');

/**
 * Adds lines, except to a vhost that does not begin with a line of its own, `server {` or
 * `<VirtualHost …>`.
 */
export function withLines(text: string, lines: readonly VhostLine[]): string {
  const rows = text.split('\n');
  // Begins with the last one, so that the numbers of the others stay true.
  for (const { line, directive } of lines.toSorted((a, b) => b.line - a.line)) {
    const opening = openingRow(rows, line - 1);
    if (opening === undefined) continue;
    const row = rows[opening] ?? '';
    const next = rows[opening + 1] ?? '';
    const end = row.endsWith('\r') ? '\r' : '';
    const isOurs = next.trim() === about;
    const indent = next.trim() === '' ? `${indentOf(row)}    ` : indentOf(next);
    const inserted = [`${indent}${about}${end}`, `${indent}${directive}${end}`];
    rows.splice(opening + 1, isOurs ? 2 : 0, ...inserted);
  }
  return rows.join('\n');
}

const indentOf = (row: string) => /^[ \t]*/.exec(row)?.[0] ?? '';

/** Returns the row that opens the vhost. nginx's brace may be the only text of the row below. */
function openingRow(rows: readonly string[], at: number): number | undefined {
  const row = withoutComment(rows[at] ?? '');
  if (/^<VirtualHost\b[^>]*>$/i.test(row) || /^server\s*\{$/.test(row)) return at;
  if (row !== 'server') return undefined;
  return withoutComment(rows[at + 1] ?? '') === '{' ? at + 1 : undefined;
}

const withoutComment = (row: string) => row.replace(/#.*$/, '').trim();
