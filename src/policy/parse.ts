/**
 * Policy text → PolicyDocument. Reports every error of the file at once, each with its position.
 *
 * Two passes: the first checks each element against the vocabulary (`check-element.ts`), the second parses the
 * values of those that passed.
 */
import { formatCause } from '../../packages/base/problem.ts';
import type { LimitKey } from '../limits/limit.ts';
import type { TrustLevel } from '../../packages/modules/core/evidence/trust-level.ts';
import type { Quantity } from '../../packages/base/quantity.ts';
import { checkElement } from './check-element.ts';
import { Diagnostics, type Located, type Span } from './diagnostic.ts';
import type { AppElement } from './apps/app.ts';
import type {
  DriverName,
  InheritedBlock,
  LimitBlock,
  LimitMode,
  ModulesElement,
  StrictMode,
  PolicyDocument,
  ResellerElement,
  SiteElement,
  TenantElement,
  TenantName,
  TenantsElement,
  UidRange,
} from './document.ts';
import { readAgent } from './parse-agent.ts';
import { parseLimit } from './parse-limit.ts';
import { readApp, readOwnApps } from './apps/parse-app.ts';
import { readPanel } from './panel/parse-panel.ts';
import {
  checkHome,
  checkJailCommands,
  checkJailPath,
  checkJailDatabases,
  jailPathsMax,
  type JailElement,
  type JailPath,
  type JailProfile,
  type PathAccess,
} from './jail.ts';
import type { AlertWords } from './settings.ts';
import { limitNames, specOf } from './vocabulary.ts';
import { parseRange, valueKinds, type ValueKindName, type ValueOf } from './value-kinds.ts';
import { childrenOf, parseXml, xmlAttribute, type XmlElement } from './xml.ts';

export interface ParsedPolicy {
  /** Absent if the text is not a policy at all. */
  readonly document: PolicyDocument | undefined;
  readonly diagnostics: Diagnostics;
}

/** `words` name the subjects of alerts that are not limits. */
export function parsePolicy(
  file: string,
  text: string,
  words: AlertWords = new Map(),
): ParsedPolicy {
  const diagnostics = new Diagnostics(file, text);
  const root = parseXml(text, diagnostics);
  if (root === undefined) return { document: undefined, diagnostics };
  if (root.name !== 'bulkhead') {
    const known = root.name === 'lveconfig' ? '; this is a ve.cfg, see "bulkhead import"' : '';
    diagnostics.error(
      root,
      `The root element is <${root.name}>, not <bulkhead version="1">${known}`,
    );
    return { document: undefined, diagnostics };
  }
  checkElement(root, specOf('bulkhead'), diagnostics);
  return { document: new Reader(diagnostics, words).document(file, text, root), diagnostics };
}

/** Parses only the <modules> of a policy: a mistake elsewhere must not hide the requirements on modules. */
export function parseModulesElement(
  file: string,
  text: string,
): { readonly modules: ModulesElement | undefined; readonly diagnostics: Diagnostics } {
  const diagnostics = new Diagnostics(file, text);
  const root = parseXml(text, diagnostics);
  const [modules, second] = root?.name === 'bulkhead' ? childrenOf(root, 'modules') : [];
  if (modules === undefined) return { modules, diagnostics };
  if (second !== undefined) {
    diagnostics.error(second, '<modules> occurs twice in the policy; write it once');
  }
  checkElement(modules, specOf('modules'), diagnostics);
  return { modules: new Reader(diagnostics).modules(modules), diagnostics };
}

/** Parses the values. It reports invalid ones and leaves them out. */
class Reader {
  readonly #diagnostics: Diagnostics;
  readonly #words: AlertWords;

  constructor(diagnostics: Diagnostics, words: AlertWords = new Map()) {
    this.#diagnostics = diagnostics;
    this.#words = words;
  }

  document(file: string, text: string, root: XmlElement): PolicyDocument {
    this.#value(root, 'version', 'version');
    const [host] = childrenOf(root, 'host');
    const [agent] = childrenOf(root, 'agent');
    const [defaults] = childrenOf(root, 'defaults');
    const [panel] = childrenOf(root, 'panel');
    const [symlinks] = childrenOf(root, 'symlinks');
    const [modules] = childrenOf(root, 'modules');
    const [placement] = childrenOf(root, 'placement');
    const strict = placement && this.#choice<string>(placement, 'strict', 'placement');
    return {
      file,
      text,
      root,
      tenantRanges: childrenOf(root, 'tenants').map((each) => this.#tenants(each)),
      defaults: defaults && { ...span(defaults), ...this.#inherited(defaults), xml: defaults },
      packages: childrenOf(root, 'package').flatMap((each) => {
        const name = this.#name(each, 'name');
        return name === undefined
          ? []
          : [{ ...span(each), ...this.#inherited(each), name, xml: each }];
      }),
      resellers: childrenOf(root, 'reseller').flatMap((each) => this.#reseller(each)),
      tenants: childrenOf(root, 'tenant').flatMap((each) => this.#tenant(each)),
      driver: host && this.#choice<DriverName>(host, 'driver', 'host'),
      limitMode: host && this.#choice<LimitMode>(host, 'limits', 'host'),
      agent: agent && readAgent(agent, this.#diagnostics, this.#words),
      panel: panel && readPanel(panel, this.#diagnostics),
      symlinks: symlinks && this.#symlinks(symlinks),
      modules: modules && this.modules(modules),
      ...optionalMode('strictPlacement', strict?.value, 'yes'),
      diagnostics: this.#diagnostics,
    };
  }

  #error(at: Span, message: string): void {
    this.#diagnostics.error(at, message);
  }

  #tenants(element: XmlElement): TenantsElement {
    const uids = words(xmlAttribute(element, 'uids'));
    return {
      ...span(element),
      uids: uids.flatMap((word) => this.#range(word)),
      except: words(xmlAttribute(element, 'except')),
      package: this.#name(element, 'package'),
    };
  }

  #range(word: Located<string>): readonly Located<UidRange>[] {
    const parsed = parseRange(word.value);
    if (parsed.ok) return [{ start: word.start, end: word.end, value: parsed.value }];
    this.#error(word, formatCause(parsed.error));
    return [];
  }

  #reseller(element: XmlElement): readonly ResellerElement[] {
    const name = this.#who(element);
    const tenants = childrenOf(element, 'tenant').flatMap((each) => this.#tenant(each));
    if (name === undefined) return [];
    const packageName = this.#name(element, 'package');
    return [
      {
        ...span(element),
        ...this.#limits(element),
        name,
        package: packageName,
        tenants,
        xml: element,
      },
    ];
  }

  #tenant(element: XmlElement): readonly TenantElement[] {
    const name = this.#who(element);
    const written = this.#inherited(element);
    const packageName = this.#name(element, 'package');
    const sites = childrenOf(element, 'site').flatMap((each) => this.#site(each));
    const apps = this.#apps(element);
    if (name === undefined) return [];
    const parts = { name, package: packageName, sites, apps };
    return [{ ...span(element), ...written, ...parts, xml: element }];
  }

  #site(element: XmlElement): readonly SiteElement[] {
    const name = this.#value(element, 'name', 'site');
    const { values } = this.#limits(element);
    const [child] = childrenOf(element, 'jail');
    const jail = child && this.#siteJail(child);
    const apps = this.#apps(element);
    return name === undefined
      ? []
      : [{ ...span(element), name, values, apps, ...(jail && { jail }) }];
  }

  #apps(element: XmlElement): readonly AppElement[] {
    return childrenOf(element, 'app').flatMap((each) => readApp(each, this.#diagnostics));
  }

  #who(element: XmlElement): Located<TenantName> | undefined {
    const user = xmlAttribute(element, 'user');
    const uid = xmlAttribute(element, 'uid');
    if (user !== undefined && uid !== undefined) {
      this.#error(uid, `<${element.name}> has both "user" and "uid"; write one of them`);
      return undefined;
    }
    if (user !== undefined) {
      const read = this.#value(element, 'user', 'user');
      return read && { ...read, value: { kind: 'user', user: read.value } };
    }
    if (uid !== undefined) {
      const read = this.#value(element, 'uid', 'uid');
      return read && { ...read, value: { kind: 'uid', uid: read.value } };
    }
    this.#error(
      element,
      `<${element.name}> needs the attribute "user", for example ${specOf(element.name).example}`,
    );
    return undefined;
  }

  #name(element: XmlElement, attribute: string): Located<string> | undefined {
    return this.#value(element, attribute, 'name');
  }

  #value<Name extends ValueKindName>(
    element: XmlElement,
    attribute: string,
    kind: Name,
  ): Located<ValueOf<Name>> | undefined {
    const written = xmlAttribute(element, attribute);
    if (written === undefined) return undefined;
    const parsed = valueKinds[kind].parse(written.value);
    if (parsed.ok) return { ...span(written), value: parsed.value as ValueOf<Name> };
    this.#error(written, formatCause(parsed.error));
    return undefined;
  }

  #choice<T extends string>(
    element: XmlElement,
    attribute: string,
    spec: string,
  ): Located<T> | undefined {
    const value = xmlAttribute(element, attribute);
    const kind = specOf(spec).attributes[attribute]?.kind;
    if (value === undefined || !Array.isArray(kind)) return undefined;
    const known = kind as readonly string[];
    if (known.includes(value.value)) return value as Located<T>;
    const hint = this.#diagnostics.hint(value.value, known);
    this.#error(value, `"${value.value}" is not one of ${known.join(', ')}${hint}`);
    return undefined;
  }

  #symlinks(element: XmlElement): PolicyDocument['symlinks'] {
    const follow = this.#choice<string>(element, 'follow', 'symlinks');
    const by = xmlAttribute(element, 'by');
    if (follow === undefined || by === undefined) return undefined;
    const rule = {
      by: namesIn(by) ?? [],
      trust: namesIn(xmlAttribute(element, 'trust')) ?? ['root'],
      targets: namesIn(xmlAttribute(element, 'targets')) ?? [],
    };
    if (rule.by.length === 0) this.#error(by, 'by names nobody; write for example "www-data"');
    if (rule.by.includes('root'))
      this.#error(
        by,
        'root cannot be restricted: it follows every link; name what web servers run as',
      );
    return { ...span(element), follow, rule };
  }

  modules(element: XmlElement): ModulesElement {
    return {
      ...span(element),
      require: this.#choice<TrustLevel>(element, 'require', 'modules'),
      ...optionalMode(
        'autoload',
        this.#choice<string>(element, 'autoload', 'modules')?.value,
        'no',
      ),
      deny: childrenOf(element, 'deny').flatMap((each) => {
        const name = this.#name(each, 'name');
        return name === undefined ? [] : [{ name, reason: xmlAttribute(each, 'reason')?.value }];
      }),
    };
  }

  #inherited(element: XmlElement): InheritedBlock {
    const [jail] = childrenOf(element, 'jail');
    const [sites] = childrenOf(element, 'sites');
    const [apps] = childrenOf(element, 'apps');
    const ownApps = apps && readOwnApps(apps, this.#diagnostics);
    const read = jail && this.#tenantJail(jail);
    const setter = sites && this.#value(sites, 'limits', 'setters');
    return {
      ...this.#limits(element),
      ...(read && { jail: read }),
      ...(setter && { siteLimits: setter.value }),
      ...(ownApps && { ownApps }),
    };
  }

  #tenantJail(element: XmlElement): JailElement | undefined {
    const home = xmlAttribute(element, 'home');
    if (home !== undefined)
      this.#error(
        home,
        'Only the jail of a site has "home"; the home of a tenant is its account\'s',
      );
    return this.#jail(element);
  }

  #siteJail(element: XmlElement): JailElement | undefined {
    const jail = this.#jail(element);
    const home = this.#value(element, 'home', 'path');
    const checked = home && checkHome(home.value);
    if (xmlAttribute(element, 'home') === undefined) this.#error(element, homeMissing);
    if (home !== undefined && checked?.ok === false)
      this.#error(home, `A site cannot have this jail: ${formatCause(checked.error)}`);
    if (jail?.profile.value === 'none') this.#error(jail.profile, noneInSite);
    const commands = xmlAttribute(element, 'commands');
    if (commands !== undefined) this.#error(commands, commandsInSite);
    return jail && home && { ...jail, home };
  }

  #jail(element: XmlElement): JailElement | undefined {
    const profile = this.#choice<JailProfile>(element, 'profile', 'jail');
    const children = childrenOf(element, 'path');
    if (children.length > jailPathsMax) {
      this.#error(element, `<jail> has ${children.length} paths; ${jailPathsMax} are the most`);
    }
    const paths = new Map<string, JailPath>();
    for (const each of children) {
      const path = this.#jailPath(each);
      if (path === undefined) continue;
      if (paths.has(path.at))
        this.#error(each, `<path at="${path.at}"> occurs twice; write it once`);
      paths.set(path.at, path);
    }
    if (profile?.value === 'none' && children.length > 0) {
      this.#error(profile, 'A jail with the profile "none" has no paths; remove them');
    }
    // Outer ones first, in mount order.
    const sorted = [...paths.values()].sort((a, b) => (a.at < b.at ? -1 : 1));
    const commands = xmlAttribute(element, 'commands');
    const more = checkJailCommands(namesIn(commands));
    if (!more.ok) this.#error(commands ?? element, formatCause(more.error));
    const databases = xmlAttribute(element, 'databases');
    const shown = checkJailDatabases(namesIn(databases));
    if (!shown.ok) this.#error(databases ?? element, formatCause(shown.error));
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
    const at = this.#value(element, 'at', 'path');
    const access = this.#choice<PathAccess>(element, 'access', 'path');
    if (at === undefined) return undefined;
    const checked = checkJailPath(at.value);
    if (checked.ok) return { at: checked.value, access: access?.value ?? 'read' };
    this.#error(at, formatCause(checked.error));
    return undefined;
  }

  #limits(element: XmlElement): LimitBlock {
    const values = new Map<LimitKey, Located<Quantity>>();
    for (const child of element.children) {
      if (!limitNames.has(child.name)) continue;
      for (const attribute of child.attributes) {
        const key: LimitKey = `${child.name}.${attribute.name}`;
        const value = this.#quantity(key, attribute.value);
        if (value !== undefined) values.set(key, { ...span(attribute.value), value });
      }
    }
    return { values };
  }

  #quantity(key: LimitKey, text: Located<string>): Quantity | undefined {
    const parsed = parseLimit(key, text.value);
    if (parsed === undefined) return undefined;
    if (parsed.ok) return parsed.value;
    this.#error(text, formatCause(parsed.error));
    return undefined;
  }
}

/** Parses an optional mode. `refuse`: the word that makes the kernel refuse. */
function optionalMode<Name extends string>(
  name: Name,
  word: string | undefined,
  refuse: string,
): { readonly [Key in Name]?: StrictMode } {
  if (word !== refuse && word !== 'watch') return {};
  return { [name]: word === 'watch' ? 'watch' : 'on' } as { readonly [Key in Name]: StrictMode };
}

const homeMissing =
  '<jail> of a site needs "home", since sites of a tenant share its home: the directory that is seen instead, for example <jail profile="strict" home="/home/alice/shop"/>';
const noneInSite =
  'A site cannot have the profile "none": it would be outside the jail of its tenant; without <jail> it is in that jail';
const commandsInSite =
  'A site has no "commands": from its jail only sendmail is run, where that of its tenant has it; remove them';

const span = ({ start, end }: Span): Span => ({ start, end });

/** Returns the names; undefined if the attribute is missing; "none" means nobody. */
function namesIn(list: Located<string> | undefined): readonly string[] | undefined {
  const names = words(list).map(({ value }) => value);
  if (list === undefined) return undefined;
  return names.length === 1 && names[0] === 'none' ? [] : names;
}

/** Returns the words of a list separated by spaces or commas, each with its position. */
function words(list: Located<string> | undefined): readonly Located<string>[] {
  if (list === undefined) return [];
  return [...list.value.matchAll(/[^\s,]+/g)].map((match) => {
    const start = list.start + match.index;
    return { value: match[0], start, end: start + match[0].length };
  });
}
