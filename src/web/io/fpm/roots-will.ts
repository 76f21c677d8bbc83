/**
 * Whose each pool is by now, as root's files say, whether or not the tenant's new configuration is accepted: a tenant can
 * break its own, by removing a directory for instance, and so must not keep what root has given to another or taken away.
 */
import type { Choice } from '../../core/fpm/service/choice.ts';
import { entriesOf, ownSocket } from '../../core/fpm/service/config.ts';
import type { FpmSection } from '../../core/fpm/dump.ts';
import type { PoolFile } from '../../core/fpm/service/split.ts';
import { sectionsInText } from '../../core/fpm/service/text-sections.ts';
import type { HostView } from './facts.ts';
import type { FpmInputs } from './inputs.ts';

interface Wanted {
  readonly section: FpmSection;
  readonly uid: number | undefined;
  /** Whether somebody else than root may have written that: then it says nothing. */
  readonly isUnsafe: boolean;
}

export class RootsWill {
  /** By where they listen. */
  readonly #wanted = new Map<string, Wanted>();
  /** Sockets of pools of our own making, by tenant. */
  readonly #own: ReadonlyMap<number, string>;
  readonly #tenants: HostView['tenants'];

  constructor(
    { sections, files, leftOut }: FpmInputs,
    host: HostView,
    choice: Choice,
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

  /** Whether the tenant is still to have what listens there. */
  gives(uid: number, listen: string): boolean {
    const found = this.#wanted.get(listen);
    if (found === undefined) return this.#own.get(uid) === listen;
    return found.isUnsafe || found.uid === uid;
  }

  /** The values of the pool there, as far as they are root's. */
  sectionAt(listen: string): FpmSection | undefined {
    const found = this.#wanted.get(listen);
    return found === undefined || found.isUnsafe ? undefined : found.section;
  }

  /** The limit that the policy sets for all pools of the tenant, or of the site, together. */
  entriesOf(uid: number, site: string | undefined): number | undefined {
    const tenant = this.#tenants.find((each) => each.uid === uid);
    return tenant === undefined ? undefined : entriesOf(tenant, site);
  }
}
