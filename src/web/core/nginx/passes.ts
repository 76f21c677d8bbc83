/** The nginx directives that pass a request to a program. */

export const passes: Readonly<Record<string, 'fastcgi' | 'proxy'>> = {
  fastcgi_pass: 'fastcgi',
  scgi_pass: 'proxy',
  uwsgi_pass: 'proxy',
  proxy_pass: 'proxy',
  grpc_pass: 'proxy',
};

export const isPass = (directive: string): boolean => Object.hasOwn(passes, directive);
