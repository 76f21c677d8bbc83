/**
 * Entries on a server as hosters run it: nginx, Apache, PHP-FPM and the agent as services of systemd, the commands, and
 * the agent that follows a policy and vhosts from its sandbox.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

const policy = (entries: number) =>
  `<bulkhead version="1"><agent interval="2s"/><tenant user="ann"><entries limit="${entries}"/></tenant><tenant user="ben"/></bulkhead>`;

/** A site at nginx, one at Apache, and a pool of ann's; her script waits while there is a gate. */
const setUp = `set -e
useradd -m -u 3001 -s /bin/sh ann; useradd -m -u 3002 -s /bin/sh ben; chmod 755 /home/ann
mkdir /srv/gate /home/ann/www; chmod 777 /srv/gate
cat > /home/ann/www/index.php <<'PHP'
<?php $me = "/srv/gate/" . getmypid(); touch($me); while (file_exists("/srv/gate/shut")) usleep(50000); unlink($me); echo "served";
PHP
chown -R ann:ann /home/ann/www
cat > /usr/local/bin/ask <<'ASK'
#!/bin/bash
# HOST PORT: the status of the answer; with a third word, all of it.
exec 3<>/dev/tcp/127.0.0.1/$2
printf 'GET / HTTP/1.0\r\nHost: %s\r\n\r\n' "$1" >&3
if [ $# -gt 2 ]; then cat <&3; exit; fi
read -r _ status _ <&3; cat <&3 > /dev/null; echo "$status"
ASK
chmod 755 /usr/local/bin/ask
cat > /etc/php/8.4/fpm/pool.d/ann.conf <<'POOL'
[ann]
user = ann
group = ann
listen = /run/php/ann.sock
listen.owner = www-data
pm = static
pm.max_children = 8
POOL
cat > /etc/nginx/sites-enabled/ann <<'SITE'
server {
  listen 127.0.0.1:8080;
  server_name shop.example;
  root /home/ann/www;
  location / { try_files $uri /index.php; }
  location ~ \\.php$ { include snippets/fastcgi-php.conf; fastcgi_pass unix:/run/php/ann.sock; }
}
SITE
cat > /etc/apache2/sites-enabled/ann.conf <<'SITE'
<VirtualHost 127.0.0.1:8081>
  ServerName blog.example
  DocumentRoot /home/ann/www
  IncludeOptional /etc/apache2/bulkhead/u3001.conf
  <Directory /home/ann/www>
    Require all granted
    AllowOverride All
  </Directory>
  <FilesMatch "\\.php$">
    SetHandler "proxy:unix:/run/php/ann.sock|fcgi://localhost"
  </FilesMatch>
</VirtualHost>
SITE
rm -f /etc/apache2/sites-enabled/000-default.conf; echo 'Listen 127.0.0.1:8081' > /etc/apache2/ports.conf
a2enmod -q proxy_fcgi setenvif headers qos; rm -f /etc/nginx/sites-enabled/default
mkdir -p /etc/bulkhead; cp /opt/bulkhead/packaging/bulkhead.service /opt/bulkhead/packaging/bulkhead-entries.service /etc/systemd/system/
# Processors are emulated, and the machine may be busy.
for unit in bulkhead bulkhead-entries; do
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\nTimeoutStartSec=infinity\n' > /etc/systemd/system/$unit.service.d/patient.conf
done
systemctl daemon-reload
`;

suite('web entries on a server with systemd', { skip: guests.skip }, () => {
  const writePolicy = (entries: number) => write('/etc/bulkhead/policy.xml', policy(entries));

  /** Checks how many of six requests at once are refused; the others run together. */
  const refusedOfSix = async (host: string, port: number, refused: number): Promise<void> => {
    const text = await succeed(`rm -f /srv/gate/*; touch /srv/gate/shut; cd /tmp; rm -f code.*
for i in 1 2 3 4 5 6; do ask ${host} ${port} > code.$i & done
for i in $(seq 3000); do n=$(cat code.* | grep -c 508); r=$(ls /srv/gate | grep -vc shut)
  [ $n -ge ${refused} ] && [ $r -ge ${6 - refused} ] && break; sleep 0.3; done
rm /srv/gate/shut; wait; cat code.* | sort | uniq -c | sed 's/^ *//'`);
    assert.equal(text, `${6 - refused} 200\n${refused} 508\n`);
  };

  const { run, succeed, until, write } = guestOfSuite(guests, async () => {
    await succeed(setUp);
    await writePolicy(2);
    await succeed('systemctl start php8.4-fpm nginx apache2 && systemctl start bulkhead');
  });

  test(
    'web entries enable limits nginx and Apache, and --dry-run changes nothing',
    { timeout },
    async () => {
      const before = await succeed('find /etc/nginx /etc/apache2 | sort | md5sum');
      assert.match(
        await succeed('bulkhead web entries enable --dry-run'),
        /\+limit_conn bulkhead_2 2;/,
      );
      assert.equal(await succeed('find /etc/nginx /etc/apache2 | sort | md5sum'), before);
      assert.equal((await run('bulkhead web entries status')).status, 3);
      const text = await succeed('bulkhead web entries enable');
      assert.match(
        text,
        /nginx: entries are enforced for 1 site of 1 tenant; it has been reloaded/,
      );
      assert.match(
        text,
        /apache2: entries are enforced for 1 site of 1 tenant; it has been reloaded/,
      );
      assert.match(text, /include \/etc\/nginx\/bulkhead\/site\.conf;/);
      assert.match(
        await succeed('bulkhead web entries status'),
        /shop\.example +ann +nginx +2 +enforced +no/,
      );
      await until('[ -S /run/bulkhead/web.sock ]');
      await refusedOfSix('shop.example', 8080, 4);
      await until('ask blog.example 8081 | grep -q 200');
      await refusedOfSix('blog.example', 8081, 4);
    },
  );

  test('refusals of both servers are faults, which their tenant can see', { timeout }, async () => {
    await refusedOfSix('shop.example', 8080, 4);
    await refusedOfSix('blog.example', 8081, 4);
    // Refusals of the first test, and of this one: four at each server each time.
    await until('bulkhead faults ann --limit entries | grep -Eq "entries +refused +16"');
    await until('bulkhead incident 1 | grep -q "Refused: GET shop.example/ from 127.0.0.1"');
    // The agent gives up an answer that takes it longer than some seconds, as on a slow guest.
    await until('su ann -c "bulkhead faults" | grep -Eq "entries +refused"');
    await until('su ben -c "bulkhead faults" > /tmp/faults-of-ben');
    assert.doesNotMatch(await succeed('cat /tmp/faults-of-ben'), /refused/);
    const forged = await run(`su ann -c "logger --socket-errors=on -u /run/bulkhead/web.sock x"`);
    assert.notEqual(forged.status, 0);
  });

  test('the agent applies a changed entries limit from its sandbox', { timeout }, async () => {
    await writePolicy(3);
    await until('grep -q "limit_conn bulkhead_3 3" /etc/nginx/conf.d/bulkhead.conf');
    await until('[ $(systemctl show -P ActiveState bulkhead-entries) = inactive ]');
    assert.match(
      await succeed('bulkhead web entries status'),
      /shop\.example +ann +nginx +3 +enforced/,
    );
    await refusedOfSix('shop.example', 8080, 3);
  });

  test('web entries disable leaves nothing at either server', { timeout }, async () => {
    assert.match(
      await succeed('bulkhead web entries disable'),
      /nginx: entries are no longer enforced/,
    );
    assert.match(await succeed('ask shop.example 8080 all'), /served$/);
    const left = await succeed(
      'find /etc/nginx /etc/apache2 /run/bulkhead /var/lib/bulkhead -name "*bulkhead*.conf" -o -name "u3001.conf" -o -name "web-entries.json" -o -type d -name bulkhead -path "/etc/*"',
    );
    assert.equal(left, '');
    await until('[ ! -e /run/bulkhead/web.sock ]');
  });
});
