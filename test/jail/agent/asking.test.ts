/** Tenants ask the agent from inside their jails, and try to see or do more than they may. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { createInterface } from 'node:readline';
import type { ErrorResponse, TopResponse } from '../../../src/agent/api/api.ts';
import { jailSocketDirectory } from '../../../src/host/paths.ts';
import { eventually } from '../../../testing/patience.ts';
import { JailStage } from '../stage.ts';
import { AgentInJailStage, socketInside } from './stage.ts';

const stage = new AgentInJailStage('bulkhead-jail-agent');
const [alice, bob, reseller, carol] = [620_501, 620_502, 620_503, 620_504] as const;
const policy = `<agent interval="1s"/>
  <defaults><jail profile="web"/><sites limits="tenant reseller"/></defaults>
  <tenant uid="${alice}"><site name="shop.example"/></tenant>
  <tenant uid="${bob}"/>
  <reseller uid="${reseller}"><tenant uid="${carol}"/><tenant uid="${reseller}"/></reseller>`;

const change = `/v1/tenants/shop.example/limits?set=cpu.limit%3D50%25&check=1`;
const uidsOf = (body: unknown) => [...new Set((body as TopResponse).rows.map(({ uid }) => uid))];
const kindsOf = (body: unknown) => (body as TopResponse).rows.map(({ kind }) => kind);

describe('the agent, asked from a jail', { skip: stage.skip }, () => {
  const directory = jailSocketDirectory({ runtime: `/run/${stage.instance}` } as never);
  const socket = `${directory}/control.sock`;

  before(async () => {
    stage.prepare(policy);
    stage.apply();
    await stage.agent.start();
  });
  after(async () => {
    await stage[Symbol.asyncDispose]();
  });

  test('shows a tenant itself and its sites, and no other tenant', () => {
    const top = stage.ask(alice, '/v1/top?all=1');
    assert.equal(top.status, 200, JSON.stringify(top.body));
    assert.deepEqual(uidsOf(top.body), [alice]);
    assert.deepEqual(kindsOf(top.body).sort(), ['site', 'tenant']);
    assert.equal(stage.ask(alice, '/v1/tenants/shop.example/limits').status, 200);
    for (const path of ['/v1/usage', '/v1/incidents', '/v1/advise'])
      assert.doesNotMatch(JSON.stringify(stage.ask(alice, path).body), /62050[2-4]/, path);
  });

  test('answers the same for a tenant that exists and for one that does not', () => {
    const [exists, absent] = [bob, 620_599].map((uid) =>
      stage.ask(alice, `/v1/tenants/${uid}/processes`),
    );
    assert.equal(exists?.status, 404);
    assert.equal(absent?.status, 404);
    const text = (body: unknown) => (body as ErrorResponse).error.replaceAll(/\d+/g, 'UID');
    assert.equal(text(exists.body), text(absent.body));
  });

  test('shows a reseller its own account, and neither its tenants nor their sum', () => {
    const outside = [
      'setpriv',
      '--reuid',
      `${reseller}`,
      '--regid',
      `${reseller}`,
      '--clear-groups',
    ];
    const all = stage.askOutside(`/run/${stage.instance}/control.sock`, outside, '/v1/top?all=1');
    assert.deepEqual(uidsOf(all.body).sort(), [reseller, carol]);
    const top = stage.ask(reseller, '/v1/top?all=1');
    assert.deepEqual([uidsOf(top.body), kindsOf(top.body)], [[reseller], ['tenant']]);
    for (const name of [`r${reseller}`, `${carol}`])
      assert.equal(stage.ask(reseller, `/v1/tenants/${name}/processes`).status, 404, name);
  });

  test('changes nothing, although the same tenant may change it from outside', async () => {
    assert.equal((await stage.agent.ask(change, alice, 'POST')).status, 200);
    for (const path of [change, '/v1/alerts/test', '/v1/top']) {
      const refused = stage.ask(alice, path, 'POST');
      assert.equal(refused.status, 403, path);
      assert.match((refused.body as ErrorResponse).error, /only applications can be changed/);
    }
    for (const method of ['PUT', 'DELETE', 'PATCH'])
      assert.equal(stage.ask(alice, change, method).status, 403, method);
    for (const path of ['/v1/status', '/metrics']) assert.equal(stage.ask(alice, path).status, 403);
  });

  test('does nothing for root that a link led to the socket of jails', async () => {
    const ask = stage.askOutside(socket, ['env'], '/v1/top');
    assert.equal(ask.status, 0, JSON.stringify(ask.body));
    const tenant = ['setpriv', '--reuid', `${bob}`, '--regid', `${bob}`, '--clear-groups'];
    assert.deepEqual(uidsOf(stage.askOutside(socket, tenant, '/v1/top?all=1').body), [bob]);
  });

  test('knows a root of a user namespace by its uid on the host', (t) => {
    const tenant = ['setpriv', '--reuid', `${bob + 97}`, '--regid', `${bob}`, '--clear-groups'];
    const mapped = [...tenant, 'unshare', '--user', '--map-root-user'];
    const own = `/run/${stage.instance}/control.sock`;
    const asked = [socket, own].map((each) => stage.askOutside(each, mapped, '/v1/status'));
    if (asked.some(({ body }) => /unshare failed/.test(JSON.stringify(body)))) {
      t.skip('this kernel lets no account make a user namespace');
      return;
    }
    assert.deepEqual(
      asked.map(({ status }) => status),
      [403, 403],
    );
    const top = stage.askOutside(own, mapped, '/v1/top');
    assert.match((top.body as ErrorResponse).error, /not a tenant of this host/);
  });

  test('is at no other path, and its directory leads to nothing else', () => {
    const list = (path: string) => stage.inside(alice, 'ls', '-A', path).text.trim().split('\n');
    assert.deepEqual(list('/run/bulkhead/agent'), ['control.sock']);
    const outside = readdirSync(`/run/${stage.instance}`);
    assert.ok(outside.includes('agent.lock'), outside.join());
    const inside = list('/run/bulkhead/agent/..');
    assert.deepEqual(
      inside.filter((each) => /lock|jail|launch/.test(each)),
      [],
    );
    // O_PATH | O_DIRECTORY, and O_PATH of the socket itself.
    const script = `use Fcntl; sysopen(my $d, "/run/bulkhead/agent", 0x200000 | 0x10000) or die $!;
      sysopen(my $s, "/run/bulkhead/agent/control.sock", 0x200000) or die $!;
      for my $path ("/proc/self/fd/" . fileno($d) . "/../agent.lock", "/proc/self/fd/" . fileno($d) . "/../control.sock/../jail") {
        print "reached $path\\n" if -e $path;
      }
      print "opened\\n" if sysopen(my $f, "/proc/self/fd/" . fileno($s), O_RDWR);
      for my $how (sub { unlink "/run/bulkhead/agent/control.sock" }, sub { rename "/run/bulkhead/agent/control.sock", "/run/bulkhead/agent/x" }, sub { chmod 0600, "/run/bulkhead/agent/control.sock" }, sub { open my $n, ">", "/run/bulkhead/agent/new" }, sub { unlink "${socketInside}" }) {
        print "changed\\n" if $how->();
      }
      print "done\\n";`;
    assert.equal(stage.inside(alice, 'perl', '-e', script).text, 'done\n');
  });

  test('keeps connections of a jail from locking out root, others, and the tenant outside', async () => {
    // Each sends a request and reads no response.
    const script = `use IO::Socket::UNIX; $| = 1; $SIG{PIPE} = 'IGNORE'; my @open;
      for (1 .. 40) { my $s = IO::Socket::UNIX->new(Peer => "${socketInside}") or next; syswrite $s, "GET /v1/top?all=1 HTTP/1.1\\r\\nHost: x\\r\\n"; push @open, $s; }
      print "open\\n"; <STDIN>;
      my $kept = grep { $_->blocking(0); my $n = sysread $_, my $b, 1; !defined $n && $!{EAGAIN} } @open; print "kept $kept\\n";`;
    const child = stage.startInside(alice, 'perl', '-e', script);
    const lines = createInterface(child.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, 'open');
    for (const uid of [0, alice, bob])
      assert.equal((await stage.agent.ask('/v1/top', uid)).status, 200, `uid ${uid}`);
    assert.equal(stage.ask(bob, '/v1/top').status, 200);
    const exited = once(child, 'exit');
    child.stdin?.end('\n');
    assert.match(`${(await lines.next()).value}`, /^kept [0-8]$/);
    await exited;
  });

  test('answers root and other tenants while 24 uids hold all connections of jails', async () => {
    const script = `use IO::Socket::UNIX; $| = 1; my @children;
      for my $uid (620600 .. 620623) {
        pipe(my $from, my $to); my $child = fork;
        if (!$child) {
          $( = $) = "$uid $uid"; $< = $> = $uid; my @open;
          for (1 .. 8) { push @open, IO::Socket::UNIX->new(Peer => "${socket}") // (); }
          print $to scalar(@open), "\\n"; close $to; sleep 600; exit;
        }
        close $to; my $opened = <$from>; push @children, $child; $all += $opened;
      }
      print "open $all\\n"; <STDIN>; kill 9, @children; waitpid $_, 0 for @children;`;
    const child = spawn('perl', ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    try {
      assert.equal((await lines.next()).value, 'open 192');
      for (const uid of [alice, bob, carol]) assert.equal(stage.ask(uid, '/v1/top').status, 200);
      for (const uid of [0, alice])
        assert.equal((await stage.agent.ask('/v1/top', uid)).status, 200, `uid ${uid}`);
    } finally {
      child.stdin.end('\n');
      await exited;
    }
  });

  test('is there again after a restart, in a jail that was open all the time', async () => {
    const child = stage.startInside(
      alice,
      'sh',
      '-c',
      'read x; exec perl -e \'use IO::Socket::UNIX; my $t = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!"; print $t "GET /v1/top HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"; print scalar <$t>\' ' +
        socketInside,
    );
    await stage.agent.stop('SIGKILL');
    await stage.agent.start();
    const lines = createInterface(child.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]();
    child.stdin?.end('\n');
    assert.match(`${(await lines.next()).value}`, /^HTTP\/1\.1 200 /);
  });

  test('comes into a jail that was opened before any agent ran', async () => {
    await stage.agent.stop();
    stage.bulkhead('release', '--kill');
    stage.apply();
    const child = stage.startInside(
      bob,
      'sh',
      '-c',
      `ls ${socketInside} 2>&1; echo; read x; ls -l ${socketInside}/ 2>&1; test -S ${socketInside} && echo socket`,
    );
    const lines = createInterface(child.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]();
    const first = [];
    for (let line = await lines.next(); line.value !== ''; line = await lines.next())
      first.push(line.value);
    await stage.agent.start();
    child.stdin?.end('\n');
    const rest = [];
    for await (const line of { [Symbol.asyncIterator]: () => lines }) rest.push(line);
    assert.ok(rest.includes('socket'), [...first, ...rest].join('\n'));
    await eventually('it answers', () => stage.ask(bob, '/v1/top').status === 200);
  });
});

test(
  "a jail of a site has no socket of the agent, since its uid is the tenant's",
  { skip: stage.skip },
  async () => {
    const jails = new JailStage('agent-site');
    try {
      await jails.release();
      await jails.build(jails.tenant(alice), jails.site(alice, 'shop.example'));
      assert.match(jails.see(alice, 'ls -A /run/bulkhead'), /^agent$/m);
      const names = jails.see(`${alice}-shop.example` as never, 'ls -A /run/bulkhead').split('\n');
      assert.deepEqual(
        names.filter((each) => /agent|control/.test(each)),
        [],
      );
    } finally {
      await jails[Symbol.asyncDispose]();
    }
  },
);
