/** Resolves the applications of tenants, with those of their sites, and reports names and sockets that two of them have. */
import type { Diagnostics } from '../diagnostic.ts';
import type { TenantElement } from '../document.ts';
import { ownDatabase } from '../databases/own-database.ts';
import { formatIdentity, hasOwnDatabase, type Identity, type Tenant } from '../policy.ts';
import { appsMax, type App, type AppElement } from './app.ts';

interface Placed {
  readonly app: AppElement;
  readonly site?: string;
}

export class AppResolver {
  readonly #diagnostics: Diagnostics;
  /** Applications by their sockets. */
  readonly #sockets = new Map<string, string>();

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  /** `chain`: the elements from which the tenant inherits a database server of its own. */
  resolve(
    { apps = [], sites }: Pick<TenantElement, 'apps' | 'sites'>,
    { chain, ...tenant }: Identity & Pick<Tenant, 'chain'>,
  ): Pick<Tenant, 'apps'> {
    const database = hasOwnDatabase({ chain }) ? [ownDatabase] : [];
    const placed: readonly Placed[] = [
      ...apps.map((app) => ({ app })),
      ...sites.flatMap((site) => (site.apps ?? []).map((app) => ({ app, site: site.name.value }))),
    ];
    const [first] = placed;
    if (first === undefined)
      return database.length === 0 || tenant.account === undefined ? {} : { apps: database };
    const who = formatIdentity(tenant);
    // A policy stays in force when an account that it names is deleted.
    if (tenant.account === undefined)
      this.#diagnostics.warn(
        first.app,
        `An application needs an account, and ${who} has none; its applications are left out`,
      );
    if (placed.length > appsMax)
      this.#diagnostics.error(
        first.app,
        `The tenant ${who} has ${placed.length} applications; ${appsMax} are the most`,
      );
    const names = new Set<string>();
    const taken = database.length === 0 ? undefined : placed.find(isNamedAsDatabase);
    if (taken !== undefined)
      this.#diagnostics.error(
        taken.app.name,
        `The tenant ${who} has a database server of its own, whose name is "${ownDatabase.name}"; give the application another one`,
      );
    for (const { app } of placed) this.#check(app, names, who);
    return tenant.account === undefined ? {} : { apps: [...placed.map(appOf), ...database] };
  }

  #check({ name, socket }: AppElement, names: Set<string>, who: string): void {
    if (names.has(name.value))
      this.#diagnostics.error(
        name,
        `The application "${name.value}" is listed twice in its tenant, whose sites count, too`,
      );
    names.add(name.value);
    if (socket === undefined) return;
    const other = this.#sockets.get(socket.value);
    if (other !== undefined)
      this.#diagnostics.error(socket, `The application ${other} has this socket, too`);
    this.#sockets.set(socket.value, `"${name.value}" of ${who}`);
  }
}

const isNamedAsDatabase = ({ app }: Placed) => app.name.value === ownDatabase.name;

function appOf({ app, site }: Placed): App {
  const { start: _start, end: _end, name, socket, ...rest } = app;
  return {
    ...rest,
    name: name.value,
    ...(socket && { socket: socket.value }),
    ...(site !== undefined && { site }),
  };
}
