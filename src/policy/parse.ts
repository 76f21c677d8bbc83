/**
 * Policy text → PolicyDocument. Reports every error of the file at once, each with its position.
 *
 * Two passes: the first checks each element against the vocabulary (`check-element.ts`), the second parses the
 * values of those that passed.
 */
import { formatCause } from '../../packages/base/problem.ts';
import type { TrustLevel } from '../../packages/modules/core/evidence/trust-level.ts';
import { checkElement } from './check-element.ts';
import { Diagnostics, type Located, type Span } from './diagnostic.ts';
import type { AppElement } from './apps/app.ts';
import type {
  DriverName,
  InheritedBlock,
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
import { readApp, readOwnApps } from './apps/parse-app.ts';
import { readConsole } from './elements/parse-console.ts';
import { readDatabaseWords, refuseDatabaseWords } from './databases/parse-words.ts';
import { readFleet, refuseFleetPolicy } from './fleet/fleet-element.ts';
import type { Sources } from './fleet/sources.ts';
import { readDatabases } from './databases/parse-databases.ts';
import { readPanel } from './panel/parse-panel.ts';
import { LocatedValues, namesIn, span, words } from './elements/located-values.ts';
import { JailReader } from './elements/parse-jail.ts';
import { ReachReader, refuseSharedPorts } from './network/parse-reach.ts';
import { readLimits } from './elements/parse-limits.ts';
import type { AlertWords } from './settings.ts';
import { specOf } from './vocabulary.ts';
import { parseRange } from './value-kinds.ts';
import { childrenOf, parseXml, xmlAttribute, type XmlElement } from './xml.ts';

export interface ParsedPolicy {
  /** Absent if the text is not a policy at all. */
  readonly document: PolicyDocument | undefined;
  readonly diagnostics: Diagnostics;
  /** Whether a part of the policy is missing, so that what it means is not known. */
  readonly isPartial?: true;
}

/**
 * `words` name the subjects of alerts that are not limits. `sources`: the places that a merged text comes from, which
 * diagnostics name.
 */
export function parsePolicy(
  file: string,
  text: string,
  words: AlertWords = new Map(),
  sources?: Sources,
): ParsedPolicy {
  const diagnostics = new Diagnostics(file, text, sources);
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
  const isFleets = refuseFleetPolicy(root, diagnostics);
  const document = new Reader(diagnostics, words).document(file, text, root);
  const { tenants, resellers } = document;
  const all = [...tenants, ...resellers.flatMap((each) => each.tenants)];
  refuseSharedPorts(
    all.flatMap(({ listen }) => listen ?? []),
    diagnostics,
  );
  return { document, diagnostics, ...(isFleets && { isPartial: true as const }) };
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
  readonly #values: LocatedValues;
  readonly #jails: JailReader;
  readonly #reaches: ReachReader;

  constructor(diagnostics: Diagnostics, words: AlertWords = new Map()) {
    this.#diagnostics = diagnostics;
    this.#words = words;
    this.#values = new LocatedValues(diagnostics);
    this.#jails = new JailReader(diagnostics);
    this.#reaches = new ReachReader(diagnostics);
  }

  document(file: string, text: string, root: XmlElement): PolicyDocument {
    this.#values.value(root, 'version', 'version');
    const [host] = childrenOf(root, 'host');
    const [agent] = childrenOf(root, 'agent');
    const [defaults] = childrenOf(root, 'defaults');
    const [browserConsole] = childrenOf(root, 'console');
    const [panel] = childrenOf(root, 'panel');
    const [databases] = childrenOf(root, 'databases');
    const [fleet] = childrenOf(root, 'fleet');
    const [symlinks] = childrenOf(root, 'symlinks');
    const [modules] = childrenOf(root, 'modules');
    const [placement] = childrenOf(root, 'placement');
    const strict = placement && this.#values.choice<string>(placement, 'strict', 'placement');
    return {
      file,
      text,
      root,
      tenantRanges: childrenOf(root, 'tenants').map((each) => this.#tenants(each)),
      defaults: defaults && { ...span(defaults), ...this.#inherited(defaults), xml: defaults },
      packages: childrenOf(root, 'package').flatMap((each) => {
        const name = this.#name(each, 'name');
        const givenBy = xmlAttribute(each, 'for');
        const extra = givenBy && { for: words(givenBy).filter(({ value }) => value !== 'none') };
        return name === undefined
          ? []
          : [{ ...span(each), ...this.#inherited(each), name, ...extra, xml: each }];
      }),
      resellers: childrenOf(root, 'reseller').flatMap((each) => this.#reseller(each)),
      tenants: childrenOf(root, 'tenant').flatMap((each) => this.#tenant(each)),
      driver: host && this.#values.choice<DriverName>(host, 'driver', 'host'),
      limitMode: host && this.#values.choice<LimitMode>(host, 'limits', 'host'),
      agent: agent && readAgent(agent, this.#diagnostics, this.#words),
      console: browserConsole && readConsole(browserConsole, this.#diagnostics),
      panel: panel && readPanel(panel, this.#diagnostics),
      databases: databases && readDatabases(databases, this.#diagnostics),
      fleet: fleet && readFleet(fleet, this.#diagnostics),
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
    const may = this.#values.value(element, 'may', 'rights');
    refuseDatabaseWords(element, this.#diagnostics);
    return [
      {
        ...span(element),
        ...readLimits(element, this.#diagnostics),
        name,
        package: packageName,
        tenants,
        ...(may && { may }),
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
    const name = this.#values.value(element, 'name', 'site');
    const { values } = readLimits(element, this.#diagnostics);
    const [child] = childrenOf(element, 'jail');
    const jail = child && this.#jails.site(child);
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
      const read = this.#values.value(element, 'user', 'user');
      return read && { ...read, value: { kind: 'user', user: read.value } };
    }
    if (uid !== undefined) {
      const read = this.#values.value(element, 'uid', 'uid');
      return read && { ...read, value: { kind: 'uid', uid: read.value } };
    }
    this.#error(
      element,
      `<${element.name}> needs the attribute "user", for example ${specOf(element.name).example}`,
    );
    return undefined;
  }

  #name(element: XmlElement, attribute: string): Located<string> | undefined {
    return this.#values.value(element, attribute, 'name');
  }

  #symlinks(element: XmlElement): PolicyDocument['symlinks'] {
    const follow = this.#values.choice<string>(element, 'follow', 'symlinks');
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
      require: this.#values.choice<TrustLevel>(element, 'require', 'modules'),
      ...optionalMode(
        'autoload',
        this.#values.choice<string>(element, 'autoload', 'modules')?.value,
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
    const [reach] = childrenOf(element, 'reach');
    const [listen] = childrenOf(element, 'listen');
    const [sites] = childrenOf(element, 'sites');
    const [apps] = childrenOf(element, 'apps');
    const ownApps = apps && readOwnApps(apps, this.#diagnostics);
    const read = jail && this.#jails.tenant(jail);
    const setter = sites && this.#values.value(sites, 'limits', 'setters');
    return {
      ...readLimits(element, this.#diagnostics),
      ...(read && { jail: read }),
      ...(reach && { reach: this.#reaches.reach(reach) }),
      ...(listen && { listen: this.#reaches.listen(listen) }),
      ...(setter && { siteLimits: setter.value }),
      ...(ownApps && { ownApps }),
      ...readDatabaseWords(element, this.#diagnostics),
    };
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
