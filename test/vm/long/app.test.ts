/** Applications of tenants behind nginx, with systemd, cgroup v2 and jails. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { AppLogJson, AppStatusJson } from '../../../src/app/commands/json.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

const tenants = { ann: 3001, ben: 3002 };

/** An application as its author wrote it: it knows nothing of Bulkhead. */
const node = `const http = require('node:http'), fs = require('node:fs');
const own = fs.readFileSync('/proc/self/cgroup', 'utf8').trim();
const ls = (path) => { try { return fs.readdirSync(path); } catch { return []; } };
http.createServer((req, res) => {
  if (req.url === '/exit') process.exit(3);
  res.end(JSON.stringify({ cgroup: own, uid: process.getuid(), homes: ls('/home'), env: process.env.GREETING,
    secret: process.env.SECRET, cwd: process.cwd(), pid: process.pid }));
}).listen(process.env.PORT || 3000, () => console.log('up'));
`;

/** Takes descriptor 3, as a program for systemd does. */
const python = `import os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def address_string(self): return '-'
    def do_GET(self):
        mine = os.environ['LISTEN_PID'] == str(os.getpid()) and os.environ['LISTEN_FDS'] == '1'
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

/** Whatever a policy may contain; each is to reach the shell as it is. */
const hostile = `printf '%s|' "%n %i $HOME \\ ;" '#' "a b" > ~/hostile; id -u >> ~/hostile; sleep 600`;
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const attribute = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

const annsApps = `<app name="web" command="appnode server.js" directory="/home/ann/web" environment="/home/ann/.env">
      <env name="GREETING" value="100% &quot;$HOME&quot; \\ %n"/></app>
    <app name="short" command="appnode server.js" directory="/home/ann/web" idle="10s"/>
    <app name="broken" command="echo about to fail; exit 7" starts="3"/>
    <app name="always" command="appnode server.js" directory="/home/ann/web" idle="never"/>
    <app name="tcp" command="appnode server.js" directory="/home/ann/web" listen="tcp"/>
    <app name="hostile" command="${attribute(hostile)}"/>`;
const policyOf = (ann: string, driver = 'cgroup2') =>
  `<bulkhead version="1"><host driver="${driver}"/><tenants uids="3000-3999"/>
  <defaults><memory limit="512MiB" swap="0MiB"/><processes limit="60"/></defaults>
  <tenant user="ann">${ann}</tenant>
  <tenant user="ben"><jail profile="web"/><app name="py" command="python3 app.py" directory="/home/ben" listen="descriptor"/>
    <app name="jailed" command="appnode web/server.js"/>
    <app name="jailedtcp" command="appnode web/server.js" listen="tcp"/></tenant></bulkhead>\n`;

const vhosts = [
  ['ann', 'web'],
  ['ann', 'short'],
  ['ann', 'broken'],
  ['ann', 'always'],
  ['ann', 'hostile'],
  ['ben', 'py'],
  ['ben', 'jailed'],
  ['ann', 'tcp'],
  ['ben', 'jailedtcp'],
] as const;
const portOf = (app: string) => 8001 + vhosts.findIndex(([, name]) => name === app);

const client =
  'use IO::Socket::UNIX; print IO::Socket::UNIX->new(Peer => $ARGV[0]) ? "connected" : $!';

interface Answer {
  readonly cgroup: string;
  readonly uid: number;
  readonly homes: readonly string[];
  readonly env?: string;
  readonly secret?: string;
  readonly cwd: string;
  readonly pid: number;
}

suite('applications of tenants', { skip: guests.skip, timeout }, () => {
  const get = async (app: string, path = '/') => {
    const ask = `exec 3<>/dev/tcp/127.0.0.1/${portOf(app)} && printf "GET ${path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n" >&3 && cat <&3`;
    const text = await host.succeed(`bash -c '${ask}'`);
    const [head = '', ...body] = text.split('\r\n\r\n');
    return { status: /^HTTP\S* (\d+)/.exec(head)?.[1], body: body.join('\r\n\r\n').trim() };
  };
  const answer = async (app: string) => {
    const { status, body } = await get(app);
    assert.equal(status, '200', body);
    return JSON.parse(body) as Answer;
  };
  const rows = async () => {
    const { stdout } = await host.run('bulkhead app status --json');
    return jsonOf<AppStatusJson>('app status', stdout).apps;
  };
  const stateOf = async (name: string) => (await rows()).find((each) => each.name === name)?.state;
  const unit = (uid: number, name: string) => `bulkhead-app@${uid}:${name}`;
  const apply = async (policy: string) => {
    await host.write('/etc/bulkhead/policy.xml', policy);
    await host.succeed('bulkhead apply');
  };
  const cgroupOf = (uid: number) => `0::/bulkhead-tenants.service/u${uid}`;

  const host = guestOfSuite(guests, async () => {
    await host.succeed(
      'useradd -m -u 3001 ann && useradd -m -u 3002 ben && useradd -m -u 3003 cat && chmod 755 /home/* && cp -L "$(command -v node)" /usr/local/bin/appnode && rm -f /etc/nginx/sites-enabled/default && ln -s /dev/null /etc/systemd/system/user@.service && systemctl daemon-reload',
    );
    for (const name of Object.keys(tenants)) await host.write(`/home/${name}/web/server.js`, node);
    await host.write('/home/ann/.env', '# mine\nSECRET="s 1"\nPORT=3000\n');
    await host.write('/home/ben/app.py', python);
    await host.succeed(
      'chown -R ann: /home/ann && chown -R ben: /home/ben && chmod 600 /home/ann/.env',
    );
    await apply(policyOf(annsApps));
    for (const [tenant, app] of vhosts) {
      const lines = await host.succeed(`bulkhead app snippet nginx ${tenant}/${app}`);
      const vhost = `server { listen 127.0.0.1:${portOf(app)};\n${lines} }\n`;
      await host.write(`/etc/nginx/conf.d/${app}.conf`, vhost);
    }
    await host.succeed('systemctl start nginx');
  });

  test("an unmodified Node program starts with the first request, in its tenant's cgroup", async () => {
    assert.equal(await stateOf('ann/web'), 'idle');
    assert.equal((await host.run(`pgrep -u ann -f ${unit(3001, 'web')}`)).stdout, '');
    const found = await answer('web');
    assert.equal(found.cgroup, cgroupOf(3001));
    assert.equal(found.uid, 3001);
    assert.equal(found.cwd, '/home/ann/web');
    assert.equal(found.secret, 's 1');
    assert.equal(found.env, '100% "$HOME" \\ %n');
    assert.equal(await stateOf('ann/web'), 'running');
    const log = jsonOf<AppLogJson>(
      'app log',
      await host.succeed('bulkhead app log ann/web --json'),
    );
    assert.deepEqual([log.name, log.lines], ['ann/web', ['up']]);
    assert.equal(
      (await host.succeed('stat -c %U:%a /home/ann/.bulkhead/web.log')).trim(),
      'ann:600',
    );
  });

  test('it is stopped when it is idle, and starts with the next request', async () => {
    const first = await answer('short');
    await host.until(`! pgrep -u ann -f '^appnode server.js' | grep -qx ${first.pid}`);
    await host.until(`[ "$(systemctl is-active '${unit(3001, 'short')}.service')" = inactive ]`);
    assert.equal(await stateOf('ann/short'), 'idle');
    const second = await answer('short');
    assert.notEqual(second.pid, first.pid);
  });

  test('a program that takes descriptor 3 gets it, in the jail of its tenant', async () => {
    const { status, body } = await get('py');
    assert.deepEqual({ status, body }, { status: '200', body: `${cgroupOf(3002)} 3002 True` });
    assert.deepEqual((await answer('jailed')).homes, ['ben']);
    assert.deepEqual((await answer('web')).homes, ['ann', 'ben', 'cat']);
  });

  test('a program that insists on a TCP port is served, and nobody else reaches it', async () => {
    for (const [name, uid, homes] of [
      ['tcp', 3001, ['ann', 'ben', 'cat']],
      ['jailedtcp', 3002, ['ben']],
    ] as const) {
      const found = await answer(name);
      assert.deepEqual([found.uid, found.homes, found.cgroup], [uid, homes, cgroupOf(uid)]);
      assert.equal(
        await host.succeed(
          `ss -Hltn sport = :8080; readlink /proc/${found.pid}/ns/net | grep -vx "$(readlink /proc/self/ns/net)" | wc -l`,
        ),
        '1\n',
      );
    }
  });

  test('one that runs always is there without a request, and comes back when it is killed', async () => {
    assert.equal(await stateOf('ann/always'), 'running');
    const first = await answer('always');
    await host.succeed(`kill -9 ${first.pid}`);
    await host.until(`[ "$(systemctl is-active '${unit(3001, 'always')}.service')" = active ]`);
    assert.notEqual((await answer('always')).pid, first.pid);
  });

  test('a crash loop ends, and is shown with its reason and its log', async () => {
    for (let each = 0; each < 5; each++) assert.equal((await get('broken')).status, '502');
    await host.until(`[ "$(systemctl is-failed '${unit(3001, 'broken')}.socket')" = failed ]`);
    const found = (await rows()).find(({ name }) => name === 'ann/broken');
    assert.equal(found?.state, 'crash loop');
    assert.match(
      found?.reason ?? '',
      /started more than 3 times in a minute; its last start ended with status 7/,
    );
    assert.equal((await host.run('bulkhead app status ann')).status, 3);
    const log = await host.succeed('bulkhead app log ann/broken');
    assert.match(log, /about to fail\nbulkhead: The application "broken" ended with status 7/);
    assert.equal((log.match(/about to fail/g) ?? []).length, 3);
    assert.match(await host.succeed('bulkhead doctor'), /Apps .*1 crash loop/);
    // Its neighbour is served, and after a correction so is it.
    await answer('always');
    await apply(
      policyOf(annsApps.replace('echo about to fail; exit 7', 'cd web; appnode server.js')),
    );
    assert.equal((await answer('broken')).uid, 3001);
  });

  test('a command reaches the shell as it was written, as the tenant', async () => {
    await host.succeed(`systemctl start '${unit(3001, 'hostile')}.service'`);
    await host.until('[ "$(wc -l </home/ann/hostile)" = 1 ]');
    assert.equal(await host.succeed('cat /home/ann/hostile'), '%n %i /home/ann \\ ;|#|a b|3001\n');
    await host.succeed(`systemctl stop '${unit(3001, 'hostile')}.service'`);
    assert.equal((await host.run('pgrep -u ann -fx "sleep 600"')).stdout, '');
  });

  test('only the web server reaches an application', async () => {
    await answer('web');
    for (const [user, path] of [
      ['cat', '/run/bulkhead-app/3001/web.sock'],
      ['ann', '/run/bulkhead-app/3001/web.sock'],
      ['cat', '/home/ann/.bulkhead/web.sock'],
      ['nobody', '/home/ann/.bulkhead/web.sock'],
    ] as const) {
      const said = await host.guest.succeed(`perl -e '${client}' ${path}`, { user });
      assert.equal(said, 'Permission denied', `${user} ${path}`);
    }
    const jailed = `bulkhead exec ben -- perl -e '${client}' /run/bulkhead-app/3001/web.sock`;
    assert.equal(await host.succeed(jailed), 'No such file or directory');
    const replace = await host.guest.run('rm -f /run/bulkhead-app/3001/web.sock', { user: 'ann' });
    assert.notEqual(replace.status, 0);
  });

  test('a log that is a link to a file of root is not read', async () => {
    await host.succeed(
      'rm /home/ann/.bulkhead/web.log && ln -s /etc/shadow /home/ann/.bulkhead/web.log',
    );
    const { status, stdout } = await host.run('bulkhead app log ann/web');
    assert.deepEqual([status, stdout], [1, '']);
    await host.succeed(
      'rm /home/ann/.bulkhead/web.log && mkfifo -m 666 /home/ann/.bulkhead/web.log',
    );
    assert.equal((await host.run('bulkhead app log ann/web')).status, 1);
    await host.succeed('rm /home/ann/.bulkhead/web.log; bulkhead app restart ann/web');
    assert.equal((await answer('web')).uid, 3001);
  });

  test('a disabled application stays out, over an apply, until it is enabled', async () => {
    await answer('web');
    await host.succeed('bulkhead app disable ann/web && bulkhead apply');
    assert.equal(await stateOf('ann/web'), 'disabled');
    assert.equal((await get('web')).status, '502');
    assert.notEqual((await host.run('bulkhead app restart ann/web')).status, 0);
    await host.succeed('bulkhead app enable web');
    await answer('web');
  });

  test('nothing of a stopped tenant starts, and all of it is back afterwards', async () => {
    await answer('web');
    await host.succeed('bulkhead stop ann');
    assert.equal((await get('web')).status, '502');
    assert.equal((await host.run('pgrep -u ann')).stdout, '');
    assert.equal(await stateOf('ann/web'), 'tenant stopped');
    await host.succeed('bulkhead apply');
    assert.equal((await get('web')).status, '502');
    await get('py');
    await host.succeed('bulkhead start ann');
    assert.equal((await answer('web')).uid, 3001);
  });

  test('an apply that changes nothing leaves programs alone, and one that does renews them', async () => {
    const ann = annsApps.replace('exit 7', 'exit 8');
    await apply(policyOf(ann));
    const first = await answer('web');
    await apply(policyOf(ann));
    assert.equal((await answer('web')).pid, first.pid);
    await apply(policyOf(ann.replace('100%', '200%')));
    const second = await answer('web');
    assert.equal(second.env, '200% "$HOME" \\ %n');
    assert.match(await host.succeed('bulkhead plan'), /^(?![^]*application)/);
  });

  test('the agent writes what differs', async () => {
    await host.succeed('bulkhead units enable');
    const name = unit(3001, 'web');
    await host.succeed(
      `systemctl disable --now '${name}.socket' && rm '/etc/systemd/system/${name}.socket'`,
    );
    await host.until(`[ "$(systemctl is-active '${name}.socket')" = active ]`);
    await answer('web');
    await host.succeed('bulkhead units disable');
  });

  const asTenant = (user: string, command: string) => host.guest.run(command, { user });
  const define = (name: string, command: string, more = '') =>
    asTenant('ann', `bulkhead app set ${name} --command ${quote(command)} ${more}`);
  /** Returns the answer of an application without a vhost, as the web server gets it. */
  const served = async (uid: number, name: string) => {
    const socket = `/run/bulkhead-app/${uid}/${name}.sock`;
    const ask = `require('node:http').get({socketPath:'${socket}',path:'/'},r=>r.pipe(process.stdout))`;
    const said = await host.guest.succeed(`appnode -e ${quote(ask)}`, { user: 'www-data' });
    return JSON.parse(said) as Answer;
  };

  test('a tenant defines applications itself, as many as the policy lets it', async () => {
    await apply(policyOf(`${annsApps}<apps max="2"/>`));
    await host.succeed('bulkhead units enable');
    await host.until('bulkhead status');
    const own = await define('own', 'appnode server.js', '--directory /home/ann/web');
    assert.deepEqual(
      [own.status, own.stdout],
      [0, 'own is in force; to see its state: bulkhead app status\n'],
      own.stderr,
    );
    const found = await served(3001, 'own');
    assert.deepEqual([found.cgroup, found.uid, found.cwd], [cgroupOf(3001), 3001, '/home/ann/web']);
    // The agent's states are at most ten seconds old.
    await host.until(
      "su ann -s /bin/sh -c 'bulkhead app status' | grep -Eq 'ann/own +tenant +running'",
    );
    assert.match(await host.succeed('bulkhead app snippet nginx ann/own'), /3001\/own\.sock/);
    assert.match(await host.succeed('bulkhead app log ann/own'), /up/);
    await host.succeed('rm -f /home/ann/hostile');
    assert.equal((await define('spare', hostile, '--idle never')).status, 0);
    await host.until('[ "$(wc -l </home/ann/hostile)" = 1 ]');
    assert.equal(await host.succeed('cat /home/ann/hostile'), '%n %i /home/ann \\ ;|#|a b|3001\n');
    for (const [refused, reason] of [
      [await define('third', 'x'), /you have 2 applications of your own/],
      [await define('web', 'x'), /the administrator has defined "web"/],
      [await define('own', 'x', '--idle 5s'), /idle: /],
      [
        await asTenant('cat', 'bulkhead app set own --command x'),
        /your plan includes no applications/,
      ],
      [await asTenant('nobody', 'bulkhead app set own --command x'), /you are not a tenant/],
    ] as const) {
      assert.equal(refused.status, 1, refused.stdout);
      assert.match(refused.stderr, reason);
    }
    assert.equal((await served(3001, 'own')).pid, found.pid);
  });

  test('its definitions follow the policy and the administrator', async () => {
    await apply(policyOf(`${annsApps}<apps max="1"/>`));
    assert.equal(await stateOf('ann/spare'), 'not allowed');
    assert.equal((await host.run('pgrep -u ann -fx "sleep 600"')).stdout, '');
    assert.equal((await served(3001, 'own')).uid, 3001);
    await host.succeed('bulkhead app disable ann/own');
    const removed = await asTenant('ann', 'bulkhead app remove own');
    assert.match(removed.stderr, /the administrator has disabled it/);
    await host.succeed('bulkhead app enable ann/own');
    assert.equal((await asTenant('ann', 'bulkhead app remove own')).status, 0);
    await host.until(`[ ! -e '/etc/systemd/system/${unit(3001, 'own')}.socket' ]`);
    // Now there is room for the other one.
    await host.until(`[ -e '/etc/systemd/system/${unit(3001, 'spare')}.socket' ]`);
  });

  /** A script that defines an application as ben, who has a jail. */
  const post = (command: string) => {
    const path = `/v1/tenants/ben/apps?set=mine&command=${encodeURIComponent(command)}`;
    return `require("node:http").request({socketPath:"/run/bulkhead/control.sock",method:"POST",path:"${path}"},r=>r.pipe(process.stdout)).end();`;
  };

  test('a tenant defines one from its jail, where it then runs', async () => {
    await apply(policyOf(annsApps).replace('<app name="py"', '<apps max="1"/><app name="py"'));
    // The agent may not have adopted the policy yet.
    await host.until(
      `bulkhead exec ben -- appnode -e ${quote(post('exec appnode web/server.js'))} | grep '"state":"in force"'`,
    );
    const found = await served(3002, 'mine');
    assert.deepEqual([found.uid, found.homes, found.cgroup], [3002, ['ben'], cgroupOf(3002)]);
  });

  test('the next account does not get the definitions of a deleted one', async () => {
    await host.succeed('bulkhead units enable');
    await host.until('bulkhead status');
    await host.succeed('useradd -m -u 3004 dan');
    await apply(
      policyOf(`${annsApps}<apps max="1"/>`).replace(
        '</bulkhead>',
        '<tenant user="dan"><apps max="1"/></tenant></bulkhead>',
      ),
    );
    await host.until('runuser -u dan -- bulkhead app set own --command "sleep 900" --idle never');
    await host.until('pgrep -u dan -fx "sleep 900"');
    await host.succeed(
      'cp -a /var/lib/bulkhead/apps/3004.json /root/ && userdel -f -r dan; useradd -m -u 3004 dan',
    );
    await host.until('[ ! -e /var/lib/bulkhead/apps/3004.json ]');
    await host.succeed('cp -a /root/3004.json /var/lib/bulkhead/apps/ && bulkhead apply');
    assert.equal((await host.run("ls /etc/systemd/system | grep 'app@3004'")).stdout, '');
    assert.equal((await host.run('pgrep -u dan')).stdout, '');
    await host.succeed('bulkhead units disable && userdel -f -r dan');
    await apply(policyOf(annsApps));
  });

  test('applications start in slices with the systemd driver', async () => {
    const end = 'systemctl stop "bulkhead-app@*.service"';
    await host.succeed(end);
    await apply(policyOf(annsApps, 'systemd'));
    await host.succeed('bulkhead app restart ann/web');
    assert.equal(
      (await answer('web')).cgroup,
      '0::/user.slice/user-3001.slice/bulkhead-app@3001:web.service',
    );
    await host.succeed(end);
    await apply(policyOf(annsApps));
  });

  test('those that leave the policy end, with their sockets and files', async () => {
    await answer('web');
    await apply(policyOf(''));
    assert.equal((await host.run('pgrep -u ann')).stdout, '');
    assert.equal((await host.run('ls /etc/systemd/system | grep app@3001')).stdout, '');
    assert.equal((await host.run('ls /etc/systemd/system/*.wants | grep app@3001')).stdout, '');
    assert.equal(
      (await host.run("systemctl list-units --all 'bulkhead-app@3001*' --no-legend")).stdout,
      '',
    );
    await get('py');
    assert.notEqual((await host.run('bulkhead release')).status, 0);
    await host.succeed('bulkhead release --all --yes');
    assert.equal((await host.run('ls /etc/systemd/system | grep bulkhead-app')).stdout, '');
  });
});
