/**
 * A fleet of one host under Debian's systemd: NATS from the files that `fleet server init` writes, the centre, the agent,
 * its courier and the pusher of the history, all as units. Each is killed, restarted and stopped, and comes back.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { FaultsJson } from '../../../../src/cli/commands/json.ts';
import type {
  FleetFaultsJson,
  FleetIncidentJson,
  FleetRoomJson,
  FleetTopJson,
  FleetUsageJson,
} from '../../../../src/fleet/commands/centre/json.ts';
import type { FleetStatusJson } from '../../../../src/fleet/commands/host/json.ts';
import type { FleetServerHostsJson } from '../../../../src/fleet/commands/json.ts';
import { jsonOf } from '../../../../testing/json-output.ts';
import { installFromPool } from '../../../../testing/package-pool.ts';
import { eventually, longPatienceMilliseconds } from '../../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

const server = 'nats-1.example.org';
const files = '/etc/bulkhead-fleet-nats';
const nats = 'bulkhead-fleet-nats.service';
const watch = 'bulkhead-fleet-nats-watch.service';
const centre = 'bulkhead-fleet-server.service';
const courier = 'bulkhead-fleet.service';
const metrics = 'http://127.0.0.1:8428';
const units = [
  nats,
  watch,
  centre,
  courier,
  'bulkhead-fleet-pull.service',
  'bulkhead-fleet-pull.timer',
  'bulkhead-history-push.service',
  'bulkhead-history-push.timer',
  'bulkhead.service',
];

/** Gets an address in the guest, which has neither curl nor wget. Fails if the answer is an error. */
const get = (url: string): string =>
  `/opt/bulkhead/node_modules/.bin/node -e 'fetch("${url}").then(async (a) => { console.log(await a.text()); process.exitCode = a.ok ? 0 : 1; })'`;

const fleetPolicy = (processes: number) => `<bulkhead version="1">
  <hosts fleet="example" local="tenants" hosts="web-001"><waves watch="60s"><wave hosts="100%"/></waves></hosts>
  <defaults><processes limit="${processes}"/></defaults>
  <tenant user="ann"/><tenant user="ben"/>
</bulkhead>
`;
const ownPolicy = `<bulkhead version="1"><host driver="systemd"/>
  <agent interval="2s"><history push="${metrics}/api/v1/write"/></agent></bulkhead>
`;

suite('a fleet under systemd', { skip: guests.skip, timeout }, () => {
  const host = guestOfSuite(guests, async (guest) => {
    const installed = await installFromPool(guest, ['nats-server', 'victoria-metrics']);
    assert.ok(installed.ok, installed.ok ? '' : installed.error.reason);
    await write('/etc/bulkhead/policy.xml', ownPolicy);
    // Debian's own services use the same ports.
    await succeed(`systemctl disable --now nats-server victoria-metrics
useradd -m -u 3001 ann; useradd -M -u 3002 ben
ln -s /dev/null /etc/systemd/system/user@.service
echo '127.0.0.1 ${server}' >> /etc/hosts
for each in fleet history; do systemd-sysusers /opt/bulkhead/packaging/bulkhead-$each.conf; done
bulkhead apply && bulkhead units enable`);
    await until('bulkhead status');
  });
  const { run, succeed, until, write } = host;

  const said = async (command: string) => (await succeed(command)).trim();
  const status = async () =>
    jsonOf<FleetStatusJson>('fleet status', await succeed('bulkhead fleet status --json'));
  /** The limit of ann's slice, which is there only while she has processes. */
  const processesMax = () =>
    said('bulkhead exec ann -- cat /sys/fs/cgroup/user.slice/user-3001.slice/pids.max');
  const hostOfCentre = async () => {
    const text = await succeed('bulkhead fleet server hosts --json');
    return jsonOf<FleetServerHostsJson>('fleet server hosts', text).hosts[0];
  };
  const journals = () =>
    succeed(
      `for each in ${nats} ${centre} ${courier} bulkhead; do journalctl -u $each -n 15 --no-pager; done; bulkhead fleet status; bulkhead fleet server hosts; true`,
    );
  const states: FleetStatusJson['state'][] = [];
  /** Waits until the host says so of itself. All states that were seen on the way are in `states`. */
  const becomes = (what: string, holds: (status: FleetStatusJson) => boolean) =>
    eventually(
      what,
      async () => {
        const now = await status();
        if (now.state !== states.at(-1)) states.push(now.state);
        return holds(now);
      },
      journals,
    );
  const isThere = async (...names: readonly string[]) => {
    for (const name of names)
      assert.equal(await said(`systemctl is-active ${name} || systemctl status ${name}`), 'active');
  };
  const mainPid = (unit: string) => said(`systemctl show -P MainPID ${unit}`);
  const comesBack = (unit: string, before: string) =>
    until(
      `systemctl is-active -q ${unit} && [ "$(systemctl show -P MainPID ${unit})" != ${before} ]`,
    );

  /** Makes processes of a tenant that its limit refuses. */
  const refuse = () =>
    run(`bulkhead exec ann -- sh -c 'for each in $(seq 60); do sleep 20 & done' 2>&1`);
  const faultsOfHost = async () => {
    const { incidents } = jsonOf<FaultsJson>('faults', await succeed('bulkhead faults --json'));
    return incidents.reduce((sum, { faults }) => sum + faults, 0);
  };
  const faultsOfFleet = async () =>
    jsonOf<FleetFaultsJson>('fleet faults', await succeed('bulkhead fleet faults --json'));
  /** Waits until the centre knows each fault that the host knows, and checks that it knows no more. */
  const allArrive = async () => {
    let [made, told] = [0, 0];
    await eventually(
      'the centre has all faults of the host',
      async () => {
        made = await faultsOfHost();
        told = (await faultsOfFleet()).incidents.reduce((sum, { faults }) => sum + faults, 0);
        return made > 0 && told >= made && (await hostOfCentre())?.behind === 0;
      },
      async () => `${told} of ${made}\n${await journals()}`,
    );
    assert.equal(told, made);
    assert.equal((await hostOfCentre())?.lost, 0);
  };
  /** Signs the policy, publishes it and lets the first wave begin. */
  const release = async (text: string) => {
    await write('/root/fleet/fleet.xml', text);
    return said(
      `cd /root/fleet && bulkhead fleet sign && bulkhead fleet publish /srv/fleet && bulkhead fleet rollout start /srv/fleet --key /root/operator`,
    );
  };

  test('NATS starts from the files of "fleet server init"', async () => {
    const next = await said(`bulkhead fleet server init --name example ${server}`);
    assert.match(next, /systemctl enable --now \/etc\/bulkhead-fleet-nats/);
    await succeed(`mkdir -p ${files} && cp -r /etc/bulkhead-fleet-server/servers/${server}/. ${files}/
systemctl enable --now ${files}/${nats} ${files}/${watch}`);
    await until(get('http://127.0.0.1:8222/healthz'));
    await isThere(nats, watch);
  });

  test('the centre makes the streams first, also of new servers', async () => {
    await succeed(`mkdir -p /srv/fleet/hosts && systemctl enable --now ${centre}`);
    await until('bulkhead fleet server check', `journalctl -u ${centre} --no-pager`);
    await isThere(centre);
    const log = await said(`journalctl -u ${centre} -o cat --no-pager`);
    assert.match(log, /Connected to/);
    assert.doesNotMatch(log, /stream not found/);
  });

  test('systemd finds nothing wrong in any unit', async () => {
    for (const unit of units)
      assert.equal(await said(`systemd-analyze verify --man=no ${unit} 2>&1`), '', unit);
  });

  test('a release waits for its rollout on a host that has just joined, which is not frozen', async () => {
    await succeed(`ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
ssh-keygen -q -t ed25519 -N '' -f /root/operator
bulkhead fleet init /root/fleet --name example && cd /root/fleet
install -m 0644 /var/lib/bulkhead-fleet-server/controller.pub centre.pub
bulkhead fleet trust add --controller centre centre.pub
bulkhead fleet trust add --controller operator /root/operator.pub`);
    await write('/root/fleet/fleet.xml', fleetPolicy(40));
    await succeed(`cd /root/fleet && bulkhead fleet sign && bulkhead fleet publish /srv/fleet
bulkhead fleet host add web-001
install -m 0640 -g bulkhead-fleet /etc/bulkhead-fleet-server/credentials/web-001.json /etc/bulkhead/fleet-courier.json
bulkhead fleet join /srv/fleet/trust.json --host web-001 --from tls://${server}:4222 --yes
systemctl enable --now ${courier}`);
    await becomes('it waits', ({ state }) => state === 'waiting');
    assert.ok(!states.includes('frozen'), states.join());
    assert.equal((await status()).release, undefined);
  });

  test('the centre brings the release to the host, and lets it confirm it', async () => {
    await succeed('bulkhead fleet rollout start /srv/fleet --key /root/operator');
    await becomes(
      'it is confirmed',
      ({ state, release: now }) => state === 'confirmed' && now?.generation === 1,
    );
    assert.ok(states.includes('watching') && !states.includes('frozen'), states.join());
    assert.equal(await processesMax(), '40');
    await until(
      `bulkhead fleet rollout status /srv/fleet | grep -q '1 healthy'`,
      'bulkhead fleet rollout status /srv/fleet',
    );
  });

  test('faults arrive at the centre once each', async () => {
    await refuse();
    await allArrive();
  });

  for (const unit of [nats, centre, courier])
    test(`nothing is lost when ${unit} is killed, restarted and stopped`, async () => {
      const restarts = Number(await said(`systemctl show -P NRestarts ${unit}`));
      const killed = await mainPid(unit);
      await succeed(`systemctl kill --signal=KILL ${unit}`);
      await refuse();
      await comesBack(unit, killed);
      const restarted = await mainPid(unit);
      await succeed(`systemctl restart ${unit}`);
      await refuse();
      await comesBack(unit, restarted);
      await succeed(`systemctl stop ${unit}`);
      await refuse();
      assert.equal(await said(`systemctl is-active ${unit} || true`), 'inactive');
      await succeed(`systemctl start ${unit}`);
      await allArrive();
      await isThere(nats, watch, centre, courier);
      // Systemd started it again after it was killed, and that alone: nothing else ended by itself.
      assert.ok(restarts <= 1, `${restarts} restarts`);
      await becomes('it is as before', ({ state }) => state === 'confirmed');
    });

  test('the watch comes back when it is killed, and restarts a server that hangs', async () => {
    const pid = await mainPid(watch);
    assert.equal(await said(`systemctl show -P RestartUSec ${watch}`), '10s');
    await succeed(`systemctl kill --signal=KILL ${watch}`);
    await comesBack(watch, pid);
    const hung = await mainPid(nats);
    await succeed(`systemctl kill --signal=STOP ${nats}`);
    await comesBack(nats, hung);
    await refuse();
    await allArrive();
  });

  test('a release during whose watch the agent is killed is taken back, by the host and by the centre', async () => {
    await anHourLater();
    await release(fleetPolicy(30));
    await becomes(
      'it watches',
      ({ state, release: now }) => state === 'watching' && now?.generation === 2,
    );
    assert.equal(await processesMax(), '30');
    await succeed('systemctl kill --signal=KILL bulkhead');
    await until('bulkhead status');
    await becomes(
      'it is back',
      ({ state, release: now }) => state === 'rolled back' && now?.generation === 1,
    );
    assert.match((await status()).ended?.reasons.join() ?? '', /agent ended during the watch/);
    assert.equal(await processesMax(), '40');
    await becomes('the centre says so too', ({ rollout }) => rollout?.verdict === 'back');
    const shown = await run('bulkhead fleet rollout status /srv/fleet');
    assert.match(shown.stdout, /hosts go back from it \(wave 1: 1 of 1 host/);
    assert.equal(shown.status, 3);
  });

  test('the next good release is confirmed', async () => {
    await anHourLater();
    await release(fleetPolicy(50));
    await becomes(
      'it is confirmed',
      ({ state, release: now }) => state === 'confirmed' && now?.generation === 3,
    );
    assert.equal(await processesMax(), '50');
  });

  test('the history comes to VictoriaMetrics', async () => {
    await succeed(`systemd-run --unit=metrics -p Restart=always victoria-metrics -storageDataPath=/var/lib/metrics -httpListenAddr=127.0.0.1:8428 -dedup.minScrapeInterval=1ms -search.latencyOffset=0s -memory.allowedBytes=64MB
systemctl enable --now bulkhead-history-push.timer`);
    const series = `${metrics}/api/v1/series?match[]=bulkhead_history_host_processes&start=-1h`;
    await until(
      `systemctl start bulkhead-history-push && ${get(series)} | grep -q '"host":"web-001"'`,
      `journalctl -u bulkhead-history-push -n 20 --no-pager; ${get(series)}`,
    );
    await isThere('bulkhead-history-push.timer');
    // While the server is away, what is due waits.
    await succeed('systemctl stop metrics');
  });

  test('the centre answers for all hosts', async () => {
    const faults = await faultsOfFleet();
    const [newest] = faults.incidents;
    assert.ok(newest !== undefined);
    assert.deepEqual(
      [newest.host, newest.name, newest.limit],
      ['web-001', 'ann', 'processes.limit'],
    );
    assert.deepEqual(faults.unknown.silent, []);
    const incident = jsonOf<FleetIncidentJson>(
      'fleet incident',
      await succeed(`bulkhead fleet incident ${newest.id} --json`),
    );
    assert.equal(
      incident.minutes.reduce((sum, each) => sum + each.faults, 0),
      newest.faults,
    );
    const room = jsonOf<FleetRoomJson>('fleet room', await succeed('bulkhead fleet room --json'));
    assert.deepEqual(
      room.hosts.map(({ host: name, fits }) => [name, fits]),
      [['web-001', false]],
    );
    // Its history is shorter than a day; a host under pressure says so first, and an emulated one may be.
    assert.match(room.hosts[0]?.why ?? '', /\bday\b|^under pressure: \d+% of the time/);
    const busy = `setsid bulkhead exec ann -- sh -c 'timeout 60 sh -c "while :; do :; done"' >/dev/null 2>&1 </dev/null &`;
    await succeed(busy);
    await eventually('ann is in the list of the largest', async () => {
      const top = jsonOf<FleetTopJson>(
        'fleet top',
        await succeed('bulkhead fleet top --by cpu --period 1h --json'),
      );
      assert.deepEqual([top.hosts, top.unanswered], [1, []]);
      return top.tenants.some(({ host: name, name: user }) => name === 'web-001' && user === 'ann');
    });
    const usage = jsonOf<FleetUsageJson>(
      'fleet usage',
      await succeed('bulkhead fleet usage ann --json'),
    );
    assert.deepEqual([usage.found, usage.unanswered], [['web-001'], []]);
    assert.equal((await hostOfCentre())?.state, 'confirmed');
  });

  test('all of it is there after a reboot', async () => {
    await host.guest.reboot();
    await until('bulkhead status');
    await isThere(nats, watch, centre, courier, 'bulkhead-history-push.timer');
    await becomes('it is as before', ({ state }) => state === 'confirmed');
    assert.equal(await processesMax(), '50');
    await refuse();
    await allArrive();
  });

  test('nothing runs after all units were disabled', async () => {
    // Once its link is gone, systemd would stop NATS without the unit's own signal.
    await succeed(`systemctl stop ${watch} ${nats}
systemctl disable ${watch} ${nats}
systemctl disable --now ${courier} ${centre} bulkhead-history-push.timer
bulkhead fleet leave --drop --yes; rm /etc/bulkhead/fleet-courier.json
bulkhead units disable`);
    const left = await said(
      `systemctl list-units --all --no-legend --plain 'bulkhead*' | grep -v 'bulkhead-tenants\\|\\.slice' || true`,
    );
    assert.equal(left, '');
    assert.equal(await said('systemctl --failed --no-legend --plain'), '');
    for (const account of ['bulkhead-fleet', 'bulkhead-fleet-server', 'bulkhead-history'])
      assert.equal(await said(`pgrep -u ${account} || true`), '', account);
    assert.equal(
      await said('pgrep -f "[b]ulkhead.*(fleet|agent)|[n]ats-server|[w]atch.sh" || true'),
      '',
    );
    await host.guest.reboot();
    await until('systemctl is-system-running | grep -Eq "running|degraded"');
    assert.equal(
      await said('pgrep -f "[b]ulkhead.*(fleet|agent)|[n]ats-server|[w]atch.sh" || true'),
      '',
    );
  });

  /** Records begin one release an hour: lets that hour pass for a host whose agent is stopped meanwhile. */
  async function anHourLater(): Promise<void> {
    const file = '/var/lib/bulkhead/fleet/state.json';
    await succeed('systemctl stop bulkhead');
    const state = JSON.parse(await succeed(`cat ${file}`)) as { opened: { seconds: number } };
    state.opened.seconds += 3600;
    await succeed(`cat > ${file}`, JSON.stringify(state));
    await succeed('systemctl start bulkhead');
    await until('bulkhead status');
  }
});
