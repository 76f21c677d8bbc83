/** Alarms about the host itself: from a part of the agent to a receiver. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { Alerts } from '../../src/agent/alerts/alerts.ts';
import { alertMail } from '../../src/agent/alerts/message.ts';
import type { Alarm } from '../../src/agent/part.ts';
import { ok } from '../../packages/base/result.ts';
import { Lasting } from '../../src/host/reconcile/lasting.ts';
import { gateAlarm as gateRefused, stateAlarm } from '../../src/modules/io/gate/gate-part.ts';
import type { AlertRule } from '../../src/policy/settings.ts';
import {
  alarmOfState,
  alarmOfTenants,
  placementAlarm,
} from '../../src/placement/core/strict-alarms.ts';
import { IncidentKinds } from '../../src/usage/incident-kinds.ts';
import { eventually } from '../../testing/patience.ts';

const hour = 3_600_000;
const noon = Date.UTC(2026, 10, 24, 12);
const gone: Alarm = { about: 'gate', title: 'the gate is off', text: 'Somebody removed it.' };
const refused: Alarm = { about: 'refused', title: 'refused x', text: 'x was refused', count: 1 };

interface Body {
  readonly subject: string;
  readonly alerts: readonly unknown[];
  readonly protection: readonly { readonly about: string; readonly text: string }[];
}

/**
 * Makes a receiver, and a way to make the alerts of an agent that starts with what the last one has
 * recorded.
 */
async function receiver() {
  const bodies: Body[] = [];
  const statuses: number[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      bodies.push(JSON.parse(text) as Body);
      response.writeHead(statuses.shift() ?? 204).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sent = new Map<string, number>();
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const ruleOf = (changes: Partial<AlertRule> = {}): AlertRule => ({
    to: 'administrator',
    by: 'webhook',
    address,
    limits: [],
    severity: 'refused',
    faults: 1,
    everyMilliseconds: 12 * hour,
    ...changes,
  });
  const make = (...rules: readonly Partial<AlertRule>[]) =>
    new Alerts({
      kinds: new IncidentKinds(),
      settings: { from: undefined, smtp: undefined, rules: rules.map(ruleOf) },
      ledger: {
        lastAlert: (key) => sent.get(key),
        recordAlert: (key, at) => {
          sent.set(key, at);
          return ok(undefined);
        },
      },
      who: () => undefined,
      log: () => undefined,
      timing: { gatherMilliseconds: 50, retryMilliseconds: [50, 50], closeMilliseconds: 60_000 },
    });
  return {
    bodies,
    statuses,
    sent,
    make,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('Alerts.raise()', () => {
  test('sends an alarm once per period, also after a restart', async () => {
    await using to = await receiver();
    {
      await using alerts = to.make({ severity: 'killed' });
      alerts.raise(noon, [gone, refused]);
      alerts.raise(noon + 60_000, [gone]);
      await eventually('it is sent', () => to.sent.size === 2);
    }
    assert.equal(to.bodies.length, 1);
    assert.match(to.bodies[0]?.subject ?? '', /^Bulkhead on \S+: the gate is off, and 1 more$/);
    assert.deepEqual(to.bodies[0]?.protection, [
      { about: 'gate', title: gone.title, text: gone.text },
      { about: 'refused', title: refused.title, text: refused.text },
    ]);
    assert.deepEqual(to.bodies[0]?.alerts, []);
    {
      await using alerts = to.make({ severity: 'killed' });
      alerts.raise(noon + hour, [gone]);
      alerts.raise(noon + 13 * hour, [gone]);
    }
    assert.equal(to.bodies.length, 2);
  });

  test('sends an alarm only by administrator rules that include protection', async () => {
    await using to = await receiver();
    {
      await using alerts = to.make(
        { to: 'tenant', address: 'http://127.0.0.1:1/' },
        { to: 'reseller', address: 'http://127.0.0.1:1/' },
        { limits: ['cpu.limit'] },
      );
      alerts.raise(noon, [gone]);
    }
    assert.equal(to.bodies.length, 0);
    {
      await using alerts = to.make({ limits: ['cpu.limit', 'host.protection'] }, {});
      alerts.raise(noon, [gone]);
    }
    assert.equal(to.bodies.length, 1, 'one message, whoever asks for it');
    assert.equal(to.bodies[0]?.protection.length, 1);
  });

  test("sends an event's alarm at the rule's number of faults, and a state's at once", async () => {
    await using to = await receiver();
    await using alerts = to.make({ faults: 3 });
    alerts.raise(noon, [refused, gone]);
    alerts.raise(noon + 1000, [refused]);
    await eventually('the state is told', () => to.bodies.length === 1);
    assert.deepEqual(
      to.bodies[0]?.protection.map(({ about }) => about),
      ['gate'],
    );
    // More than five minutes later it is another burst.
    alerts.raise(noon + hour, [refused, refused]);
    alerts.raise(noon + hour + 1000, [{ ...refused, text: 'the third' }]);
    await eventually('the burst is told', () => to.bodies.length === 2);
    assert.equal(to.bodies[1]?.protection[0]?.text, 'the third');
  });

  test('sends an alarm again when the receiver fails', async () => {
    await using to = await receiver();
    to.statuses.push(500);
    await using alerts = to.make({});
    alerts.raise(noon, [gone]);
    await eventually('it is taken', () => to.sent.size === 1);
    assert.equal(to.bodies.length, 2);
  });

  test('alertMail() makes an alarm a heading and a paragraph, and breaks no header', () => {
    const raised = {
      ...gone,
      title: 'refused x\nBcc: y',
      key: 'k',
      everyMilliseconds: hour,
      at: noon,
    };
    const { subject, text } = alertMail(
      {
        receiver: { by: 'mail', to: 'administrator', address: 'root' },
        alerts: [],
        alarms: [raised],
        notices: [],
        id: '1',
        test: false,
      },
      { kinds: new IncidentKinds(), host: 'web1', timeZone: 'UTC' },
    );
    assert.ok(!subject.includes('\n'), subject);
    assert.match(text, /^Refused x\S*Bcc: y\n-+\n\nSomebody removed it\.\n/);
    assert.match(text.replaceAll('\n', ' '), /at most once every 1h about the same/);
  });
});

test('Lasting.see() returns what two checks in a row have found', () => {
  const lasting = new Lasting<string>();
  const seen = [undefined, 'gone', 'gone', undefined, 'gone'].map((each) => lasting.see(each));
  assert.deepEqual(seen, [undefined, undefined, 'gone', undefined, undefined]);
});

describe('alarms about protections', () => {
  test('stateAlarm() reports a weaker gate, and gateAlarm() refused modules', () => {
    assert.match(stateAlarm('on', 'off')?.text ?? '', /set to "on" and is "off" now.* loads\./);
    assert.match(stateAlarm('on', 'watch')?.title ?? '', /is "watch", not "on"/);
    assert.match(stateAlarm('watch', 'off')?.title ?? '', /is "off", not "watch"/);
    for (const [wanted, now] of [
      ['off', 'off'],
      ['off', 'on'],
      ['watch', 'on'],
      ['on', 'on'],
    ] as const)
      assert.equal(stateAlarm(wanted, now), undefined);
    const refusal = {
      at: '',
      name: 'x.ko',
      from: 'file',
      sha256: 'ab',
      command: 'insmod',
    } as const;
    const who = { pid: 1, uid: 0 };
    assert.deepEqual(gateRefused([{ ...refusal, ...who, loaded: true }]), []);
    const [alarm] = gateRefused([
      { ...refusal, ...who, loaded: false },
      { ...refusal, ...who, from: 'memory', loaded: false },
      { ...refusal, ...who, loaded: true },
    ]);
    assert.equal(alarm?.count, 2);
    assert.match(alarm?.text ?? '', /^2 modules were refused .*A module from memory was refused/);
  });

  test('alarmOfState() reports weaker placement, and placementAlarm() refused processes', () => {
    assert.match(
      alarmOfState({ placement: 'on' }, undefined)?.text ?? '',
      /strict placement is "off", not "on"/,
    );
    assert.match(
      alarmOfState({ placement: 'on', modules: 'on' }, { placement: 'on', modules: 'watch' })
        ?.title ?? '',
      /^the refusal of kernel modules to tenants is not in force$/,
    );
    assert.ok(alarmOfState({ placement: 'watch' }, { placement: null }));
    assert.equal(alarmOfState({ placement: 'watch' }, { placement: 'on' }), undefined);
    assert.equal(alarmOfState(undefined, undefined), undefined);
    assert.equal(alarmOfState(undefined, { placement: 'on' }), undefined);
    assert.equal(alarmOfTenants([]), undefined);
    assert.match(alarmOfTenants([4206])?.text ?? '', /does not enforce .* for uid 4206/);
    const event = {
      pid: 12,
      parent: 11,
      from: 0,
      to: 1001,
      tenant: 1001,
      account: 'alice',
      what: 'uid',
      command: 'cron',
      name: '',
      unit: 'cron.service',
      advice: '"bulkhead pam enable" places it',
    } as const;
    assert.deepEqual(placementAlarm([{ ...event, passed: true }]), []);
    const [alarm] = placementAlarm([{ ...event, passed: false }]);
    assert.equal(alarm?.title, 'strict placement refused cron of alice');
    assert.match(
      alarm?.text ?? '',
      /refused 1 attempt by .*: cron \(pid 12, cron\.service\) was refused uid 1001 \(alice\).*bulkhead pam enable/,
    );
  });
});
