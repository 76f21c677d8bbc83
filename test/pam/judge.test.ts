/** Whether the lines in a service's session do what they are there for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isRefusing, judgeSession, judgeSlice } from '../../src/pam/core/judge.ts';
import { loginNotes } from '../../src/pam/core/notes.ts';
import {
  accountLines,
  profilesOf,
  sessionLines,
  type PamStep,
} from '../../src/pam/core/profiles.ts';
import { sessionOf } from '../../src/pam/commands/entry-paths.ts';
import { statusText } from '../../src/pam/commands/status-text.ts';
import { stackOf } from '../../src/pam/core/stack.ts';
import type { LoginView } from '../../src/pam/core/view.ts';

const step: PamStep = {
  module: '/usr/lib/node_modules/bulkhead/dist/entry/x64/pam_bulkhead.so',
  instance: 'bulkhead',
};
const [jumping = [], plain = [], landing = []] = profilesOf(step, true).map(sessionLines);
const unix = 'session required pam_unix.so';
const systemd = 'session optional pam_systemd.so';
const mkhomedir = 'session optional pam_mkhomedir.so';

const judged = (...lines: readonly string[]) =>
  judgeSession(
    stackOf('common-session', 'session', () => lines.join('\n')),
    step,
  );

describe('judgeSession()', () => {
  test('is "placed" when both profiles come right before pam_systemd', () => {
    assert.deepEqual(judged(unix, ...jumping, ...plain, systemd), {
      outcome: 'placed',
      jumps: true,
      entersJail: false,
      wronglySkipped: [],
      current: true,
    });
  });

  test('is "taken back" without a jump, unless pam_systemd comes first or is missing', () => {
    assert.equal(judged(unix, ...plain, systemd).outcome, 'taken back');
    assert.equal(judged(unix, systemd, ...plain).outcome, 'placed');
    assert.equal(judged(unix, ...plain).outcome, 'placed');
  });

  test('reports a module between the profiles and pam_systemd', () => {
    const { outcome, wronglySkipped } = judged(...jumping, ...plain, mkhomedir, systemd);
    assert.deepEqual([outcome, wronglySkipped], ['taken back', ['pam_mkhomedir.so']]);
  });

  test('reports a module between the two profiles', () => {
    const { wronglySkipped } = judged(...jumping, mkhomedir, ...plain, systemd);
    assert.deepEqual(wronglySkipped, ['pam_mkhomedir.so']);
  });

  test('is "placed" at the landing when pam_systemd has been removed', () => {
    const { outcome, wronglySkipped } = judged(...jumping, ...plain, ...landing, unix);
    assert.deepEqual([outcome, wronglySkipped], ['placed', []]);
  });

  test('reports the modules that a jump skips when the second profile is missing', () => {
    const { wronglySkipped } = judged(...jumping, systemd, unix);
    assert.ok(wronglySkipped.includes('pam_unix.so'));
  });

  test('is not current for lines of another installation, or changed by hand', () => {
    const other = plain.map((line) => line.replace('/usr/lib/', '/opt/'));
    assert.deepEqual([judged(...other).outcome, judged(...other).current], ['placed', false]);
    assert.equal(judged(...plain.map((line) => `${line} debug`)).current, false);
    assert.equal(judged(...plain.map((line) => line.replace('=die', '=ok'))).current, false);
  });

  test('is "not run" without lines of Bulkhead', () => {
    assert.equal(judged(unix, systemd).outcome, 'not run');
    assert.equal(judged('session optional pam_exec.so /usr/bin/other').outcome, 'not run');
  });
});

describe('judgeSlice()', () => {
  const slice = (service: string, ...lines: readonly string[]) =>
    judgeSlice(
      stackOf(service, 'session', () => lines.join('\n')),
      service,
    );

  test('leaves ssh and login to pam_systemd, and places su, cron and at', () => {
    const interactive = [unix, ...jumping, ...plain, systemd];
    assert.equal(slice('sshd', ...interactive), 'by pam_systemd');
    assert.equal(slice('login', ...interactive), 'by pam_systemd');
    for (const each of ['su', 'su-l', 'sudo-i'])
      assert.equal(slice(each, ...interactive), 'placed', each);
    assert.equal(slice('cron', unix, ...plain), 'placed');
  });

  test('is "by pam_systemd" for every service without the jump', () => {
    assert.equal(slice('sshd', ...plain, systemd), 'by pam_systemd');
    assert.equal(slice('su', ...plain, systemd), 'by pam_systemd');
    assert.equal(slice('cron', unix, ...plain, systemd), 'by pam_systemd');
  });

  test('is "by pam_systemd, if alone" for su, and "not run" for cron, without the step', () => {
    assert.equal(slice('sshd', unix, systemd), 'by pam_systemd');
    assert.equal(slice('su', unix, systemd), 'by pam_systemd, if alone');
    assert.equal(slice('cron', unix), 'not run');
  });

  test('jumps to pam_systemd, not beyond it', () => {
    const { wronglySkipped } = judged(unix, ...jumping, ...plain, systemd, unix);
    assert.deepEqual(wronglySkipped, []);
    assert.equal(slice('sshd', ...jumping, ...plain, mkhomedir, systemd), 'by pam_systemd');
  });
});

describe('statusText() and sessionOf() on a host with slices', () => {
  const seen = (others: number, slices: number): LoginView => ({
    module: { path: step.module, usable: true },
    profiles: [],
    tenants: { slices, others },
    agentRuns: true,
    services: [
      { service: 'cron', reachable: true, ...judged(...plain), inSlice: 'placed' },
      { service: 'sshd', reachable: true, ...judged(...plain, systemd), inSlice: 'by pam_systemd' },
      { service: 'su', reachable: true, ...judged(systemd), inSlice: 'by pam_systemd, if alone' },
    ],
  });
  const shown = (view: LoginView) => statusText(view, loginNotes(view), { columns: 100 });

  test('statusText() says who places each service, and reports no fault', () => {
    const text = shown(seen(0, 2));
    assert.match(text, /^cron +placed at login$/m);
    assert.match(text, /^sshd +placed by pam_systemd$/m);
    assert.match(text, /^su +placed by pam_systemd, but within another session caught$/m);
    assert.doesNotMatch(text, /takes the process back/);
  });

  test("statusText() reports resellers' tenants, which have no slice, separately", () => {
    const text = shown(seen(1, 2));
    assert.match(text, /^cron +placed at login$/m);
    assert.match(text, /^sshd +placed by pam_systemd; of resellers: caught/m);
    assert.match(text, /takes the process back/);
  });

  test('sessionOf() says whether ssh, su and cron place all tenants', () => {
    const facts = (view: LoginView) =>
      view.services.map((each) => [each.service, sessionOf(each, view).placed]);
    assert.deepEqual(facts(seen(0, 2)), [
      ['cron', true],
      ['sshd', true],
      ['su', false],
    ]);
    assert.deepEqual(facts(seen(1, 2)), [
      ['cron', true],
      ['sshd', false],
      ['su', false],
    ]);
  });
});

describe('profilesOf()', () => {
  test('puts the profile for common-session first, with a higher priority', () => {
    const [first, second] = profilesOf(step, true);
    assert.match(first?.text ?? '', /^Priority: 2\nSession-Interactive-Only: yes$/m);
    assert.match(second?.text ?? '', /^Priority: 1\nSession-Type: Additional$/m);
    assert.deepEqual(
      profilesOf(step, false).map(({ name }) => name),
      ['bulkhead-services'],
    );
  });

  test('passes another instance to the step as an argument', () => {
    const other = profilesOf({ ...step, instance: 'demo' }, false)[0]?.text ?? '';
    assert.match(other, /\/pam_bulkhead\.so place instance=demo$/m);
  });
});

test('isRefusing() wants both lines, and nothing before that ends the phase', () => {
  const jailing = { ...step, jailed: '/var/lib/bulkhead/jailed' };
  const ours = profilesOf(jailing, false).flatMap(accountLines);
  const refuses = (...lines: readonly string[]) =>
    isRefusing(
      stackOf('common-account', 'account', () => lines.join('\n')),
      jailing,
    );
  const debian = 'account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so';
  assert.ok(refuses(debian, 'account requisite pam_deny.so', ...ours));
  assert.ok(!refuses(debian));
  assert.ok(!refuses(...ours.slice(0, 1)));
  assert.ok(!refuses('account sufficient pam_localuser.so', ...ours));
  assert.ok(!refuses(...ours.map((line) => line.replace('/usr/', '/opt/'))));
});

describe('judgeSession() with a jail', () => {
  const jailing = { ...step, jailed: '/var/lib/bulkhead/jailed' };
  const entering = profilesOf(jailing, true).slice(3).flatMap(sessionLines);
  const seen = (lines: readonly string[], as: PamStep = jailing) =>
    judgeSession(
      stackOf('common-session', 'session', () => lines.join('\n')),
      as,
    );

  test('enters the jail by lines after all others', () => {
    assert.deepEqual(seen([unix, ...jumping, ...plain, systemd, ...entering]), {
      outcome: 'placed',
      jumps: true,
      entersJail: true,
      wronglySkipped: [],
      current: true,
    });
    assert.equal(seen([unix, ...plain]).entersJail, false);
  });

  test("reports a jump over the jail's lines when pam_systemd is missing", () => {
    const { entersJail, wronglySkipped } = seen([unix, ...jumping, ...plain, ...entering]);
    assert.deepEqual([entersJail, wronglySkipped], [false, ['pam_bulkhead.so']]);
  });

  test('is not current for jail lines of another installation', () => {
    const moved = entering.map((line) => line.replace('/usr/', '/opt/'));
    assert.equal(seen([...plain, ...moved]).current, false);
    assert.equal(seen([...plain, ...moved], step).current, true);
  });

  test('statusText() and loginNotes() say who is inside, outside or refused', () => {
    const view = (lines: readonly string[], usable: boolean): LoginView => ({
      module: { path: step.module, usable },
      profiles: [],
      tenants: { slices: 0, others: 2 },
      jail: { tenants: 1 },
      agentRuns: true,
      services: [{ service: 'sshd', reachable: true, ...seen(lines) }],
    });
    const inside = view([...plain, ...entering], true);
    assert.match(statusText(inside, [], { columns: 80 }), /^sshd +placed at login +entered$/m);
    assert.deepEqual(loginNotes(inside), []);
    const refused = view([...plain, ...entering], false);
    assert.match(statusText(refused, [], { columns: 80 }), /no session$/m);
    assert.match(loginNotes(refused).join(), /missing: tenants with a jail get no session/);
    const outside = view(plain, true);
    assert.match(statusText(outside, [], { columns: 80 }), /not entered$/m);
    assert.match(loginNotes(outside).join(), /outside it; run "bulkhead pam enable" again: sshd/);
    assert.match(loginNotes(view(plain, false)).join(), /was not compiled: sshd/);
    assert.match(loginNotes(view([unix], true)).join(), /enables it.*outside it/);
    const runuser = { service: 'runuser', reachable: false, ...seen([unix]) };
    const beyond = loginNotes({ ...inside, services: [...inside.services, runuser] }).join();
    assert.match(beyond, /"bulkhead exec" instead: runuser$/);
    assert.doesNotMatch(beyond, /again/);
    const ftp = {
      ...seen([...plain, ...entering]),
      service: 'pure-ftpd',
      reachable: true,
      entersJail: false,
      outsideJails: 'it cannot',
      refusesJailed: true,
    };
    const kept = { ...inside, services: [ftp] };
    assert.match(statusText(kept, [], { columns: 80 }), /^pure-ftpd +placed at login +no login$/m);
    assert.match(loginNotes(kept).join(), /cannot log in through pure-ftpd: it cannot/);
    assert.deepEqual(sessionOf(ftp, kept).jail, {
      entered: false,
      reason: 'it cannot',
      refused: true,
    });
    const open = { ...kept, services: [{ ...ftp, refusesJailed: false }] };
    assert.match(statusText(open, [], { columns: 80 }), /not entered$/m);
    assert.match(loginNotes(open).join(), /can log in outside it through pure-ftpd/);
    const sshd = { service: 'sshd', reachable: true, ...seen(plain) };
    assert.deepEqual(sessionOf(sshd, outside).jail, {
      entered: false,
      reason: 'no step of sshd enters the jail',
    });
  });
});

test('loginNotes() says what to do, and nothing when all is right', () => {
  const view = {
    module: { path: step.module, usable: true },
    profiles: [],
    tenants: { slices: 0, others: 2 },
    agentRuns: true,
    services: [{ service: 'sshd', reachable: true, ...judged(...jumping, ...plain, systemd) }],
  };
  assert.deepEqual(loginNotes(view), []);
  const off = { ...view, services: [{ service: 'sshd', reachable: true, ...judged(unix) }] };
  assert.match(loginNotes(off).join('\n'), /enable" enables it/);
  const bad = {
    ...view,
    module: { path: step.module, usable: false },
    tenants: undefined,
    services: [
      {
        service: 'sshd',
        reachable: true,
        ...judged(...jumping, ...plain, mkhomedir, systemd),
      },
    ],
  };
  const notes = loginNotes(bad).join('\n');
  for (const each of [/missing/, /No policy/, /takes the process back/, /pam_mkhomedir/])
    assert.match(notes, each);
});
