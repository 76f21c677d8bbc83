/** `exec` passes notifications of services in jails on to systemd. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { kill } from 'node:process';
import { before, test, type TestContext } from 'node:test';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { launcher, jailed, LauncherStage } from './launcher-stage.ts';

const stage = new LauncherStage('bulkhead-jail-services');
const { instance, skip, exec, mustApply } = stage;

before(() => {
  if (skip === false) mustApply();
});

/** Listens as systemd does, and returns what it has heard since the last call. */
async function notifySocket(t: TestContext, address: string): Promise<() => string> {
  const listener = spawn(
    'perl',
    [
      '-e',
      String.raw`use Socket; $| = 1; my $s; socket($s, PF_UNIX, SOCK_DGRAM, 0) && bind($s, sockaddr_un($ARGV[0])) or die $!;
        print "listens\n"; while (defined recv $s, my $m, 65536, 0) { $m =~ s/\n/;/g; print "$m\n" }`,
      address,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let heard = '';
  listener.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  t.after(async () => {
    const ended = once(listener, 'exit');
    listener.kill('SIGKILL');
    await ended;
  });
  await eventually('somebody listens', () => heard.includes('listens'));
  heard = '';
  return () => heard;
}

/** The command that runs a Perl program with `inform(TEXT)` as a service of the jailed tenant. */
function serviceCommand(script: string): readonly string[] {
  const prelude = String.raw`use Socket; our $s; socket($s, PF_UNIX, SOCK_DGRAM, 0) or die $!;
      sub inform { my ($text, $flags) = @_; send $s, $text, $flags // 0, sockaddr_un($ENV{NOTIFY_SOCKET}) }`;
  const words = ['--instance', instance, '--keep-env', 'NOTIFY_SOCKET', `${jailed}`, '--'];
  return [...words, 'perl', '-e', `${prelude} ${script}`];
}

const serviceEnvironment = (address: string) => ({
  PATH: '/usr/bin:/bin',
  NOTIFY_SOCKET: address,
});

test(
  'exec passes notifications of the service itself to systemd, a few times a second',
  { skip },
  async (t) => {
    const address = `${stage.scratch}/notify`;
    const heard = await notifySocket(t, address);
    const service = (script: string) =>
      spawnSync(launcher, serviceCommand(script), {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
        env: serviceEnvironment(address),
      });
    const said = service(String.raw`
      if (!fork) { inform("STATUS=of a child"); exit }
      wait; inform("READY=1\nMAINPID=1\nSTATUS=it works\nFDSTORE=1\nREADY=12"); print $ENV{NOTIFY_SOCKET};`);
    assert.deepEqual([said.status, said.stderr], [0, '']);
    assert.match(said.stdout, /^\/\.bulkhead\/notify-\d+$/);
    await eventually('it is passed on', () => heard().includes('READY'));
    assert.equal(heard(), 'READY=1;STATUS=it works;\n');
    const began = performance.now();
    const flood = service(String.raw`
      my $end = time + 2; my $n = 0; while (time < $end) { $n++ if inform("WATCHDOG=1", MSG_DONTWAIT) } inform("STOPPING=1"); print $n;`);
    assert.equal(flood.status, 0, flood.stderr);
    assert.ok(Number(flood.stdout) > 0);
    await eventually('the end is told', () => heard().includes('WATCHDOG'));
    const inside = `ls /.bulkhead | grep -c notify || true`;
    await eventually('nothing is left', () => exec(jailed, 'sh', '-c', inside).stdout === '0\n');
    const most = 20 + 8 + (performance.now() - began) / 500;
    assert.ok(heard().split('\n').length <= most + 2, heard());
  },
);

test('exec passes on the last notification of a service that has ended', { skip }, async (t) => {
  const address = `${stage.scratch}/notify-last`;
  const heard = await notifySocket(t, address);
  const service = spawn(
    launcher,
    serviceCommand('$| = 1; print "runs"; <STDIN>; inform("STOPPING=1");'),
    { env: serviceEnvironment(address), stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const ended = once(service, 'exit');
  await once(service.stdout, 'data');
  const children = readFileSync(`/proc/${service.pid}/task/${service.pid}/children`, 'utf8');
  const relay = Number(children);
  assert.ok(relay > 1, children);
  kill(relay, 'SIGSTOP');
  service.stdin.end('\n');
  await ended;
  kill(relay, 'SIGCONT');
  await eventually('it is passed on', () => heard().includes('STOPPING'));
  assert.equal(heard(), 'STOPPING=1;\n');
});
