/**
 * Entries under attack on a host whose tenants are systemd slices with PHP-FPM services in them: HTTP/1.1, HTTP/2 and
 * HTTP/3 at nginx, and Apache with mod_qos. Scripts wait at a gate, so that the number that runs at once is known for
 * certain.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { IncidentsResponse } from '../../../../src/agent/api/api.ts';
import { installFromPool } from '../../../../testing/package-pool.ts';
import { longPatienceMilliseconds } from '../../../../testing/patience.ts';
import { withPatientFpm } from '../../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

/** ann has a vhost at each server, and a site; kim is a reseller's, who has a limit for all. */
const policy = `<bulkhead version="1"><host driver="systemd"/><agent interval="2s"/>
  <tenant user="ann"><entries limit="3"/><site name="shop.example"><entries limit="2"/></site></tenant>
  <tenant user="ben"><entries limit="3"/></tenant>
  <reseller user="acme"><entries limit="2"/><tenant user="kim"><entries limit="3"/></tenant></reseller>
</bulkhead>
`;

/** One HTTP/2 connection, or as many as streams; each answer is a line. */
const client = `import { connect } from 'node:http2';
const [how, port, name, count, ...paths] = process.argv.slice(2);
const base = (port === '8443' ? 'https://' : 'http://') + '127.0.0.1:' + port;
const open = () => connect(base, { rejectUnauthorized: false, servername: name }).on('error', () => {});
const one = open();
const sessions = [one];
const say = (text) => process.stdout.write(text + '\\n');
const streams = Array.from({ length: Number(count) }, (_, index) => {
  const session = how === 'apart' ? open() : one;
  if (session !== one) sessions.push(session);
  const headers = { ':path': paths[index % paths.length] ?? '/index.php?' + index };
  // What names the vhost differs from one to the next.
  const names = [name, name.toUpperCase(), name + ':' + port, name + '.'];
  if (how === 'names') headers[':authority'] = names[index % names.length];
  else headers[':authority'] = name;
  const stream = session.request(headers).on('error', () => {});
  stream.on('response', (answer) => say(String(answer[':status']))).resume();
  return stream;
});
await Promise.all(streams.map((each) => new Promise((resolve) => each.on('close', resolve))));
for (const each of sessions) each.close();
`;

/** Opens HTTP/2 streams, 40 at a time, and resets each a few milliseconds later, without waiting for an answer. */
const resetter = `import { connect, constants } from 'node:http2';
const [how, name, count] = process.argv.slice(2);
const open = () => connect('https://127.0.0.1:8443', { rejectUnauthorized: false, servername: name }).on('error', () => {});
let session = open();
for (let round = 0; round < Number(count) / 40; round++) {
  if (how === 'apart' || session.destroyed || session.closed) { session.close(); session = open(); }
  await Promise.all(Array.from({ length: 40 }, (_, index) => new Promise((resolve) => {
    const stream = session.request({ ':path': '/index.php?' + index, ':authority': name }).on('error', () => {});
    const leave = () => { stream.close(constants.NGHTTP2_CANCEL); resolve(); };
    stream.on('close', resolve).on('ready', () => setTimeout(leave, index % 8));
    stream.resume();
  })));
}
// nginx keeps a connection open while a script of its runs.
process.exit();
`;

/** Streams of one HTTP/3 connection; each answer is a line. With a time, it leaves those that have none by then. */
const client3 = `import asyncio, ssl, sys
from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated

name, count = sys.argv[1], int(sys.argv[2])
leave_after = float(sys.argv[3]) if len(sys.argv) > 3 else None

class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http, self.answers = H3Connection(self._quic), {}
    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            for each in self.answers.values(): each.cancel()
        for each in self.http.handle_event(event):
            if isinstance(each, HeadersReceived) and not self.answers[each.stream_id].done():
                self.answers[each.stream_id].set_result(dict(each.headers)[b":status"].decode())
    async def ask(self, path):
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = asyncio.get_running_loop().create_future()
        fields = ((":method", "GET"), (":scheme", "https"), (":authority", name), (":path", path))
        self.http.send_headers(stream, [(key.encode(), value.encode()) for key, value in fields], True)
        self.transmit()
        print(await self.answers[stream], flush=True)

async def main():
    how = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=name, verify_mode=ssl.CERT_NONE, idle_timeout=7200)
    async with connect("127.0.0.1", 8443, configuration=how, create_protocol=Client) as client:
        tasks = [asyncio.create_task(client.ask(f"/index.php?{index}")) for index in range(count)]
        await asyncio.wait(tasks, timeout=leave_after)
        for each in tasks: each.cancel()

asyncio.run(main())
`;

const setUp = `set -e
mkdir -m 777 /srv/gate; uid=3001
for user in ann ben acme kim; do
  useradd -m -u $uid -s /bin/sh $user; chmod 755 /home/$user; uid=$((uid + 1)); mkdir /home/$user/www
  cat > /home/$user/www/index.php <<'PHP'
<?php if (isset($_GET["now"])) exit("now");
$me = "/srv/gate/" . uniqid(posix_geteuid() . "-", true); touch($me); ignore_user_abort(true);
while (file_exists("/srv/gate/shut")) { usleep(50000); clearstatcache(); }
unlink($me); echo trim(file_get_contents("/proc/self/cgroup"));
PHP
done
pool() {
  cat > /etc/php/8.4/fpm/pool.d/$1.conf <<POOL
[$1]
user = $2
group = $2
listen = /run/php/$1.sock
listen.group = www-data
pm = static
pm.max_children = 20
security.limit_extensions =
POOL
}
vhost() {
  cat > /etc/nginx/sites-enabled/$1 <<SITE
server {
  listen 127.0.0.1:8080;
  listen 127.0.0.1:8443 ssl;
  listen 127.0.0.1:8443 quic $4;
  http2 on;
  ssl_certificate /srv/cert.pem; ssl_certificate_key /srv/key.pem;
  server_name $1;
  root /home/$2/www;
  location / { try_files \\$uri /index.php; }
  location ~ ^(.+\\.php)(.*)$ {
    include fastcgi_params; fastcgi_param SCRIPT_FILENAME /home/$2/www/index.php;
    fastcgi_pass unix:/run/php/$3.sock; fastcgi_read_timeout 1h;
  }
}
SITE
}
openssl req -x509 -subj /CN=ann.example -newkey rsa:2048 -nodes -keyout /srv/key.pem -out /srv/cert.pem 2>/dev/null
pool ann ann; pool shop ann; pool ben ben; pool kim kim
# A worker has the whole of a QUIC connection only so.
vhost ann.example ann ann reuseport; vhost shop.example ann shop; vhost kim.example kim kim
cat > /etc/apache2/sites-enabled/ben.conf <<'SITE'
Timeout 36000
ProxyTimeout 36000
<VirtualHost 127.0.0.1:8081>
  ServerName ben.example
  DocumentRoot /home/ben/www
  Protocols h2c http/1.1
  <Directory /home/ben/www>
    Require all granted
    AllowOverride All
  </Directory>
  <FilesMatch "\\.(php|css)$">
    SetHandler "proxy:unix:/run/php/ben.sock|fcgi://localhost"
  </FilesMatch>
</VirtualHost>
SITE
cp /home/ben/www/index.php /home/ben/www/x.css
rm -f /etc/apache2/sites-enabled/000-default.conf /etc/nginx/sites-enabled/default
printf 'Listen 127.0.0.1:8081\\nH2MinWorkers 20\\nH2MaxWorkers 40\\n' > /etc/apache2/ports.conf
a2enmod -q proxy_fcgi setenvif qos http2
for unit in bulkhead bulkhead-entries; do
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > /etc/systemd/system/$unit.service.d/patient.conf
done
systemctl daemon-reload; systemctl start php8.4-fpm nginx apache2
bulkhead apply; bulkhead units enable; bulkhead web fpm enable --all; bulkhead web entries enable --strict --edit-vhosts
`;

/** Runs a client while the gate is shut, until each of so many requests runs or has its answer; then lets them go. */
const script = `#!/bin/bash
# COUNT COMMAND...: how many ran at once, and the answers, a line each kind.
count=$1; shift; cd /tmp; rm -f /tmp/answers; : > /tmp/answers
until [ -z "$(ls /srv/gate)" ]; do sleep 0.1; done
touch /srv/gate/shut; bash -c "$*" >> /tmp/answers 2>> /tmp/answers.err & pid=$!
running() { ls /srv/gate | grep -vc shut; }
for i in $(seq 6000); do [ $(($(grep -c . /tmp/answers) + $(running))) -ge $count ] && break; sleep 0.1; done
echo "ran $(running)"; rm /srv/gate/shut; wait $pid; sort /tmp/answers | uniq -c | sed 's/^ *//'
`;

/** Lets nobody through the gate until a client that leaves its requests has ended; meanwhile others are asked. */
const leaveScript = `#!/bin/bash
# COMMAND...: how many of its requests arrived, how many ran in all, and what others were answered.
cd /tmp; log=/var/log/nginx/access.log
until [ -z "$(ls /srv/gate)" ]; do sleep 0.1; done
: > $log; touch /srv/gate/shut; bash -c "$*" > /tmp/left 2>&1 & pid=$!
ask() { curl -s -o /dev/null -w "%{http_code}\\n" -H "Host: $1" "http://127.0.0.1:$2/index.php?now"; }
others=$(while :; do ask kim.example 8080; ask ben.example 8081; kill -0 $pid 2>/dev/null || break; done | sort -u)
wait $pid; echo "arrived $(wc -l < $log)"; echo "ran $(ls /srv/gate | grep -vc shut)"; echo "others $others"; rm /srv/gate/shut
`;

const h1 = (name: string, count: number, port = 8080, path = '/index.php') =>
  `for i in $(seq ${count}); do curl -s -o /dev/null -w "%{http_code}\\n" --path-as-is -H "Host: ${name}" "http://127.0.0.1:${port}${path}" & done; wait`;
const h2 = (how: string, name: string, count: number, port = 8443, ...paths: readonly string[]) =>
  `node /srv/client.mjs ${how} ${port} ${name} ${count} ${paths.join(' ')}`;
/** Streams of one HTTP/3 connection. */
const h3 = (name: string, count: number, leaveAfterSeconds?: number) =>
  `python3 /srv/client.py ${name} ${count} ${leaveAfterSeconds ?? ''}`;

suite('web entries of slices under attack', { skip: guests.skip }, () => {
  const attack = async (count: number, command: string) => {
    return succeed(`attack ${count} '${command}'`);
  };
  const lines = (limit: number, count: number) =>
    `ran ${limit}\n${limit} 200\n${count - limit} 508\n`;

  const host = guestOfSuite(guests, async (guest) => {
    await withPatientFpm(guest);
    const installed = await installFromPool(guest, ['curl', 'openssl', 'python3-aioquic']);
    assert.ok(installed.ok, installed.ok ? '' : installed.error.reason);
    await write('/srv/client.mjs', client);
    await write('/srv/resetter.mjs', resetter);
    await write('/srv/client.py', client3);
    await write('/usr/local/bin/attack', script);
    await write('/usr/local/bin/leave', leaveScript);
    await write('/etc/bulkhead/policy.xml', policy);
    await succeed('chmod 755 /usr/local/bin/attack /usr/local/bin/leave');
    await succeed(setUp);
  });
  const { run, succeed, until, write } = host;

  test("sites with enforced entries are served in their tenants' slices", { timeout }, async () => {
    const status = await succeed('bulkhead web entries status');
    for (const name of ['ann', 'shop', 'kim'])
      assert.match(status, new RegExp(`${name}\\.example .*nginx .*enforced +yes`));
    assert.match(status, /ben\.example .*apache .*enforced +yes/);
    const where = (name: string, port: number) =>
      succeed(`curl -s -H "Host: ${name}.example" http://127.0.0.1:${port}/index.php`);
    assert.match(await where('ann', 8080), /^0::\/user\.slice\/user-3001\.slice\//);
    assert.match(await where('shop', 8080), /user-3001-shop\.example\.slice\//);
    assert.match(await where('ben', 8081), /user-3002\.slice\//);
    assert.match(await where('kim', 8080), /r3003\/u3004/);
    await until('[ -S /run/bulkhead/web.sock ]');
  });

  test(
    'HTTP/2 streams are limited, whatever connections, vhosts and paths they use',
    { timeout },
    async () => {
      for (const how of ['one', 'apart', 'names'])
        assert.equal(await attack(12, h2(how, 'ann.example', 12)), lines(3, 12), how);
      const paths =
        '/index.phpx /index.php.css /index.php/tail.png //index.php /%69ndex.php /x/../index.php /'.split(
          ' ',
        );
      assert.equal(await attack(14, h2('one', 'ann.example', 14, 8443, ...paths)), lines(3, 14));
      assert.equal(
        await attack(12, h2('one', 'ann.example', 12, 8080)),
        lines(3, 12),
        'without TLS',
      );
    },
  );

  test('HTTP/3 streams of one connection are limited', { timeout }, async () => {
    for (const [name, limit] of [
      ['ann.example', 3],
      ['shop.example', 2],
    ] as const) {
      assert.equal(await attack(12, h3(name, 12)), lines(limit, 12), name);
    }
  });

  test(
    'streams that are reset at once keep their entries while their scripts run',
    { timeout },
    async () => {
      const left = async (command: string) => {
        const text = await succeed(`leave '${command}'`);
        const [, arrived, ran, others] =
          /^arrived (\d+)\nran (\d+)\nothers (.*)\n$/s.exec(text) ?? [];
        return { arrived: Number(arrived), ran, others, text };
      };
      for (const [how, name, limit] of [
        ['one', 'ann.example', '3'],
        ['apart', 'ann.example', '3'],
        ['one', 'shop.example', '2'],
      ] as const) {
        const found = await left(`node /srv/resetter.mjs ${how} ${name} 400`);
        assert.deepEqual(
          [found.ran, found.others],
          [limit, '200'],
          `${how} ${name}: ${found.text}`,
        );
        assert.ok(found.arrived > 100, found.text);
        const count = Number(limit);
        assert.equal(await attack(12, h2('one', name, 12)), lines(count, 12), 'nothing is leaked');
      }
      const clients = Array.from({ length: 4 }, () => h3('ann.example', 12, 20));
      const found = await left(clients.join('; '));
      assert.deepEqual([found.ran, found.others], ['3', '200'], found.text);
      assert.equal(await attack(12, h2('one', 'ann.example', 12)), lines(3, 12));
    },
  );

  test(
    'a site, a tenant and a reseller have one entries limit over all protocols',
    { timeout },
    async () => {
      const mixed = (...names: readonly string[]) =>
        attack(
          12 * names.length,
          `${names.map((name) => `{ ${h1(name, 4)} & ${h2('one', name, 4)} & ${h3(name, 4)} & wait; }`).join(' & ')} & wait`,
        );
      assert.equal(await mixed('ann.example'), lines(3, 12));
      assert.equal(await mixed('shop.example'), lines(2, 12));
      assert.equal(await mixed('kim.example'), lines(2, 12));
    },
  );

  test(
    'Apache limits HTTP/1.1 and HTTP/2 streams, whatever an .htaccess says',
    { timeout },
    async () => {
      assert.equal(await attack(12, h1('ben.example', 12, 8081)), lines(3, 12));
      assert.equal(await attack(12, h1('ben.example', 12, 8081, '/x.css')), lines(3, 12));
      for (const how of ['one', 'apart']) {
        const text = await attack(12, h2(how, 'ben.example', 12, 8081, '/index.php', '/x.css'));
        assert.equal(text, lines(3, 12), how);
      }
      await write(
        '/home/ben/www/.htaccess',
        'SetEnv mod_qos_ev x\nSetEnvIf Request_URI ^ QS_VipRequest=yes mod_qos_ev=-\nErrorDocument 508 /index.php\n',
      );
      assert.equal(await attack(12, h1('ben.example', 12, 8081)), lines(3, 12));
      await succeed('rm /home/ben/www/.htaccess');
    },
  );

  test(
    'each refusal is a fault of the site, tenant or reseller whose limit it was',
    { timeout },
    async () => {
      const seen = async () => {
        const { incidents } = JSON.parse(
          (await run('bulkhead faults --limit entries --json')).stdout,
        ) as IncidentsResponse;
        return new Map(incidents.map(({ who }) => [who.name, who]));
      };
      await until('bulkhead faults --limit entries | grep -q ben');
      const names = [...(await seen()).keys()].toSorted();
      // What the number of the reseller refused is not kim's.
      assert.deepEqual(names, ['acme', 'ann', 'ann/shop.example', 'ben']);
      const first = await succeed('bulkhead incident 1');
      assert.match(first, /Refused: GET \S+\.example\/\S* from 127\.0\.0\.1/);
      assert.equal(await succeed('systemctl --failed --no-legend --plain'), '');
    },
  );
});
