/**
 * The requests of tenants about their applications: they see all of theirs, and define and remove their own, as many as the
 * policy lets them. A definition is checked before it is kept, so a wrong one changes nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { HttpError, HttpResult } from '../../agent/api/http-result.ts';
import { answerSoon } from '../../sys/answer-soon.ts';
import type { OwnAppChange, TenantApps } from '../../agent/part.ts';
import type { Paths } from '../../host/paths.ts';
import type { AppRow, AppState } from '../../policy/apps/app-state.ts';
import {
  parseOwnApp,
  withOwnApp,
  type KeptOwnApps,
  type OwnAppTexts,
} from '../../policy/apps/own-apps.ts';
import { ownAppsMaxOf, type Tenant } from '../../policy/policy.ts';
import { isSameOwner, type UidOwner } from '../../policy/accounts/uid-owner.ts';
import { appKey, socketPath, unitName } from '../core/names.ts';
import { readDisabled } from './disabled-file.ts';
import { appPaths } from './layout.ts';
import { excessOf, readOwnApps, writeOwnApps } from './own-apps.ts';
import type { SeenApp } from './states.ts';
import type { AppScans } from './scans.ts';

interface Parts {
  readonly paths: Paths;
  readonly scans: AppScans;
  /** Makes the units what the policy and the definitions say. Returns whether it has scanned them. */
  readonly apply: () => Promise<boolean>;
  readonly runsSystemd: () => boolean;
}

const action = 'change the application';

export class OwnApps implements TenantApps {
  readonly #parts: Parts;
  /** Whether the last apply has scanned the applications. */
  #hasScanned = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async list(uid: number): ReturnType<TenantApps['list']> {
    const what = 'show applications of';
    if (!this.#parts.runsSystemd()) return refuse(503, withoutSystemd, what);
    // A systemd that does not answer must not keep the request longer than its client waits.
    const seen = await answerSoon(this.#parts.scans.fresh(), undefined);
    if (seen === undefined) return refuse(503, cannotScan, what);
    const tenant = this.#tenant(uid);
    const rows = seen.apps.filter(({ id }) => id.uid === uid);
    return ok({
      max: tenant === undefined ? 0 : ownAppsMaxOf(tenant),
      apps: rows.map((each) => rowOf(each, this.#parts.paths.instance)),
    });
  }

  prepare(uid: number, owner: UidOwner, change: OwnAppChange): ReturnType<TenantApps['prepare']> {
    const { paths, runsSystemd } = this.#parts;
    if (!runsSystemd()) return refuse(503, withoutSystemd);
    const read = readOwnApps(paths, uid);
    if (!read.ok) return refuse(503, { reason: 'your saved applications cannot be read' });
    const isTheirs = read.value !== undefined && isSameOwner(read.value, owner);
    const before = isTheirs ? (read.value?.apps ?? []) : [];
    const apps =
      change.kind === 'set'
        ? this.#with(uid, before, change.texts)
        : this.#without(uid, before, change.name);
    if (!apps.ok) return apps;
    const kept: KeptOwnApps = { ...owner, apps: apps.value };
    const excess = excessOf(kept);
    if (excess !== undefined) return refuse(409, excess);
    return ok(() => writeOwnApps(paths, uid, kept));
  }

  isInForce(uid: number, change: OwnAppChange): boolean {
    const seen = this.#parts.scans.last;
    if (!this.#hasScanned || seen === undefined) return false;
    const { paths } = this.#parts;
    const id = { uid, name: change.name };
    const found = seen.apps.find((each) => each.isOwn && appKey(each.id) === appKey(id));
    if (change.kind === 'remove')
      return found === undefined && !seen.leaving.includes(unitName(paths.instance, id, 'service'));
    const defined = parseOwnApp(change.texts);
    return (
      found !== undefined &&
      follows.has(found.state) &&
      defined.ok &&
      isDeepStrictEqual(found.app, defined.value)
    );
  }

  async apply(): Promise<void> {
    this.#hasScanned = false;
    this.#hasScanned = await this.#parts.apply();
  }

  #tenant(uid: number): Tenant | undefined {
    return this.#parts.scans.policy?.tenants.find((each) => each.uid === uid);
  }

  #with(
    uid: number,
    before: readonly OwnAppTexts[],
    app: OwnAppTexts,
  ): HttpResult<readonly OwnAppTexts[]> {
    const tenant = this.#tenant(uid);
    const max = tenant === undefined ? 0 : ownAppsMaxOf(tenant);
    if (max === 0) return refuse(403, { reason: 'your plan includes no applications of your own' });
    const parsed = parseOwnApp(app);
    if (!parsed.ok) return refuse(400, parsed.error);
    if (tenant?.apps?.some(({ name }) => name === app.name) === true)
      return refuse(409, {
        reason: `the administrator has defined "${app.name}"`,
        hint: 'choose another name',
      });
    return orRefuse(409, withOwnApp(before, app, max));
  }

  #without(
    uid: number,
    before: readonly OwnAppTexts[],
    name: string,
  ): HttpResult<readonly OwnAppTexts[]> {
    const others = before.filter((each) => each.name !== name);
    if (others.length === before.length)
      return refuse(404, { reason: 'you have no application of that name' });
    const disabled = readDisabled(appPaths(this.#parts.paths).disabled);
    if (!disabled.ok) return refuse(503, { reason: disabled.error.reason });
    // Otherwise it could be defined anew, and be enabled.
    return disabled.value.has(appKey({ uid, name }))
      ? refuse(409, { reason: 'the administrator has disabled it' })
      : ok(others);
  }
}

/** States of an application whose units are as its definition says. */
const follows: ReadonlySet<AppState> = new Set([
  'running',
  'idle',
  'failed',
  'crash loop',
  'tenant stopped',
]);

const withoutSystemd: Cause = {
  reason: 'systemd is not the init of this host, and applications need it',
};

/** The log of the agent says why, to the administrator. */
const cannotScan: Cause = {
  reason: 'the agent cannot check them at the moment',
  hint: 'retry in a minute, then ask the administrator',
};

const refuse = (status: HttpError['status'], cause: Cause, what = action): HttpResult<never> =>
  fail({ status, action: what, ...cause });

const orRefuse = <T>(status: HttpError['status'], result: Result<T, Cause>): HttpResult<T> =>
  result.ok ? result : fail({ status, action, ...result.error });

/** Returns what people see of an application. */
export const rowOf = (seen: SeenApp, instance: string): AppRow => ({
  name: `${seen.owner.user}/${seen.app.name}`,
  uid: seen.id.uid,
  ...(seen.app.site !== undefined && { site: seen.app.site }),
  by: seen.isOwn ? 'tenant' : 'policy',
  command: seen.app.command,
  socket: socketPath(instance, seen.id.uid, seen.app),
  unit: seen.service,
  state: seen.state,
  ...(seen.reason !== undefined && { reason: seen.reason }),
});
