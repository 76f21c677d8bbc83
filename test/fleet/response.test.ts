/** The state of a host in its fleet, as the API shows it. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { responseOf, type Shown } from '../../src/fleet/core/response.ts';
import { expiring } from '../../src/fleet/io/expiring.ts';
import { parseState } from '../../src/fleet/core/parse-state.ts';
import { endedBy, heardOf, marked, newState, type HostState } from '../../src/fleet/core/states.ts';
import { at, headFields, start } from './people.ts';

const now = (days: number) => ({ boot: 'a', uptime: 1, at: start + days * 86_400_000 });
const newest = { format: 1, root: '', hosts: 1, ...headFields({ generation: 7 }) } as const;
const heard = heardOf(
  newState('example', 'web-001', now(0)),
  { newest: { ...newest, issued: at(0), expires: at(90) }, given: 'root', isLed: false },
  now(0),
);
const shown = (state: HostState, days: number, more: Partial<Shown> = {}) =>
  responseOf({
    state,
    now: now(days),
    hasExpired: false,
    isChecking: false,
    isMember: true,
    from: [],
    isTooNew: false,
    isBroken: false,
    problems: [],
    ...more,
  });

suite('the state that is shown', () => {
  test('says that a release expires soon, before the host is frozen', () => {
    const said = (days: number) => expiring(heard.newest, now(days));
    assert.deepEqual(said(59), []);
    assert.deepEqual(said(61), ['Generation 7 expires in 29 days, and no newer release has come']);
    assert.match(said(89.5)[0] ?? '', /expires in less than a day/);
    assert.deepEqual(said(91), []);
    assert.equal(shown(heard, 91, { hasExpired: true }).state, 'frozen');
  });

  test('is frozen once controllers were silent for a day, and not on the day the host joins', () => {
    const led = heardOf(heard, { newest: heard.newest!, given: 'root', isLed: true }, now(0));
    const later = (seconds: number, state = led) =>
      shown(state, 0, { now: { ...now(0), uptime: 1 + seconds } }).state;
    assert.deepEqual([later(0), later(86_400), later(86_401)], ['waiting', 'waiting', 'frozen']);
    // The same release again does not count as a controller's word, nor does a start of the host.
    const again = { ...now(0), uptime: 80_001 };
    const told = heardOf(led, { newest: heard.newest!, given: 'root', isLed: true }, again);
    assert.equal(later(86_401, told), 'frozen');
    const kept = parseState(JSON.parse(JSON.stringify(marked(told, again))));
    const rebooted = { boot: 'b', uptime: 6_401, at: start };
    assert.equal(shown(kept!, 0, { now: rebooted }).state, 'frozen');
    assert.equal(shown(kept!, 0, { now: { ...rebooted, uptime: 6_400 } }).state, 'waiting');
    // Another trust from root begins anew; the state of an older version does not say since when.
    const given = heardOf(told, { newest: heard.newest!, given: 'other', isLed: true }, again);
    assert.equal(later(86_401, given), 'waiting');
    const { led: _led, ...older } = led;
    assert.equal(later(1, older), 'frozen');
  });

  test('is not hidden by something that nobody has signed', () => {
    assert.equal(shown(heard, 1, { isTooNew: true }).state, 'unsupported version');
    const ended = endedBy(heard, { trust: 1, generation: 7 }, 'refused', ['a reason'], now(0));
    assert.equal(shown(ended, 1, { isTooNew: true }).state, 'refused');
    assert.equal(shown(heard, 91, { isTooNew: true, hasExpired: true }).state, 'frozen');
  });
});
