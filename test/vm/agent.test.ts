/**
 * The agent as a service of systemd, in its sandbox, on an unmodified Debian kernel with cgroup v2:
 * logins, the journal, restarts, pressure, and whom the kernel ended.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { IncidentResponse, IncidentsResponse, TopResponse } from '../../src/agent/api/api.ts';
import type { StatusResponse } from '../../src/agent/api/status-response.ts';
import { copyInstalled } from '../../testing/vm/installed.ts';
import { startGuest, type Guest } from '../../testing/vm/guest.ts';
import { prepareGuests } from '../../testing/vm/suite.ts';
import { longPatienceMilliseconds } from '../../testing/patience.ts';

const guests = await prepareGuests(import.meta.filename);

/** A look at what the agent has measured takes seconds in a guest, and the agent measures every two. */
const looksMax = 100;
/** The process that applies the policy for the agent, in a pattern that does not match itself. */
const applying = '[a]pply-child';

const limits =
  '<host driver="cgroup2"/><agent interval="2s"/><tenants uids="3000-3999"/><defaults><cpu limit="100%"/><memory limit="128MiB"/><processes limit="60"/></defaults>';

suite('the agent as a systemd service', { skip: guests.skip }, () => {
  let guest: Guest;
  const policy = (body: string) =>
    guest.succeed('mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml', {
      input: `<bulkhead version="1">${body}</bulkhead>\n`,
    });
  const json = async <T>(words: string): Promise<T> => {
    const { stdout, stderr } = await guest.run(`bulkhead ${words} --json`, {
      timeoutMs: longPatienceMilliseconds,
    });
    assert.notEqual(stdout, '', `bulkhead ${words}: ${stderr}`);
    return JSON.parse(stdout) as T;
  };
  const status = async () => (await json<{ agent: StatusResponse }>('status')).agent;
  /** Waits until a shell condition holds; otherwise the test fails with the service's log. */
  const until = (what: string) => guest.until(what);
  const cgroup = (uid: number) => `/sys/fs/cgroup/bulkhead-tenants.service/u${uid}`;

  before(
    async () => {
      guest = await startGuest(guests.image, 1);
      await copyInstalled(guest);
      await policy(limits);
      await guest.succeed(
        'cp /opt/bulkhead/packaging/bulkhead.service /etc/systemd/system/ && useradd -m -u 3001 -s /bin/sh ann && useradd -m -u 3002 -s /bin/sh ben && systemctl daemon-reload',
      );
      await guest.succeed('systemctl start bulkhead', { timeoutMs: longPatienceMilliseconds });
    },
    { timeout: longPatienceMilliseconds },
  );
  after(() => guest[Symbol.asyncDispose]());

  test('is ready once the policy is in force, and is in its sandbox', async () => {
    assert.equal(await guest.succeed('systemctl is-active bulkhead'), 'active\n');
    const { policy, placement, history, tenants } = await status();
    assert.equal(policy.state, 'in force', policy.problems.join('\n'));
    assert.equal(tenants, 2);
    assert.equal(history.state, 'on');
    assert.equal(placement.state, 'on', placement.problem ?? '');
    assert.equal(await guest.succeed(`cat ${cgroup(3001)}/pids.max`), '60\n');
    assert.match(
      await guest.succeed('grep CapBnd /proc/$(systemctl show -P MainPID bulkhead)/status'),
      /^CapBnd:\t0000/,
    );
    assert.equal(
      (await guest.run('nsenter -m -t $(systemctl show -P MainPID bulkhead) touch /usr/x')).status,
      1,
    );
  });

  test('writes to the journal without its own times and priorities', async () => {
    const text = await guest.succeed('journalctl -u bulkhead -o short --no-pager');
    assert.match(text, /Applied \/etc\/bulkhead\/policy\.xml to 2 tenants/);
    assert.doesNotMatch(text, /<6>|\d{4}-\d\d-\d\dT/);
  });

  test(
    'places logins by su and ssh, and processes that they start',
    { timeout: longPatienceMilliseconds },
    async () => {
      await guest.succeed(
        'su ann -c "setsid sh -c \'sleep 601 & sleep 602\' >/dev/null 2>&1 </dev/null &"',
      );
      await until(`[ $(grep -c . ${cgroup(3001)}/cgroup.procs) -ge 2 ]`);
      await guest.succeed(
        'su ben -c "mkdir -p -m 700 ~/.ssh && ssh-keygen -q -t ed25519 -N \'\' -f ~/.ssh/id && cp ~/.ssh/id.pub ~/.ssh/authorized_keys"',
      );
      const { status: code, stderr } = await guest.run(
        '/usr/sbin/sshd -p 2222 && ssh -p 2222 -i /home/ben/.ssh/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null ben@localhost "setsid sleep 603 >/dev/null 2>&1 </dev/null & sleep 1; cat /proc/self/cgroup"',
        { timeoutMs: longPatienceMilliseconds },
      );
      assert.equal(code, 0, stderr);
      await until(`grep -qx $(pgrep -fx "sleep 603") ${cgroup(3002)}/cgroup.procs`);
      const found = await json<{ outside: readonly { uid: number; reason: string }[] }>('status');
      // A user manager of systemd owns its cgroup, and is reported rather than moved.
      assert.deepEqual(
        found.outside.filter((each) => !/user manager/.test(each.reason)),
        [],
      );
    },
  );

  test(
    'measures pressure, and reports OOM kills',
    { timeout: longPatienceMilliseconds },
    async () => {
      await guest.succeed(`su ann -c "perl -e 'fork; 1 while 1'" > /dev/null 2>&1 &`);
      let pressure = 0;
      try {
        for (let looks = 0; looks < looksMax && pressure < 0.05; looks++) {
          const top = await json<TopResponse>('top --once');
          pressure = top.rows.find((each) => each.uid === 3001)?.usage.cpuPressure ?? 0;
        }
      } finally {
        await guest.run('pkill -u ann perl');
      }
      assert.ok(pressure >= 0.05, `${pressure}`);
      await guest.succeed(
        'su ben -c "sleep 1; head -c 600000000 /dev/zero | tail > /dev/null" || true',
        { timeoutMs: longPatienceMilliseconds },
      );
      let ended: IncidentsResponse['incidents'][number] | undefined;
      for (let looks = 0; looks < looksMax && ended === undefined; looks++) {
        const { incidents } = await json<IncidentsResponse>('faults ben --severity killed');
        ended = incidents.find((each) => each.snapshots > 0);
      }
      assert.equal(ended?.limit, 'memory.limit');
      const incident = await json<IncidentResponse>(`incident ${ended?.id}`);
      const killed = incident.evidence.flatMap((each) => each.killed ?? []);
      assert.equal(killed[0]?.name, 'tail');
      assert.match(incident.explanation.join(' '), /tail/);
    },
  );

  test('shows a tenant only itself', async () => {
    const { stdout } = await guest.run(
      `su ann -c 'bulkhead usage; bulkhead top --once; bulkhead ps'`,
    );
    assert.match(stdout, /ann: /);
    assert.match(stdout, /sleep 60[12]/);
    assert.doesNotMatch(stdout, /ben/);
  });

  test(
    'leaves tenants as they are when it is restarted, killed or stopped',
    { timeout: longPatienceMilliseconds },
    async () => {
      const before = await guest.succeed(`cat ${cgroup(3001)}/cgroup.procs`);
      assert.notEqual(before, '');
      await guest.succeed('systemctl restart bulkhead', { timeoutMs: longPatienceMilliseconds });
      assert.equal(await guest.succeed(`cat ${cgroup(3001)}/cgroup.procs`), before);
      const mainPid = 'systemctl show -P MainPID bulkhead';
      const killed = (await guest.succeed(mainPid)).trim();
      await guest.succeed('systemctl kill -s KILL --kill-whom=main bulkhead');
      // systemd may not have noticed yet, and takes the service for active.
      await until(`test "$(${mainPid})" != ${killed} && systemctl is-active -q bulkhead`);
      assert.equal(await guest.succeed(`cat ${cgroup(3001)}/cgroup.procs`), before);
      assert.equal((await status()).policy.state, 'in force');
      await guest.succeed('systemctl stop bulkhead', { timeoutMs: longPatienceMilliseconds });
      assert.equal(await guest.succeed(`cat ${cgroup(3001)}/pids.max`), '60\n');
      assert.equal(await guest.succeed(`cat ${cgroup(3001)}/cgroup.procs`), before);
      assert.equal(await guest.succeed('pgrep -f "[p]lacer/main" || true'), '');
      await guest.succeed('systemctl start bulkhead', { timeoutMs: longPatienceMilliseconds });
    },
  );

  test(
    'starts again after a kill on a busy host, and reports its progress',
    { timeout: longPatienceMilliseconds },
    async () => {
      const mainPid = 'systemctl show -P MainPID bulkhead';
      const killed = (await guest.succeed(mainPid)).trim();
      await guest.succeed(
        "systemd-run -q --unit=busy sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do while :; do :; done & done; wait'",
      );
      // What applies the policy is stopped as soon as it is there, so the start takes as long as we like.
      await guest.succeed(
        `systemd-run -q --unit=held sh -c 'while sleep 0.2; do pkill -STOP -f "${applying}"; done'`,
      );
      try {
        await guest.succeed('systemctl kill -s KILL --kill-whom=main bulkhead');
        await until(
          `test "$(${mainPid})" != ${killed} && systemctl show -P StatusText bulkhead | grep -q "Starting: applying the policy"`,
        );
        await until('bulkhead status | grep -q "is starting: applying the policy"');
        assert.match(
          (await guest.run('bulkhead top --once', { timeoutMs: longPatienceMilliseconds })).stderr,
          /the agent is starting: applying the policy[^]*showing what the kernel counts/,
        );
      } finally {
        await guest.run(`systemctl stop held; pkill -CONT -f "${applying}"`);
      }
      try {
        await until('systemctl is-active -q bulkhead');
      } finally {
        await guest.run('systemctl stop busy');
      }
      assert.equal((await status()).policy.state, 'in force');
      assert.doesNotMatch(
        await guest.succeed('journalctl -u bulkhead --no-pager'),
        /operation timed out/,
      );
    },
  );

  test(
    'ends or freezes what a stopped tenant runs, until start',
    { timeout: longPatienceMilliseconds },
    async () => {
      const timeoutMs = longPatienceMilliseconds;
      await guest.succeed(
        'bulkhead exec ben -- sh -c \'perl -e "for (;;) { fork }" >/dev/null 2>&1 </dev/null &\'',
        { timeoutMs },
      );
      await until(`[ $(cat ${cgroup(3002)}/pids.current) -ge 50 ]`);
      const stopped = await guest.succeed('bulkhead stop ben --reason bomb', { timeoutMs });
      assert.match(stopped, /ben is stopped: \d{2,} processes were ended/);
      assert.equal(await guest.succeed('pgrep -u ben || true'), '');
      assert.equal(await guest.succeed(`cat ${cgroup(3002)}/pids.max`), '60\n');
      const refused = await guest.run('bulkhead exec ben -- true', { timeoutMs });
      assert.match(refused.stderr, /"ben" is stopped; bulkhead start ben/);
      // Without the session step the agent ends it.
      await guest.succeed('setpriv --reuid ben --clear-groups sleep 3600 >/dev/null 2>&1 &');
      await until('! pgrep -u ben');
      await guest.succeed('bulkhead start ben', { timeoutMs });
      await guest.succeed('bulkhead exec ben -- sh -c "sleep 604 >/dev/null 2>&1 </dev/null &"', {
        timeoutMs,
      });
      await guest.succeed('bulkhead stop ben --freeze', { timeoutMs });
      await until(`grep -qx "frozen 1" ${cgroup(3002)}/cgroup.events`);
      assert.match(
        await guest.succeed('bulkhead status', { timeoutMs }),
        /^ben is frozen by root/m,
      );
      await guest.succeed('bulkhead start ben', { timeoutMs });
      await until(`grep -qx "frozen 0" ${cgroup(3002)}/cgroup.events`);
      assert.notEqual(await guest.succeed('pgrep -fx "sleep 604"'), '');
    },
  );

  test(
    'follows new accounts, and keeps the old policy when the new one is wrong',
    { timeout: longPatienceMilliseconds },
    async () => {
      await guest.succeed('useradd -u 3003 newcomer');
      await until(`grep -qx 60 ${cgroup(3003)}/pids.max 2>/dev/null`);
      await policy(limits.replace('"60"', '"sixty"'));
      await until('journalctl -u bulkhead --no-pager | grep -q "stays in force"');
      assert.equal((await status()).policy.state, 'refused');
      await guest.succeed(`grep -qx 60 ${cgroup(3003)}/pids.max`);
      await policy(limits.replace('"60"', '"61"'));
      await until(`grep -qx 61 ${cgroup(3003)}/pids.max`);
      assert.equal((await status()).policy.state, 'in force');
      await guest.succeed('userdel newcomer');
    },
  );

  test(
    'has its API port held by the socket unit, whether it runs or not',
    { timeout: longPatienceMilliseconds },
    async () => {
      const listen = 'listen="127.0.0.1:9640" token="/etc/bulkhead/token"';
      await guest.succeed('umask 077; echo a-token-of-the-guest-alone > /etc/bulkhead/token');
      await policy(limits.replace('<agent ', `<agent ${listen} `));
      await until('journalctl -u bulkhead --no-pager | grep -q "Serving metrics"');
      assert.equal((await status()).tcp?.socketActivated, false);
      assert.match(await guest.succeed('bulkhead check 2>&1'), /run bulkhead units enable/);
      await guest.succeed(
        'cp /opt/bulkhead/packaging/bulkhead.socket /etc/systemd/system/ && systemctl daemon-reload && systemctl stop bulkhead && systemctl start bulkhead.socket bulkhead',
        { timeoutMs: longPatienceMilliseconds },
      );
      const addresses = ['127.0.0.1', '::1'];
      const kept = async () => {
        for (const address of [...addresses, '0.0.0.0', '::']) {
          const bind = `perl -MIO::Socket::IP -e 'IO::Socket::IP->new(LocalHost => "${address}", LocalPort => 9640, Listen => 1) ? print "listens" : print $@'`;
          assert.match(await guest.succeed(bind, { user: 'ann' }), /in use/);
        }
      };
      await until('bulkhead status --json | grep -q \'"socketActivated": true\'');
      assert.deepEqual((await status()).tcp, { port: 9640, addresses, socketActivated: true });
      assert.doesNotMatch(
        await guest.succeed('bulkhead check 2>&1; bulkhead doctor'),
        /bulkhead\.socket/,
      );
      await kept();
      await guest.succeed('systemctl stop bulkhead', { timeoutMs: longPatienceMilliseconds });
      await kept();
      await guest.succeed('systemctl start bulkhead', { timeoutMs: longPatienceMilliseconds });
      await until('bulkhead status --json | grep -q \'"socketActivated": true\'');
    },
  );
});
