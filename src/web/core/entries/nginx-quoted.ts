/**
 * A word of nginx's configuration in quotes, whatever is in it. What is quoted here has no variables: nginx looks for
 * those in the values of directives, not in the keys of a map.
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
