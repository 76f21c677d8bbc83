/**
 * The symlink guard on a kernel that asks BPF programs: every way to follow a link, nginx and Apache, a tenant that
 * exchanges links while they are followed, loaders that are killed, the agent, and turning it off again.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { guestOfSuite, prepareGuests } from '../../testing/vm/suite.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { expected } from './symlinks/expected.ts';
import { withGuard, withoutGuard } from './symlinks/expected-descriptors.ts';

const guests = await prepareGuests(import.meta.filename, 'bpf');
const timeout = longPatienceMilliseconds;

/** Opens of each kind, and requests, in the races: a million with LONG=1. */
const isLong = process.env['LONG'] !== undefined;
const opens = isLong ? 1_000_000 : 20_000;
const requests = isLong ? 1_000_000 : 500;

const policy = (symlinks: string) =>
  `<bulkhead version="1"><agent interval="1s"/>${symlinks}<tenant user="alice"/><tenant user="bob"/></bulkhead>`;
const ownerMatch = '<symlinks follow="owner-match" by="www-data"/>';

const setUp = `set -e
sh /opt/bulkhead/test/vm/symlinks/tree.sh
cat > /usr/local/bin/ask <<'ASK'
#!/bin/bash
# PORT PATH...: the status of each.
port=$1; shift
for path in "$@"; do
  exec 3<>/dev/tcp/127.0.0.1/$port
  printf 'GET /%s HTTP/1.0\\r\\nHost: a\\r\\n\\r\\n' "$path" >&3
  read -r _ status _ <&3; cat <&3 > /dev/null; echo "$path $status"
done
ASK
chmod 755 /usr/local/bin/ask
rm -f /etc/nginx/sites-enabled/default /etc/apache2/sites-enabled/000-default.conf
cat > /etc/nginx/sites-enabled/alice <<'SITES'
server { listen 127.0.0.1:8080; root /home/alice/www; }
server { listen 127.0.0.1:8082; root /home/alice/www; disable_symlinks if_not_owner from=$document_root; }
SITES
echo 'Listen 127.0.0.1:8081' > /etc/apache2/ports.conf
cat > /etc/apache2/sites-enabled/alice.conf <<'SITE'
<VirtualHost 127.0.0.1:8081>
  DocumentRoot /home/alice/www
  <Directory /home/alice/www>
    Options FollowSymLinks
    Require all granted
  </Directory>
</VirtualHost>
SITE
mkdir -p /etc/bulkhead; cp /opt/bulkhead/packaging/bulkhead.service /opt/bulkhead/packaging/bulkhead-symlinks.service /etc/systemd/system/
# Processors are emulated, and the machine may be busy.
for unit in bulkhead bulkhead-symlinks; do
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > /etc/systemd/system/$unit.service.d/patient.conf
done
systemctl daemon-reload
systemctl start nginx apache2
cat > /tmp/listen.mjs <<'LISTEN'
import { createServer } from 'node:net';
import { chmodSync } from 'node:fs';
const path = '/home/bob/www/sock';
createServer((each) => each.end()).listen(path, () => chmodSync(path, 0o777));
LISTEN
systemd-run --quiet /opt/bulkhead/node_modules/.bin/node /tmp/listen.mjs
for i in $(seq 3000); do [ -S /home/bob/www/sock ] && exit 0; sleep 0.1; done; exit 1
`;

const asServer = 'setpriv --reuid www-data --regid www-data --clear-groups';
const pages =
  'own owndir/f chain other otherdir/secret chain-other passwd nested/f by-root via-root';

suite('the symlink guard', { skip: guests.skip }, () => {
  const directory = suiteDirectory('links');
  const guard = (words: string) => run(`bulkhead symlinks guard ${words}`);
  const writePolicy = (symlinks: string) =>
    succeed(
      'cat > /etc/bulkhead/policy.new && mv /etc/bulkhead/policy.new /etc/bulkhead/policy.xml',
      policy(symlinks),
    );
  const cases = async () => {
    await succeed('rm -rf /home/bob/www/open/* /home/alice/www/made/*');
    const text = await succeed(
      `${asServer} /opt/bulkhead/node_modules/.bin/node /opt/bulkhead/test/vm/symlinks/cases.ts`,
    );
    return JSON.parse(text) as Record<string, string>;
  };
  const race = async (number: number) => {
    const text = await succeed(
      `/usr/local/bin/link-race ${number} 3001 33 /home/alice/own /home/bob/www`,
    );
    return [...text.matchAll(/own (\d+) leaked (\d+) refused (\d+) else (\d+)/g)].map(
      ([, own, leaked, refused, rest]) => ({
        own: Number(own),
        leaked: Number(leaked),
        refused: Number(refused),
        rest: Number(rest),
      }),
    );
  };
  /** Lets a tenant exchange the link `d` with a file of the other owner: nginx's own check has to notice that. */
  const exchanged = async (requests: number) => {
    const text = await succeed(
      `exchange 3001 /home/alice/www/d /home/alice/www/upload-of-bob 8082 /d/secret ${requests}`,
    );
    const [, leaked, own, refused] = /leaked (\d+) own (\d+) refused (\d+)/.exec(text) ?? [];
    return { leaked: Number(leaked), own: Number(own), refused: Number(refused) };
  };
  const descriptors = async () =>
    (await succeed('descriptors 33'))
      .trim()
      .split('\n')
      .map((line) => line.trim());
  /** Mounts a FUSE file system by alice's own program, as if root had installed a mount program for her. */
  const serveLink = async (owner: number) => {
    await succeed(
      `setpriv --reuid alice --regid alice --init-groups setsid fuse-lies /home/alice/www/m link ${owner} /home/bob/www/secret > /tmp/lies 2>&1 < /dev/null & echo $! > /tmp/lies.pid`,
    );
    await until('grep -q mounted /tmp/lies', 'cat /tmp/lies');
  };
  const stopServing = () => succeed('kill $(cat /tmp/lies.pid); umount -l /home/alice/www/m');
  const refuses = async () => {
    const other = await run(`${asServer} cat /home/alice/www/other`);
    return other.status !== 0 && other.stdout === '';
  };
  const generations = () => succeed('ls /sys/fs/bpf/bulkhead 2>/dev/null || true');

  const { run, succeed, until } = guestOfSuite(
    guests,
    async (guest) => {
      for (const source of [
        '../attacks/link-race.c',
        '../attacks/fuse-lies.c',
        'symlinks/descriptors.c',
        'symlinks/exchange.c',
      ]) {
        const name = basename(source, '.c');
        const file = fileURLToPath(new URL(source, import.meta.url));
        execFileSync('gcc', ['-O2', '-static', '-o', join(directory, name), file]);
        await guest.copyIn(join(directory, name), `/usr/local/bin/${name}`);
      }
      await succeed('chmod 755 /usr/local/bin/*');
      await succeed(setUp);
      await writePolicy(ownerMatch);
    },
    2,
  );

  test('links lead anywhere without the guard, and races are won', { timeout }, async () => {
    assert.deepEqual(await cases(), expected('off'));
    assert.match(await succeed(`ask 8080 ${pages}`), /^other 200\notherdir\/secret 200\n/m);
    for (const { leaked } of await race(2000)) assert.ok(leaked > 0, 'nothing leaked');
    assert.deepEqual(await descriptors(), withoutGuard);
    assert.equal((await exchanged(-1_000_000)).leaked, 1);
    await succeed('echo user_allow_other > /etc/fuse.conf');
    await serveLink(3002);
    assert.equal(await succeed('ask 8080 m/x to-m'), 'm/x 200\nto-m 200\n');
    await stopServing();
  });

  test('the guard refuses all ways to follow a foreign link', { timeout }, async () => {
    const on = await guard('enable');
    assert.equal(on.status, 0, on.stderr);
    assert.match(on.stdout, /guard is on: it was tried, and it refuses/);
    assert.deepEqual(await cases(), expected('on'));
    assert.equal(
      await succeed(`setpriv --reuid bob --regid bob --clear-groups cat /home/alice/www/other`),
      'SECRET\n',
    );
    assert.equal(await succeed('cat /home/alice/www/other'), 'SECRET\n');
  });

  test('the guard makes O_PATH descriptors by refused links useless', { timeout }, async () => {
    assert.deepEqual(await descriptors(), withGuard);
  });

  test('nginx and Apache with the guard serve only what is allowed', { timeout }, async () => {
    const allowed = ['own', 'owndir/f', 'chain', 'by-root'];
    for (const port of [8080, 8081]) {
      const text = await succeed(`ask ${port} ${pages}`);
      const wanted = pages
        .split(' ')
        .map((each) => `${each} ${allowed.includes(each) ? 200 : 403}\n`);
      assert.equal(text, wanted.join(''), `port ${port}`);
    }
  });

  test('the guard loses no race, however fast links are exchanged', { timeout }, async () => {
    const found = await race(opens);
    assert.equal(found.length, 2);
    for (const { own, leaked, refused, rest } of found) {
      assert.equal(leaked, 0);
      assert.ok(own > 0 && refused > 0, JSON.stringify(found));
      assert.equal(own + refused + rest, opens);
    }
  });

  test("the guard keeps nginx's own check from losing a race", { timeout }, async () => {
    assert.equal(
      await succeed('ask 8082 own owndir/f other otherdir/secret'),
      'own 200\nowndir/f 200\nother 403\notherdir/secret 403\n',
    );
    const { leaked, refused } = await exchanged(requests);
    assert.deepEqual({ leaked, refused }, { leaked: 0, refused: requests });
  });

  test(
    'guard enable that is killed changes nothing, and the next one cleans up',
    { timeout },
    async () => {
      const before = await generations();
      await writePolicy('<symlinks follow="owner-match" by="www-data irc"/>');
      for (const seconds of ['0.3', '0.7', '1.1', '1.5']) {
        await run(`timeout -s KILL ${seconds} bulkhead symlinks guard enable`);
        assert.ok(await refuses(), `after ${seconds} s`);
      }
      // This is the state after a kill between two pins.
      await succeed('mkdir /sys/fs/bpf/bulkhead/symlinks-0killed-new');
      jsonOf('symlinks guard enable', await succeed('bulkhead symlinks guard enable --json'));
      assert.notEqual(await generations(), before);
      assert.match(await generations(), /^symlinks-[0-9a-z]+-[0-9a-f]+\n$/);
      assert.ok(await refuses());
    },
  );

  test('the unit enables the guard, before web servers start', { timeout }, async () => {
    await succeed('rm -r /sys/fs/bpf/bulkhead');
    // The kernel detaches programs a moment after their pins are gone.
    await until(`${asServer} cat /home/alice/www/other > /dev/null 2>&1`);
    await succeed('systemctl start bulkhead-symlinks');
    assert.ok(await refuses());
    const order = await succeed('systemctl show -P Before bulkhead-symlinks');
    for (const each of ['nginx.service', 'apache2.service', 'network.target'])
      assert.ok(order.includes(each), each);
  });

  test('refusals are incidents with link, target, server and tenant', { timeout }, async () => {
    jsonOf('symlinks guard status', await succeed('bulkhead symlinks guard status --json'));
    // Refusals of before the agent runs would be the evidence of the incident.
    const off = await succeed('bulkhead symlinks guard disable --json');
    assert.deepEqual(jsonOf('symlinks guard disable', off), { state: 'off', changed: true });
    await succeed('bulkhead symlinks guard enable');
    jsonOf('symlinks guard sync', await succeed('bulkhead symlinks guard sync --json'));
    await succeed('systemctl start bulkhead');
    await until('bulkhead status > /dev/null 2>&1');
    await succeed('ask 8080 other otherdir/secret');
    await until('bulkhead faults alice --limit symlinks 2>/dev/null | grep -q "symlinks.*refused"');
    const id = JSON.parse(await succeed('bulkhead faults alice --limit symlinks --json')) as {
      readonly incidents: readonly { readonly id: number }[];
    };
    const first = id.incidents[0]?.id ?? 0;
    await until(`bulkhead incident ${first} | grep -q "nginx /home/alice/www/other"`);
    const text = await succeed(`bulkhead incident ${first}`);
    assert.match(
      text,
      /\/home\/alice\/www\/other to \/home\/bob\/www\/secret, which belongs to bob/,
    );
    // Links of her subordinate uids, and ownerless links in her home, are her faults as well.
    await succeed(
      `grep -q '^alice:' /etc/subuid || usermod --add-subuids 300000-300009 alice; ln -s /home/bob/www/secret /home/alice/www/sub && chown -h $(sed -n 's/^alice:\\([0-9]*\\):.*/\\1/p' /etc/subuid | head -1) /home/alice/www/sub`,
    );
    await serveLink(3002);
    // Evidence is written twice a minute, and what comes meanwhile is in it.
    await succeed('ask 8080 sub m/x');
    await until(`bulkhead incident ${first} | grep -q "/home/alice/www/sub to"`);
    await until(`bulkhead incident ${first} | grep -q "/home/alice/www/m/x to"`);
    await stopServing();
    assert.doesNotMatch(await succeed('su bob -c "bulkhead faults"'), /symlinks/);
  });

  test('the agent follows the policy, and disable leaves nothing', { timeout }, async () => {
    await writePolicy('');
    await until('[ ! -e /sys/fs/bpf/bulkhead ]');
    await until(`${asServer} cat /home/alice/www/other > /dev/null 2>&1`);
    await writePolicy(ownerMatch);
    await until('ls /sys/fs/bpf/bulkhead/symlinks-* > /dev/null 2>&1');
    await succeed('bulkhead symlinks guard disable');
    assert.deepEqual(await cases(), expected('off'));
    const status = await guard('status');
    assert.equal(status.status, 0);
    assert.match(status.stdout, /guard: off/);
    assert.equal(await generations(), '');
  });
});
