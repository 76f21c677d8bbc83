/** `bulkhead web sync` notes the access logs of the host's nginx: in a namespace that has a configuration of its own. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  appendFileSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const uid = 64_434;
const entry = fileURLToPath(new URL('../../../bulkhead', import.meta.url));
const hasAll = ['/usr/sbin/nginx', '/etc/nginx'].every((path) => existsSync(path));
const skip = process.geteuid?.() === 0 && hasAll ? false : 'it needs root and nginx';

const script = `
mount --bind "$0/nginx" /etc/nginx
for file in passwd group; do mount --bind "$0/$file" /etc/$file; done
mount -t tmpfs -o mode=755 tmpfs /var/log
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir /var/log/nginx /var/lib/nginx
"$1" --instance bulkhead-web-logs web sync --policy "$0/policy.xml" >&2
cat /var/lib/bulkhead-web-logs/web-logs.json
`;

test('web sync notes the access logs of each tenant, and what is in none', { skip }, () => {
  using scratch = temporaryDirectory('access-logs', '/run', 0o755);
  const at = (name: string) => `${scratch.path}/${name}`;
  for (const name of ['passwd', 'group']) copyFileSync(`/etc/${name}`, at(name));
  appendFileSync(at('passwd'), `weblogs:x:${uid}:${uid}::${at('home')}:/bin/sh\n`);
  appendFileSync(at('group'), `weblogs:x:${uid}:\n`);
  for (const name of ['home', 'nginx']) mkdirSync(at(name));
  chownSync(at('home'), uid, uid);
  writeFileSync(at('policy.xml'), '<bulkhead version="1"><tenant user="weblogs"/></bulkhead>');
  const server = (name: string, more: string) =>
    `server { listen 127.0.0.1:80; server_name ${name}; root ${at('home')}; ${more} }`;
  const sites = [
    server('a.example', 'access_log /var/log/nginx/a.log; location /i { access_log off; }'),
    server('b.example', 'access_log /var/log/nginx/b.log combined buffer=32k;'),
    'server { listen 127.0.0.1:80; server_name none.example; access_log /var/log/nginx/b.log; }',
  ];
  writeFileSync(at('nginx/nginx.conf'), `events {}\nhttp {\n${sites.join('\n')}\n}\n`);
  const words = ['-m', '--propagation', 'private', 'sh', '-ec', script, scratch.path, entry];
  const options = { encoding: 'utf8', timeout: patienceMilliseconds } as const;
  const { status, stdout, stderr } = spawnSync('unshare', words, options);
  assert.equal(status, 0, stderr);
  const { tenants } = JSON.parse(stdout) as {
    readonly tenants: Record<string, { readonly logs: { path: string }[]; gaps: string[] }>;
  };
  assert.deepEqual(Object.keys(tenants), [String(uid)]);
  const { logs = [], gaps = [] } = tenants[uid] ?? {};
  assert.deepEqual(
    logs.map(({ path }) => path),
    ['/var/log/nginx/a.log'],
  );
  assert.deepEqual(gaps, [
    'a.example does not log everything that it sends',
    '/var/log/nginx/b.log of b.example is not counted by: sites of others are in it, too',
  ]);
});
