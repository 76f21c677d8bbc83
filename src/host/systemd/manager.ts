/** Calls to systemd over the system bus. Each call waits for its answer. Source: org.freedesktop.systemd1(5). */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { openBus, type BlockingBus } from '../../sys/dbus/blocking-bus.ts';
import type { BusCall, BusReply } from '../../sys/dbus/call.ts';
import { variant, type Variant } from '../../sys/dbus/value.ts';

export const systemd = 'org.freedesktop.systemd1';
export const manager = {
  destination: systemd,
  path: '/org/freedesktop/systemd1',
  interface: `${systemd}.Manager`,
} as const;

/**
 * The property that makes systemd write a slice's settings. It is one that our file of the slice has, so that the file
 * which systemd makes has no effect while ours is there. The user slice of a reseller's tenant may lack it: a reload
 * then follows.
 */
export type PokedProperty = 'TasksMax' | 'MemoryLow';

/** The timeout of a reload, in which systemd reads the files of all units again. */
const reloadMilliseconds = 300_000;
const noLimit = 2n ** 64n - 1n;

/**
 * Returns a unit's object path: `user-1001.slice` → `…/unit/user_2d1001_2eslice`. Source: bus_label_escape of systemd.
 */
export const objectPath = (unit: string): string =>
  `${manager.path}/unit/${unit.replaceAll(/[^A-Za-z0-9]/g, (char) => `_${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}`;

export type Started = 'started' | 'exists';

export class SystemdManager implements Disposable {
  #bus: BlockingBus | undefined;

  /** Calls systemd. A connection that has ended is made again with the next call. */
  #call(call: BusCall): BusReply {
    if (this.#bus === undefined) {
      const opened = openBus();
      if (!opened.ok) {
        const { errno } = opened.error;
        const hint = 'install the package "dbus", or start dbus.service';
        return errno === 'ENOENT' ? failed({ ...opened.error, hint }) : opened;
      }
      this.#bus = opened.value;
    }
    const reply = this.#bus.call(call);
    if (!reply.ok && reply.error.errorName === undefined) this[Symbol.dispose]();
    return reply;
  }

  /** Makes systemd read its files, and waits for that. This changes nothing in the kernel. */
  reload(): Result<void, Problem> {
    const reply = this.#call({
      ...manager,
      member: 'Reload',
      returns: '',
      timeoutMs: reloadMilliseconds,
    });
    return reply.ok ? ok(undefined) : reply;
  }

  /**
   * Makes systemd write all settings of a slice to the kernel. After a reload, systemd does so for a running slice only
   * once one of its properties is set, to any value; here to its current one. That leaves a file, `pokeFile`.
   */
  realize(unit: string, property: PokedProperty): Result<void, Problem> {
    const path = objectPath(unit);
    const found = this.#call({
      destination: systemd,
      path,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [`${systemd}.Slice`, property],
      returns: 'v',
    });
    if (!found.ok) return found;
    const [current] = found.value as readonly Variant[];
    if (typeof current?.value !== 'bigint') {
      return failed({ action: `read ${property} of`, object: unit, reason: 'it is not a number' });
    }
    const set = this.#call({
      destination: systemd,
      path,
      interface: `${systemd}.Unit`,
      member: 'SetProperties',
      signature: 'ba(sv)',
      body: [true, [[property, current]]],
      returns: '',
    });
    return set.ok ? ok(undefined) : set;
  }

  /**
   * Makes a scope with a process in it. Its cgroup is ours, so other processes may be written into it. systemd answers
   * before the process is in it. An existing unit of that name stays as it is.
   */
  startScope(
    scope: string,
    slice: string,
    pid: number,
    timeoutMs: number,
  ): Result<Started, Problem> {
    const properties: readonly (readonly [string, Variant])[] = [
      ['Description', variant('s', 'Processes that Bulkhead placed')],
      ['Slice', variant('s', slice)],
      ['Delegate', variant('b', true)],
      ['TasksMax', variant('t', noLimit)],
      ['PIDs', variant('au', [pid])],
      // It ends with its last process, and systemd does not keep a failed one either.
      ['CollectMode', variant('s', 'inactive-or-failed')],
    ];
    const reply = this.#call({
      ...manager,
      member: 'StartTransientUnit',
      signature: 'ssa(sv)a(sa(sv))',
      body: [scope, 'fail', properties, []],
      returns: 'o',
      timeoutMs,
    });
    if (reply.ok) return ok('started');
    return reply.error.errorName === `${systemd}.UnitExists` ? ok('exists') : reply;
  }

  [Symbol.dispose](): void {
    this.#bus?.[Symbol.dispose]();
    this.#bus = undefined;
  }
}
