/**
 * The port that clients send the token to, and a tenant that wants it: it listens on one of the two
 * loopback addresses before the agent does, or on any while the agent is down.
 */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createInterface, type Interface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { Host } from '../../src/host/host.ts';
import { statusValue } from '../../src/sys/processes/process-status.ts';
import { readText } from '../../packages/base/io/read.ts';
import { program, RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';

const tenant = 64_251;
const token = 'a-token-of-this-test-alone';
const here = hostHere(`bulkhead-port-${process.pid}`);
const loopbacks = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .flatMap(({ address }) => (['127.0.0.1', '::1'].includes(address) ? [address] : []));

if ('skip' in here) test('port of the API token', { skip: here.skip }, () => {});
else suite(here.host);

/** Listens on ADDRESS PORT for as long as it lives, with the options that are named; or says why not. */
const listener = `use Socket qw(:all); my ($address, $port, $reuse) = @ARGV;
my $six = $address =~ /:/; socket(my $s, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or die "$!\\n";
setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1) if $reuse & 1;
setsockopt($s, SOL_SOCKET, 15, 1) if $reuse & 2;
my $packed = inet_pton($six ? AF_INET6 : AF_INET, $address);
bind($s, $six ? pack_sockaddr_in6($port, $packed) : pack_sockaddr_in($port, $packed)) && listen($s, 9)
  or die "$!\\n"; $| = 1; print "listening\\n"; sleep 600;`;

/** A service manager: it listens, passes the sockets on at each start, and keeps them. */
const manager = `BEGIN { $^F = 99 } use Socket qw(:all); use POSIX (); my $port = shift; my @addresses = split /,/, shift;
my $at = 0; $| = 1;
for my $address (@addresses) {
  my $six = $address =~ /:/; socket(my $s, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or die "$!";
  my $packed = inet_pton($six ? AF_INET6 : AF_INET, $address);
  bind($s, $six ? pack_sockaddr_in6($port, $packed) : pack_sockaddr_in($port, $packed)) or die "$!";
  listen($s, 9) or die "$!"; POSIX::dup2(fileno($s), 50 + $at++);
}
POSIX::dup2(50 + $_, 3 + $_) for 0 .. $at - 1;
print "listening\\n"; my $child;
while (<STDIN>) {
  if (/start/) {
    $child = fork // die "$!";
    if ($child == 0) {
      POSIX::close(50 + $_) for 0 .. $at - 1;
      open STDIN, "<", "/dev/null"; open STDOUT, ">&STDERR";
      $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = $at; exec @ARGV or die "$!";
    }
    print "started $child\\n";
  } else { kill "TERM", $child; waitpid $child, 0; print "stopped\\n" }
}`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Listens as the tenant. Returns the child if it listens now, or the kernel's error. */
async function listen(address: string, port: number, reuse = 0): Promise<ChildProcess | string> {
  const child = spawn('perl', ['-e', listener, address, String(port), String(reuse)], {
    uid: tenant,
    gid: tenant,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const first = await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
  return String(first[0]) === 'listening\n' ? child : said.trim();
}

/** Returns the status or error that a client gets at one address. */
const get = (host: string, port: number): Promise<number | string> =>
  new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` };
    const sent = request({ host, port, path: '/v1/status', headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    sent.end();
  });

function suite(host: Host): void {
  const prepare = async () => {
    const port = await freePort();
    const agent = new RunningAgent(host);
    const tokenFile = `${agent.directory}/token`;
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
    agent.writePolicy(`<agent listen="127.0.0.1:${port}" token="${tokenFile}"/>`);
    const run = async (...args: readonly string[]) => {
      const all = ['--instance', host.paths.instance, ...args];
      const { stdout, stderr } = await promisify(execFile)(program, all);
      return `${stdout}${stderr}`.replaceAll(/\s+/g, ' ');
    };
    const advice = async () => [
      await run('check', agent.policyFile),
      await run('doctor'),
      await run('doctor', '--json'),
    ];
    return { agent, port, advice };
  };

  for (const [index, address] of loopbacks.entries()) {
    test(`a tenant that listens on ${address} before the agent gets no token`, async () => {
      const { agent, port, advice } = await prepare();
      await using _agent = agent;
      const thief = await listen(address, port);
      assert.ok(typeof thief !== 'string', 'the tenant cannot listen');
      try {
        await agent.start();
        await agent.until('it says so', () => agent.log.includes('it is served on no address'));
        assert.match(agent.log, new RegExp(`Cannot serve the API on ${address} port ${port}: `));
        for (const each of loopbacks.filter((other) => other !== address)) {
          assert.equal(await get(each, port), 'ECONNREFUSED');
        }
        assert.equal((await agent.status()).tcp, undefined);
        if (index === 0) {
          for (const text of await advice()) {
            assert.match(
              text,
              /it is unknown whether a service manager holds it.* bulkhead\.socket/,
            );
          }
        }
      } finally {
        thief.kill('SIGKILL');
      }
      await agent.until('it is served', async () => (await agent.status()).tcp !== undefined);
      const { tcp } = await agent.status();
      assert.deepEqual(tcp?.addresses.toSorted(), loopbacks.toSorted());
      for (const each of loopbacks) assert.equal(await get(each, port), 200);
      for (const text of index === 0 ? await advice() : []) {
        assert.match(
          text,
          /while the agent is down and collect the token: run bulkhead units enable/,
        );
      }
      assert.doesNotMatch(agent.log, /localhost/);
    });
  }

  test('a tenant cannot listen on a port that systemd holds for the agent', async (context) => {
    const { agent, port, advice } = await prepare();
    await using _agent = agent;
    const service = await startManager(context, agent, port);
    for (let round = 0; round < 2; round++) {
      const pid = await service.command('start', /^started \d+$/);
      await agent.until('it answers', async () => (await agent.ask('/v1/status')).status === 200);
      await agent.until('it is served', async () => (await agent.status()).tcp !== undefined);
      assert.equal((await agent.status()).tcp?.socketActivated, true, agent.log);
      for (const each of loopbacks) assert.equal(await get(each, port), 200);
      await refused(port);
      assertNotInherited(pid);
      for (const text of await advice()) assert.doesNotMatch(text, /bulkhead\.socket/);
      await service.command('stop', /^stopped$/);
      assert.equal((await agent.ask('/v1/status')).status, 0);
      await refused(port);
    }
    assert.match(agent.log, /, held by the service manager/);
  });

  async function startManager(context: TestContext, agent: RunningAgent, port: number) {
    const words = [program, '--instance', host.paths.instance, 'agent', '-p', agent.policyFile];
    const child = spawn('perl', ['-e', manager, String(port), loopbacks.join(), ...words], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stderr.on('data', (chunk: Buffer) => (agent.log += chunk.toString()));
    const lines = createInterface({ input: child.stdout });
    let started = 0;
    context.after(() => {
      child.kill('SIGKILL');
      if (started > 0) process.kill(started, 'SIGKILL');
    });
    assert.equal(await nextLine(lines), 'listening');
    const command = async (word: 'start' | 'stop', answer: RegExp) => {
      const line = nextLine(lines);
      child.stdin.write(`${word}\n`);
      assert.match(await line, answer);
      started = Number(/\d+/.exec(await line)?.[0] ?? 0);
      return started;
    };
    return { command };
  }
}

async function nextLine(lines: Interface): Promise<string> {
  const [line] = (await Promise.race([once(lines, 'line'), once(lines, 'close')])) as [string?];
  return line ?? 'it has ended';
}

/** Checks that the agent's children have none of the sockets, which would outlive it there. */
function assertNotInherited(agent: number): void {
  const descriptors = (pid: number | string) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return [];
    }
  };
  const inherited = loopbacks.map((_, index) => readlinkSync(`/proc/${agent}/fd/${3 + index}`));
  for (const each of inherited) assert.match(each, /^socket:/);
  const children = readdirSync('/proc').filter(
    (pid) => statusValue(readText(`/proc/${pid}/status`) ?? '', 'PPid') === String(agent),
  );
  assert.ok(children.length > 0);
  for (const child of children) {
    for (const each of descriptors(child)) assert.ok(!inherited.includes(each));
  }
}

/** Checks that the tenant cannot listen there, whatever it tries. */
async function refused(port: number): Promise<void> {
  const wider = loopbacks.includes('::1') ? ['::', '::ffff:127.0.0.1'] : [];
  for (const address of [...loopbacks, '0.0.0.0', ...wider]) {
    for (const reuse of [0, 1, 2, 3]) {
      assert.equal(await listen(address, port, reuse), 'Address already in use', address);
    }
  }
}
