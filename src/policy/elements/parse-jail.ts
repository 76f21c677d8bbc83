/** `<jail>` → JailElement, with every mistake reported. */
import { formatCause } from '../../../packages/base/problem.ts';
import type { Diagnostics } from '../diagnostic.ts';
import {
  checkHome,
  checkJailCommands,
  checkJailDatabases,
  checkJailPath,
  jailPathsMax,
  type JailElement,
  type JailPath,
  type JailProfile,
  type PathAccess,
} from '../jail.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import { LocatedValues, namesIn, span } from './located-values.ts';

export class JailReader {
  readonly #diagnostics: Diagnostics;
  readonly #values: LocatedValues;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
    this.#values = new LocatedValues(diagnostics);
  }

  /** Reads the jail of a tenant, a package or the defaults. */
  tenant(element: XmlElement): JailElement | undefined {
    const home = xmlAttribute(element, 'home');
    if (home !== undefined)
      this.#diagnostics.error(
        home,
        'Only the jail of a site has "home"; the home of a tenant is its account\'s',
      );
    return this.#jail(element);
  }

  /** Reads the jail of a site, which needs a home of its own. */
  site(element: XmlElement): JailElement | undefined {
    const jail = this.#jail(element);
    const home = this.#values.value(element, 'home', 'path');
    const checked = home && checkHome(home.value);
    if (xmlAttribute(element, 'home') === undefined) this.#diagnostics.error(element, homeMissing);
    if (home !== undefined && checked?.ok === false)
      this.#diagnostics.error(home, `A site cannot have this jail: ${formatCause(checked.error)}`);
    if (jail?.profile.value === 'none') this.#diagnostics.error(jail.profile, noneInSite);
    const commands = xmlAttribute(element, 'commands');
    if (commands !== undefined) this.#diagnostics.error(commands, commandsInSite);
    return jail && home && { ...jail, home };
  }

  #jail(element: XmlElement): JailElement | undefined {
    const profile = this.#values.choice<JailProfile>(element, 'profile', 'jail');
    const children = childrenOf(element, 'path');
    if (children.length > jailPathsMax) {
      this.#diagnostics.error(
        element,
        `<jail> has ${children.length} paths; ${jailPathsMax} are the most`,
      );
    }
    const paths = new Map<string, JailPath>();
    for (const each of children) {
      const path = this.#jailPath(each);
      if (path === undefined) continue;
      if (paths.has(path.at))
        this.#diagnostics.error(each, `<path at="${path.at}"> occurs twice; write it once`);
      paths.set(path.at, path);
    }
    if (profile?.value === 'none' && children.length > 0) {
      this.#diagnostics.error(profile, 'A jail with the profile "none" has no paths; remove them');
    }
    // Outer ones first, in mount order.
    const sorted = [...paths.values()].sort((a, b) => (a.at < b.at ? -1 : 1));
    const commands = xmlAttribute(element, 'commands');
    const more = checkJailCommands(namesIn(commands));
    if (!more.ok) this.#diagnostics.error(commands ?? element, formatCause(more.error));
    const databases = xmlAttribute(element, 'databases');
    const shown = checkJailDatabases(namesIn(databases));
    if (!shown.ok) this.#diagnostics.error(databases ?? element, formatCause(shown.error));
    return (
      profile && {
        ...span(element),
        profile,
        paths: sorted,
        ...(more.ok ? more.value : {}),
        ...(shown.ok ? shown.value : {}),
      }
    );
  }

  #jailPath(element: XmlElement): JailPath | undefined {
    const at = this.#values.value(element, 'at', 'path');
    const access = this.#values.choice<PathAccess>(element, 'access', 'path');
    if (at === undefined) return undefined;
    const checked = checkJailPath(at.value);
    if (checked.ok) return { at: checked.value, access: access?.value ?? 'read' };
    this.#diagnostics.error(at, formatCause(checked.error));
    return undefined;
  }
}

const homeMissing =
  '<jail> of a site needs "home", since sites of a tenant share its home: the directory that is seen instead, for example <jail profile="strict" home="/home/alice/shop"/>';
const noneInSite =
  'A site cannot have the profile "none": it would be outside the jail of its tenant; without <jail> it is in that jail';
const commandsInSite =
  'A site has no "commands": its jail runs only sendmail, and only if its tenant has it; remove them';
