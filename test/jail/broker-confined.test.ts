/** The broker confines mail programs: they show nothing of the host, and get the tenant's limits. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { eventually } from '../../testing/patience.ts';
import { skip, call, BrokerStage, exeOf } from './broker-stage.ts';

const stage = new BrokerStage('conf');
const { instance, alice, policy, uids, gids, ownSbin, brokerArgs, inside, start, listen } = stage;

const withMail = (name: string, program: string, mode = '755') =>
  [
    'unshare',
    '--mount',
    'sh',
    '-ec',
    'rm -rf "$1"; cp -a /usr/sbin "$1"; mount --bind "$1" /usr/sbin; rm -f /usr/sbin/sendmail "/usr/sbin/$2"; cp "$3" "/usr/sbin/$2"; chmod "$4" "/usr/sbin/$2"; [ "$2" = sendmail ] || ln -s "$2" /usr/sbin/sendmail; shift 4; exec "$@"',
    'sh',
    ownSbin,
    name,
    program,
    mode,
    ...brokerArgs,
  ] as const;

describe('mail programs of bulkhead-broker', { skip }, () => {
  stage.register();

  test('shows nothing of the host when a jailed process looks into its programs', async () => {
    const [found, own] = await look(() => {
      for (let count = 0; count < 40; count++) inside('crontab -l');
      for (let count = 0; count < 10; count++) inside(`/usr/sbin/sendmail ${alice}`, 'x\n');
    });
    assert.equal(found, 0);
    assert.ok((own ?? 0) > 0);
    // Another process of its uid outside does lead out, so the program can tell.
    const ids = [`--reuid=${uids.alice}`, `--regid=${gids.alice}`, '--clear-groups'];
    await eventually('the program can tell', async () => {
      const [leads = 0] = await look(() => void call('setpriv', [...ids, 'sleep', '2']));
      return leads > 0;
    });
  });

  test('shows nothing of the host when it runs a copy that is not setuid', async () => {
    // The input comes back.
    await listen(withMail('msmtp', '/usr/bin/tee'));
    const text = 'a line of text\n'.repeat(50_000);
    const [found] = await look(() => {
      for (let count = 0; count < 20; count++) {
        const { status, stdout, stderr } = inside('/usr/sbin/sendmail -i', text);
        assert.deepEqual([status, stderr, stdout === text], [0, '', true]);
      }
    });
    assert.equal(found, 0);
    const { uid, mode } = statSync(`/var/lib/${instance}/broker/sendmail`);
    assert.deepEqual([uid, mode & 0o7777], [0, 0o711]);
  });

  test('runs programs as the tenant: groups, cgroup, limits, and a clean environment', async () => {
    await listen(withMail('msmtp', '/usr/bin/yes'));
    execFileSync('usermod', ['-a', '-G', 'games', alice]);
    const client = start(['env', 'TRICK=yes', '/usr/sbin/sendmail', 'me@example.org'], 'ignore');
    const program = `/var/lib/${instance}/broker/sendmail`;
    const pid = await eventually('it runs', () =>
      readdirSync('/proc').find((each) => exeOf(each) === program),
    );
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.match(status, new RegExp(`^Uid:(\\s+${uids.alice}){4}$`, 'm'));
    assert.match(status, new RegExp(`^Groups:.*\\b60\\b`, 'm'));
    assert.match(status, /^CapEff:\s+0+$/m);
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`/u${uids.alice}$`, 'm'));
    assert.equal(readlinkSync(`/proc/${pid}/cwd`), '/');
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').sort();
    assert.deepEqual(
      variables.filter((each) => each !== '').map((each) => each.split('=')[0]),
      ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'USER'],
    );
    assert.ok(variables.includes('HOME=/nonexistent'));
    const open = () => readdirSync(`/proc/${pid}/fd`).sort().join(' ');
    // While it starts, it has the libraries open.
    await eventually('it has what it was given, and nothing else', () => open() === '0 1 2', open);
    process.kill(Number(pid), 'SIGKILL');
    const [code] = (await once(client, 'exit')) as [number];
    assert.equal(code, 128 + 9);
  });

  test('refuses an unknown mail program when the kernel cannot confine it', async () => {
    for (const [name, mode] of [
      ['esmtp', '755'],
      ['sendmail', '755'],
      ['sendmail', '2755'],
      // These are known only by name.
      ['exim4', '755'],
      ['dma', '755'],
      ['smtpctl', '755'],
      // Others than root can change it.
      ['msmtp', '777'],
    ] as const) {
      await listen(withMail(name, '/usr/bin/tee', mode));
      stage.log = '';
      const { status, stderr } = inside('/usr/sbin/sendmail -i', 'x');
      assert.equal(status, 69, `${name} ${mode}`);
      assert.match(stderr, /The mail program of this host is not run for a jail/);
      await eventually('the log says why', () =>
        stage.log.includes('/usr/sbin/sendmail is none of dma, exim, msmtp, opensmtpd, postfix'),
      );
    }
  });

  test('makes Exim only queue mail when the kernel cannot confine its delivery', async () => {
    // The output shows the args.
    await listen(withMail('exim4', '/usr/bin/echo', '4755'));
    const { stdout } = inside('/usr/sbin/sendmail -odi -i -odb me@example.org');
    assert.equal(stdout, '-odq -i me@example.org\n');
  });

  test('limits the input of one tenant to its share of the space', async () => {
    await listen(withMail('msmtp', '/usr/bin/tee'));
    const send = (megabytes: number) =>
      start([
        'sh',
        '-c',
        `(head -c ${megabytes}000000 /dev/zero; echo sent >&2; exec sleep 3600) | /usr/sbin/sendmail -i; echo "$?" >&2`,
      ]);
    const first = send(40);
    const directory = `/run/${instance}/broker-slots`;
    const taken = (name: string) =>
      readdirSync(directory).filter(
        (each) =>
          new RegExp(`^${name}\\.\\d+$`).test(each) &&
          call('flock', ['--nonblock', `${directory}/${each}`, 'true']).status === 1,
      ).length;
    await eventually('its input is there', () => taken('input') === 10);
    assert.equal(taken(`${uids.alice}.input`), 10);
    const second = inside(`head -c 40000000 /dev/zero | /usr/sbin/sendmail -i`);
    assert.equal(second.status, 75, second.stderr);
    assert.match(second.stderr, /have 64 MiB of input already/);
    assert.equal(inside('/usr/sbin/sendmail -i', 'x'.repeat(1_000_000)).status, 0);
    first.kill('SIGKILL');
    execFileSync('pkill', ['-KILL', '-U', `${uids.alice}`]);
    await eventually('the space is free again', () => taken('input') === 0);
  });
});

/**
 * Counts how often a process of the tenant showed the host's files, and how often its own jail, while something was
 * done.
 */
const look = async (meanwhile: () => void): Promise<readonly number[]> => {
  // The broker must confine programs even if the kernel has no Landlock.
  const stateFile = `/run/${instance}/jail/tenants/${uids.alice}`;
  const before = readFileSync(stateFile, 'utf8');
  writeFileSync(stateFile, before.replace('landlock yes', 'landlock no'));
  const child = start([
    'perl',
    '-e',
    String.raw`$| = 1; print "looking\n"; my ($found, $own) = (0, 0);
      $SIG{TERM} = sub { print "found $found $own\n"; exit };
      while (1) { for (glob '/proc/[0-9]*') { $own++ if -e "$_/root/.bulkhead"; $found++ if -e "$_/root/${policy}" } }`,
  ]);
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child.stdout!, 'data');
  writeFileSync(stateFile, before);
  meanwhile();
  child.kill('SIGTERM');
  await once(child, 'close');
  return (/found (\d+) (\d+)/.exec(text) ?? []).slice(1).map(Number);
};
