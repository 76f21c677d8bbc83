/**
 * Parses, from a web server's output, why it does not accept its configuration, and where.
 *
 *     2026/11/26 01:15:20 [emerg] 114#114: unknown directive "foo" in /etc/nginx/nginx.conf:3
 *     AH00526: Syntax error on line 1 of /etc/apache2/sites-enabled/y.conf:
 *     Invalid command 'Foo', perhaps misspelled or …
 *     [26-Nov-2026 01:15:20] ERROR: [/etc/php/8.4/fpm/pool.d/b.conf:11] unknown entry 'foo'
 *     [26-Nov-2026 01:15:20] ALERT: [pool b] pm.max_spare_servers(8) must not be greater than pm.max_children(5)
 */
import type { ReadProblem } from './directive.ts';

const charactersMax = 500;
/** Long lines, which are cut: the patterns take more than linear time. */
const longLine = /(?<=^.{2000}).+/gm;

type ErrorReader = (text: string) => ReadProblem | undefined;

const readers: readonly ErrorReader[] = [
  (text) => found(/\[emerg\](?: \d+#\d+:)? (?<message>.*) in (?<file>\/.*):(?<line>\d+)$/m, text),
  (text) => found(/Syntax error on line (?<line>\d+) of (?<file>\/.*):\n(?<message>.*)$/m, text),
  (text) =>
    found(
      /(?:(?:ERROR|ALERT):|\[(?:ERROR|ALERT)\]) \[(?<file>\/.*):(?<line>\d+)\] (?<message>.*)$/m,
      text,
    ),
  (text) =>
    found(
      /(?:\[emerg\](?: \d+#\d+:)?|(?:ERROR|ALERT):|\[(?:ERROR|ALERT)\]|AH\d{5}:) (?<message>.*)$/m,
      text,
    ),
];

export function parseServerError(text: string): ReadProblem {
  const short = text.replaceAll(longLine, '');
  for (const read of readers) {
    const problem = read(short);
    if (problem !== undefined) return problem;
  }
  const last = text.trimEnd().split('\n').at(-1) ?? '';
  return { message: last === '' ? 'it printed nothing' : last.slice(0, charactersMax) };
}

function found(pattern: RegExp, text: string): ReadProblem | undefined {
  const { message, file, line } = pattern.exec(text)?.groups ?? {};
  if (message === undefined) return undefined;
  const short = message.slice(0, charactersMax);
  if (file === undefined || line === undefined) return { message: short };
  return { message: short, file, line: Number(line) };
}
