/**
 * Reading the vhosts of nginx out of what `nginx -T` prints, in a process of its own: its time, and its peak of memory. The
 * floor takes the same files apart once and keeps nothing.
 */
import { execFileSync } from 'node:child_process';
import { splitNginxDump } from '../src/web/core/nginx/dump.ts';
import { parseNginxFile } from '../src/web/core/nginx/file.ts';
import { nginxSites } from '../src/web/core/nginx/sites.ts';
import type { Bench } from './bench.ts';
import { compare, milliseconds, type Section } from './samples.ts';

const vhosts = 10_000;

export function benchDiscovery({ quick, signal }: Bench): Promise<Section> {
  const rounds = Array.from({ length: quick ? 1 : 5 }, () => {
    signal.throwIfAborted();
    return readInProcess();
  });
  const of = (key: keyof ReturnType<typeof readVhosts>) => rounds.map((each) => each[key]);
  return Promise.resolve({
    name: 'discovery',
    title: `Read ${vhosts} vhosts of nginx`,
    beside: 'words only',
    rows: [{ ...compare('sites', of('ours'), of('floor')), peakMiB: Math.max(...of('peakMiB')) }],
    notes: [`${Math.max(...of('startMiB')).toFixed(0)} MiB of the peak are there before it reads`],
  });
}

function readInProcess(): ReturnType<typeof readVhosts> {
  const program = `
    const { readVhosts } = await import(${JSON.stringify(import.meta.url)});
    process.stdout.write(JSON.stringify(readVhosts()));`;
  // As "bulkhead web" starts Node.js.
  const room = ['--min-semi-space-size=8', '--max-semi-space-size=8'];
  const args = [...room, '--input-type=module', '-e', program];
  const text = execFileSync(process.execPath, args, { encoding: 'utf8' });
  return JSON.parse(text) as ReturnType<typeof readVhosts>;
}

const peakMiB = () => process.resourceUsage().maxRSS / 1_024;

/** Reads in that process. The floor comes last, since it would raise the peak. */
export function readVhosts() {
  const startMiB = peakMiB();
  const bytes = dump();
  let sites = 0;
  const ours = milliseconds(() => {
    sites = nginxSites(splitNginxDump(bytes, () => undefined).files).sites.length;
  });
  if (sites !== vhosts) throw new Error(`Only ${sites} of ${vhosts} vhosts were read`);
  const peak = peakMiB();
  const floor = milliseconds(() => {
    for (const { path, text } of splitNginxDump(bytes, () => undefined).files)
      parseNginxFile(path, text);
  });
  return { ours, floor, startMiB, peakMiB: peak };
}

/** Returns the output of nginx for vhosts as panels write them. */
function dump(): Uint8Array {
  const file = (path: string, text: string) => `# configuration file ${path}:\n${text}\n`;
  const main = file('/etc/nginx/nginx.conf', 'events { }\nhttp {\n  include sites/*.conf;\n}\n');
  const all = Array.from({ length: vhosts }, (_, index) => vhostText(index));
  const files = all.map((text, index) => file(`/etc/nginx/sites/${index}.conf`, text));
  return Buffer.from(main + files.join(''));
}

const vhostText = (index: number) => `server {
  listen 80;
  listen 443 ssl;
  server_name site${index}.example www.site${index}.example;
  root /home/customer${index}/public_html;
  index index.php index.html;
  access_log /var/log/nginx/site${index}.log;
  ssl_certificate /etc/ssl/site${index}.pem;
  ssl_certificate_key /etc/ssl/site${index}.key;
  client_max_body_size 64m;
  location / { try_files $uri $uri/ /index.php?$args; }
  location ~ /\\.(?!well-known) { deny all; }
  location ~* \\.(?:css|js|png|jpg|svg|woff2)$ { expires 30d; log_not_found off; }
  location ~ \\.php$ {
    include fastcgi_params;
    fastcgi_index index.php;
    fastcgi_read_timeout 60s;
    fastcgi_pass unix:/run/php/customer${index}.sock;
  }
}
`;
