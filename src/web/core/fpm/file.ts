/**
 * The pools that a php-fpm configuration file begins or continues, and the files that it includes.
 *
 *     [shop]
 *     include = /etc/php/8.4/fpm/pool.d/*.conf
 *
 * A section with a known name continues that one, wherever it is: a later file can change a pool of another
 * file.
 * Source: fpm_conf.c, fpm_conf_ini_parser_section().
 */
export interface FpmFile {
  readonly sections: readonly { readonly name: string; readonly line: number }[];
  readonly includes: readonly string[];
  /** The line of a directive before the first section: it belongs to the last section of the file before. */
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
