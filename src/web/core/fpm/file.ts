/**
 * Which pools a file of php-fpm's configuration begins or goes on with, and which files it includes.
 *
 *     [shop]
 *     include = /etc/php/8.4/fpm/pool.d/*.conf
 *
 * A section that was there before is gone on with, wherever it is: a later file changes a pool of another one.
 * Source: fpm_conf.c, fpm_conf_ini_parser_section().
 */
export interface FpmFile {
  readonly sections: readonly { readonly name: string; readonly line: number }[];
  readonly includes: readonly string[];
  /** The line of a directive before the first section: it belongs to whatever section came before this file. */
  readonly loose?: number;
}

const section = /^[ \t]*\[([^\]\n]*)\]/;
const blank = /^[ \t\r]*(?:;.*)?$/;
const include = /^[ \t]*include[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|([^;\r]*))/;

export function parseFpmFile(text: string): FpmFile {
  const sections: { name: string; line: number }[] = [];
  const includes: string[] = [];
  let loose: number | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const name = section.exec(line)?.[1];
    if (name !== undefined) sections.push({ name: name.trim(), line: index + 1 });
    else if (sections.length === 0 && !blank.test(line)) loose ??= index + 1;
    const match = include.exec(line);
    if (match !== null) includes.push((match[1] ?? match[2] ?? match[3] ?? '').trim());
  }
  return { sections, includes, ...(loose === undefined ? {} : { loose }) };
}
