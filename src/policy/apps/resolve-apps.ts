/** Resolves the applications of tenants, with those of their sites, and reports names and sockets that two of them have. */
import type { Diagnostics } from '../diagnostic.ts';
import type { TenantElement } from '../document.ts';
import { formatIdentity, type Identity, type Tenant } from '../policy.ts';
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

  resolve({ apps = [], sites }: TenantElement, tenant: Identity): Pick<Tenant, 'apps'> {
    const placed: readonly Placed[] = [
      ...apps.map((app) => ({ app })),
      ...sites.flatMap((site) => (site.apps ?? []).map((app) => ({ app, site: site.name.value }))),
    ];
    const [first] = placed;
    if (first === undefined) return {};
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
    for (const { app } of placed) this.#check(app, names, who);
    return tenant.account === undefined ? {} : { apps: placed.map(appOf) };
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

function appOf({ app, site }: Placed): App {
  const { start: _start, end: _end, name, socket, ...rest } = app;
  return {
    ...rest,
    name: name.value,
    ...(socket && { socket: socket.value }),
    ...(site !== undefined && { site }),
  };
}
