/** CGI and applications of tenants behind nginx, as docs/fastcgi.md describes them, with systemd and cgroup v2. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import type { EntryPathReport } from '../../../src/host/entry-paths/entry-paths.ts';
import type { Guest } from '../../../testing/vm/guest.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

const tenants = { ann: 3001, ben: 3002 };
const policy = (
  driver: string,
) => `<bulkhead version="1"><host driver="${driver}"/><tenants uids="3000-3999"/>
  <defaults><memory limit="64MiB" swap="0MiB"/><processes limit="60"/></defaults></bulkhead>`;

/** Its own cgroup is the first thing that it reads. */
const whereScript = `#!/bin/sh
read -r first </proc/self/cgroup
printf 'Content-Type: text/plain\\n\\n%s %s %s\\n' "$first" "$(id -u)" "$QUERY_STRING"
`;
const waitScript = `#!/bin/sh
echo >>"/run/cgi-test/started"
read -r go </run/cgi-test/gate
printf 'Content-Type: text/plain\\n\\nwaited\\n'
`;
const setgidScript = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
/usr/local/bin/setgid-id -g
`;
const hogScript = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
head -c 150000000 /dev/zero | tail
`;

const nginx = Object.keys(tenants)
  .map(
    (name, index) => `server { listen 127.0.0.1:${8001 + index}; root /srv/${name};
  location /cgi/ { include fastcgi_params; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    fastcgi_pass unix:/run/bulkhead-cgi/${name}.sock; }
  location /app/ { proxy_pass http://unix:/run/${name}-app.sock; } }`,
  )
  .join('\n');

const apache = `<VirtualHost *:8003>
  DocumentRoot /srv/ann
  <Directory /srv/ann>
    Require all granted
  </Directory>
  <LocationMatch "^/cgi/">
    SetHandler "proxy:unix:/run/bulkhead-cgi/ann.sock|fcgi://localhost/"
    ProxyFCGIBackendType GENERIC
  </LocationMatch>
</VirtualHost>
`;

/** Listens on descriptor 3, as a program for systemd does. */
const app = `import os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def address_string(self): return '-'
    def do_GET(self):
        mine = os.environ['LISTEN_PID'] == str(os.getpid())
        self.send_response(200); self.end_headers()
        self.wfile.write(b'%s %d %r' % (first, os.getuid(), mine))
first = open('/proc/self/cgroup', 'rb').read().strip()
class Inherited(HTTPServer):
    address_family = socket.AF_UNIX
    def __init__(self):
        HTTPServer.__init__(self, '', Handler, False)
        self.socket = socket.socket(fileno=3)
Inherited().serve_forever()
`;
const appSocket = `[Socket]
ListenStream=/run/ben-app.sock
SocketGroup=www-data
SocketMode=0660
`;
const appService = `[Service]
ExecStart=/usr/bin/env bulkhead exec --keep-fds --keep-env LISTEN_FDS --keep-env LISTEN_PID ben -- /usr/bin/python3 /srv/ben/app.py
`;

const scripts = { where: whereScript, wait: waitScript, setgid: setgidScript, hog: hogScript };
const files: Readonly<Record<string, string>> = {
  'etc/bulkhead/policy.xml': policy('cgroup2'),
  'etc/nginx/conf.d/tenants.conf': nginx,
  'etc/apache2/ports.conf': 'Listen 127.0.0.1:8003\n',
  'etc/apache2/sites-available/ann.conf': apache,
  'etc/systemd/system/ben-app.socket': appSocket,
  'etc/systemd/system/ben-app.service': appService,
  'srv/ben/app.py': app,
  ...Object.fromEntries(
    Object.keys(tenants).flatMap((name) =>
      Object.entries(scripts).map(([script, text]) => [`srv/${name}/cgi/${script}`, text]),
    ),
  ),
};

async function copyFiles(guest: Guest): Promise<void> {
  using scratch = temporaryDirectory('fastcgi');
  const directory = scratch.path;
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  await guest.copyIn(directory, '/');
}

suite('CGI programs and applications of tenants', { skip: guests.skip, timeout }, () => {
  /** Returns the status and the body of a response. */
  const get = async (port: number, path: string) => {
    const ask = `exec 3<>/dev/tcp/127.0.0.1/${port} && printf "GET ${path} HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3`;
    const text = await host.guest.succeed(`bash -c '${ask}'`);
    const [head = '', ...body] = text.split('\r\n\r\n');
    return { status: /^HTTP\S* (\d+)/.exec(head)?.[1], body: body.join('\r\n\r\n').trim() };
  };
  const until = (what: string) => host.succeed(`until ${what}; do sleep 0.2; done`);
  const where = (name: keyof typeof tenants) =>
    `0::/bulkhead-tenants.service/u${tenants[name]} ${tenants[name]}`;

  const host = guestOfSuite(guests, async (guest) => {
    await copyFiles(guest);
    // User managers take seconds to start, and are not tested here.
    await host.succeed(
      'useradd -m -u 3001 ann && useradd -m -u 3002 ben && mkdir -m 777 /run/cgi-test && mkfifo -m 666 /run/cgi-test/gate && chmod 755 /srv/*/cgi/* && chown -R ann: /srv/ann && chown -R ben: /srv/ben && install -g adm -m 2755 /usr/bin/id /usr/local/bin/setgid-id && bulkhead apply && cp /opt/bulkhead/packaging/bulkhead-cgi@.* /etc/systemd/system/ && ln -s /dev/null /etc/systemd/system/user@.service && systemctl daemon-reload && a2enmod -q proxy_fcgi && a2dissite -q 000-default && a2ensite -q ann && systemctl start nginx apache2 ben-app.socket bulkhead-cgi@ann.socket bulkhead-cgi@ben.socket',
    );
  });

  test("a CGI program starts in its tenant's cgroup", async () => {
    assert.deepEqual(await get(8001, '/cgi/where?a=b'), {
      status: '200',
      body: `${where('ann')} a=b`,
    });
    assert.deepEqual(await get(8002, '/cgi/where'), { status: '200', body: where('ben') });
    assert.deepEqual(await get(8003, '/cgi/where?c'), {
      status: '200',
      body: `${where('ann')} c`,
    });
  });

  test("an application gets its socket, and starts in its tenant's cgroup", async () => {
    const { status, body } = await get(8002, '/app/');
    assert.deepEqual({ status, body }, { status: '200', body: `${where('ben')} True` });
  });

  test('a CGI program can run setgid programs, as sendmail needs', async () => {
    const adm = (await host.guest.succeed('getent group adm')).split(':')[2];
    assert.equal((await get(8001, '/cgi/setgid')).body, adm);
  });

  test('only the web server can make programs run as the tenant', async () => {
    const connect =
      'use IO::Socket::UNIX; print IO::Socket::UNIX->new(Peer => $ARGV[0]) ? "connected" : $!';
    for (const [user, path] of [
      ['ben', '/run/bulkhead-cgi/ann.sock'],
      ['ann', '/run/ben-app.sock'],
      ['nobody', '/run/bulkhead-cgi/ann.sock'],
    ]) {
      const said = await host.guest.succeed(`perl -e '${connect}' ${path}`, {
        user: String(user),
      });
      assert.equal(said, 'Permission denied');
    }
    const replace = await host.guest.run('rm -f /run/bulkhead-cgi/ann.sock', { user: 'ann' });
    assert.notEqual(replace.status, 0);
  });

  test('a program that exhausts memory ends, and the neighbour is served', async () => {
    const kills = '/sys/fs/cgroup/bulkhead-tenants.service/u3001/memory.events';
    await get(8001, '/cgi/hog');
    assert.doesNotMatch(await host.guest.succeed(`cat ${kills}`), /oom_kill 0$/m);
    assert.equal((await get(8002, '/cgi/where')).body, where('ben'));
    assert.equal((await get(8001, '/cgi/where')).body, where('ann'));
  });

  test('fcgiwrap runs one program a process, and a stop or kill leaves none', async () => {
    const ask = `bash -c 'exec 3<>/dev/tcp/127.0.0.1/8001; printf "GET /cgi/wait HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3 >/dev/null' & `;
    await host.guest.succeed(`exec >/dev/null 2>&1; ${ask.repeat(8)}`);
    await until('[ "$(wc -l </run/cgi-test/started)" -ge 5 ]');
    // The other three wait for a process, and no program has been started for them.
    assert.equal((await host.guest.succeed('pgrep -c -u ann -f cgi/wait')).trim(), '5');
    await host.guest.succeed('systemctl stop bulkhead-cgi@ann.service bulkhead-cgi@ann.socket');
    assert.equal(await host.guest.succeed('pgrep -u ann fcgiwrap || true'), '');
    await host.guest.succeed('pkill -u ann; systemctl start bulkhead-cgi@ann.socket');
    assert.equal((await get(8001, '/cgi/where')).body, where('ann'));
    await host.guest.succeed('kill -9 $(systemctl show -P MainPID bulkhead-cgi@ann)');
    await until('! pgrep -u ann fcgiwrap');
    assert.equal((await get(8001, '/cgi/where')).body, where('ann'));
  });

  test('doctor reports entry paths, and status where a process came from', async () => {
    await get(8001, '/cgi/where');
    await get(8002, '/app/');
    const doctor = await host.guest.succeed('bulkhead doctor --json');
    const { entryPaths } = JSON.parse(doctor) as { entryPaths: readonly EntryPathReport[] };
    const enforced = Object.fromEntries(
      entryPaths.map((each) => [each.entryPath, each.enforced ?? each.reason]),
    );
    assert.deepEqual(enforced, {
      ssh: 'not covered',
      su: 'not covered',
      cron: 'not covered',
      at: 'not covered',
      'PHP-FPM': 'no site of a tenant uses it',
      CGI: 'at source',
      'mail delivery': 'not installed',
      FTP: 'not installed',
    });
    await host.guest.succeed('systemctl start atd');
    await host.guest.succeed('echo sleep 601 | at now', { user: 'ann' });
    await host.guest.succeed('su ben -c "setsid sleep 602 >/dev/null 2>&1 </dev/null &"');
    await until('pgrep -fx "sleep 601" && pgrep -fx "sleep 602"');
    const status = await host.guest.succeed('bulkhead status');
    assert.match(status, /^Entry paths: not covered: ssh, su, cron, at;/m);
    for (const [words, entryPath] of [
      ['sleep 601', 'at'],
      ['sleep 602', 'su'],
    ]) {
      const pid = (await host.guest.succeed(`pgrep -fx "${words}"`)).trim();
      assert.match(status, new RegExp(`process ${pid} of uid \\d+, from ${entryPath}:`));
    }
  });

  test('CGI programs and applications start in slices with the systemd driver', async () => {
    await host.guest.succeed('systemctl stop bulkhead-cgi@ann.service ben-app.service');
    await host.guest.succeed('cat > /etc/bulkhead/policy.xml && bulkhead apply', {
      input: policy('systemd'),
      timeoutMs: longPatienceMilliseconds,
    });
    const inSlice = (uid: number) =>
      `0::/user.slice/user-${uid}.slice/bulkhead-${uid}.scope ${uid}`;
    assert.equal((await get(8001, '/cgi/where')).body, inSlice(3001));
    assert.equal((await get(8002, '/app/')).body, `${inSlice(3002)} True`);
    await host.guest.succeed('kill -9 $(systemctl show -P MainPID bulkhead-cgi@ann)');
    await until('! pgrep -u ann fcgiwrap');
    assert.equal((await get(8001, '/cgi/where')).body, inSlice(3001));
    await host.guest.succeed('systemctl stop ben-app.service');
    await until('! pgrep -u ben -f app.py');
    assert.equal((await get(8002, '/app/')).body, `${inSlice(3002)} True`);
  });
});
