/**
 * Quotes a word for nginx's configuration, whatever it contains. Quoted words have no variables here: nginx expands
 * those in values of directives, not in keys of a map.
 * Source: ngx_conf_file.c, ngx_conf_read_token().
 */
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

export const nginxQuoted = (text: string): string =>
  `"${text.replaceAll(/[\\"\n\r\t]/g, (each) => escapes[each] ?? each)}"`;
