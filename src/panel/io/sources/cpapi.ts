/**
 * Any panel that has scripts for CPAPI, version 1.1 and later. Each script is called once, without a filter: panels
 * differ in how they read arguments, and some ignore them.
 */
import { packageKey } from '../../../policy/panel/panel-record.ts';
import type { Cause, Problem } from '../../../../packages/base/problem.ts';
import { fail, type Result } from '../../../../packages/base/result.ts';
import { parseIntegrationIni, type ScriptCommands, type ScriptName } from '../../core/cpapi-ini.ts';
import {
  parseEnvelope,
  readAdministrators,
  readDomains,
  readPackageNames,
  readPanelName,
  readResellers,
  readUsers,
  type OwnedDomain,
  type Rows,
} from '../../core/cpapi-shapes.ts';
import type { PanelPackage, StatedAccount, StatedData } from '../../core/panel-data.ts';
import { PanelFiles, rootsText } from '../panel-files.ts';
import { runScript, scriptBounds, type ScriptBounds } from '../run-script.ts';
import type { PanelSource, Place } from './source.ts';

const mark = '/opt/cpvendor/etc/integration.ini';
const iniBytesMax = 64 * 2 ** 10;

export const cpapi: PanelSource = {
  name: 'cpapi',
  panel: 'a panel with CPAPI',
  mark,
  read: (place) => readCpapi(place, scriptBounds),
};

/** Reads all scripts at once. */
export async function readCpapi({ root }: Place, bounds: ScriptBounds): Promise<StatedData> {
  const files = new PanelFiles();
  const commands = parseIntegrationIni(rootsText(files, root + mark, iniBytesMax) ?? '');
  const caller = new Caller(commands, bounds, files);
  const [panel, users, packages, resellers, administrators, domains] = await Promise.all([
    caller.call('panel_info', (data) => readPanelName(data) ?? cpapi.panel),
    caller.rows('users', readUsers),
    caller.rows('packages', readPackageNames),
    caller.rows('resellers', readResellers),
    caller.rows('admins', readAdministrators),
    caller.rows('domains', readDomains),
  ]);
  const isReseller = new Set(resellers.map(({ name }) => name));
  const names = administrators.flat();
  const isAdministrator = new Set(names);
  const roleOf = (user: string): StatedAccount['role'] => {
    if (isAdministrator.has(user)) return 'administrator';
    return isReseller.has(user) ? 'reseller' : 'user';
  };
  const owned = Map.groupBy(domains, ({ user }) => user);
  const from = nameOf('domains');
  files.addAll(strangers(owned, users));
  return {
    panel: panel ?? cpapi.panel,
    source: 'cpapi',
    from: mark,
    accounts: users.map((each) => ({
      ...each,
      role: roleOf(each.user),
      domains: allDomains(each, owned.get(each.user) ?? [], from),
    })),
    // Without the script, the users' packages are what is known.
    packages: packages.length > 0 ? packages : packagesOf(users),
    resellers,
    administrators: names,
    ownersAreVague: true,
    problems: files.problems,
  };
}

const nameOf = (script: ScriptName) => `the CPAPI script "${script}"`;

/** Runs scripts, and keeps the problems of each. */
class Caller {
  readonly #commands: ScriptCommands;
  readonly #bounds: ScriptBounds;
  readonly #files: PanelFiles;

  constructor(commands: ScriptCommands, bounds: ScriptBounds, files: PanelFiles) {
    this.#commands = commands;
    this.#bounds = bounds;
    this.#files = files;
  }

  async call<T>(name: ScriptName, read: (data: unknown) => T): Promise<T | undefined> {
    const answer = await this.#answer(name);
    if (answer.ok) return read(answer.value);
    this.#files.add({ ...answer.error, action: 'read', object: nameOf(name) });
    return undefined;
  }

  async rows<T>(
    name: ScriptName,
    read: (data: unknown, from: string) => Rows<T>,
  ): Promise<readonly T[]> {
    const found = await this.call(name, (data) => read(data, nameOf(name)));
    this.#files.addAll(found?.problems ?? []);
    return found?.rows ?? [];
  }

  async #answer(name: ScriptName): Promise<Result<unknown, Cause>> {
    const command = this.#commands.get(name);
    if (command === undefined) return fail({ reason: 'the panel has no such script' });
    const printed = await runScript(command, this.#bounds);
    return printed.ok ? parseEnvelope(printed.value) : printed;
  }
}

/** Returns the packages that users have. */
function packagesOf(users: readonly StatedAccount[]): readonly PanelPackage[] {
  const named = users.flatMap(({ package: wanted, from }) =>
    wanted === undefined ? [] : [{ ...wanted, from, limits: new Map(), ownLimits: new Map() }],
  );
  const byKey = new Map(named.map((each) => [packageKey(each), each]));
  return [...byKey.values()];
}

/** Returns the account's domains; its main one is among them, if "domains" names it, too. */
function allDomains(account: StatedAccount, owned: readonly OwnedDomain[], from: string) {
  const known = new Set(owned.map(({ name }) => name));
  const main = account.domains.filter(({ name }) => !known.has(name));
  return [...main, ...owned.map(({ name }) => ({ name, from }))];
}

/** Reports domains of accounts that "users" does not name. */
function strangers(
  owned: ReadonlyMap<string, readonly OwnedDomain[]>,
  users: readonly StatedAccount[],
): readonly Problem[] {
  const known = new Set(users.map(({ user }) => user));
  return [...owned].flatMap(([user, domains]) =>
    known.has(user)
      ? []
      : domains.map(({ name }) => ({
          action: 'use the domain',
          object: name,
          reason: `its account "${user}" is not among the users (${nameOf('domains')})`,
          hint: 'it is left out',
        })),
  );
}
