/**
 * The present owner of each pool according to root's files, whether or not the tenant's new configuration is accepted.
 * A tenant can break its own, for instance by removing a directory. It must not thereby keep what root has taken away
 * or given to another.
 */
import type { ServiceChoice } from '../../core/fpm/service/choice.ts';
import { entriesOf, ownSocket } from '../../core/fpm/service/config.ts';
import type { FpmSection } from '../../core/fpm/dump.ts';
import type { PoolFile } from '../../core/fpm/service/split.ts';
import { sectionsInText } from '../../core/fpm/service/text-sections.ts';
import type { HostView } from './facts.ts';
import type { FpmInputs } from './inputs.ts';

interface Wanted {
  readonly section: FpmSection;
  readonly uid: number | undefined;
  /** Whether somebody other than root may have written it, so that it proves nothing. */
  readonly isUnsafe: boolean;
}

export class RootsWill {
  /** Sections by the address at which they listen. */
  readonly #wanted = new Map<string, Wanted>();
  /** Sockets of pools of our own making, by tenant. */
  readonly #own: ReadonlyMap<number, string>;
  readonly #tenants: HostView['tenants'];

  constructor(
    { sections, files, leftOut }: FpmInputs,
    host: HostView,
    choice: ServiceChoice,
    php: string,
  ) {
    const byName = new Map<string, PoolFile[]>();
    for (const file of files)
      for (const { name } of file.sections) byName.set(name, [...(byName.get(name) ?? []), file]);
    const isUnsafe = (each: FpmSection) =>
      (byName.get(each.name) ?? []).some(({ path }) => host.unsafeFile(path) !== undefined);
    const broken = files.filter(({ path }) => leftOut.has(path));
    for (const section of [...sections, ...broken.flatMap(({ text }) => sectionsInText(text))]) {
      const listen = section.values.get('listen') ?? '';
      const uid = host.tenantOf(section.values.get('user') ?? '')?.uid;
      const wanted = { section, uid, isUnsafe: isUnsafe(section) };
      if (!wanted.isUnsafe || !this.#wanted.has(listen)) this.#wanted.set(listen, wanted);
    }
    this.#tenants = host.tenants;
    this.#own = new Map(
      host.tenants
        .filter(({ uid }) => choice.own.has(uid))
        .map(({ uid, user }) => [uid, ownSocket(user, php)]),
    );
  }

  /** Whether the tenant still owns the pool that listens there. */
  gives(uid: number, listen: string): boolean {
    const found = this.#wanted.get(listen);
    if (found === undefined) return this.#own.get(uid) === listen;
    return found.isUnsafe || found.uid === uid;
  }

  /** Returns the values of the pool there, as far as they are root's. */
  sectionAt(listen: string): FpmSection | undefined {
    const found = this.#wanted.get(listen);
    return found === undefined || found.isUnsafe ? undefined : found.section;
  }

  /** Returns the limit that the policy sets for all pools of the tenant, or of the site, together. */
  entriesOf(uid: number, site: string | undefined): number | undefined {
    const tenant = this.#tenants.find((each) => each.uid === uid);
    return tenant === undefined ? undefined : entriesOf(tenant, site);
  }
}
