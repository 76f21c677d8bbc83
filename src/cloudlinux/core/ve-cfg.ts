/**
 * CloudLinux's `/etc/container/ve.cfg`, read as a policy.
 *
 *     <lveconfig>
 *      <defaults>
 *        <cpu limit="25"/>              25 % of the whole machine; "25%" is of one core
 *        <ncpu limit="1"/>              cores; the smaller of cpu and ncpu holds
 *        <io limit="1024"/>             KiB a second, reads and writes together
 *        <pmem limit="262144"/>         pages of 4096 bytes; mem and vmem are address space
 *        <nproc limit="100"/>
 *        <other maxentryprocs="20"/>    concurrent web requests
 *      </defaults>
 *      <package id="gold"> … </package>
 *      <lve id="532"> … </lve>          a uid
 *     </lveconfig>
 *
 * 0 is unlimited, and missing limits are inherited: lve, package, defaults. Only the control panel
 * knows which package each user has. Places in the document and in diagnostics refer to the ve.cfg.
 * Source: docs.cloudlinux.com, "Limits".
 */
import type { Diagnostic, Located, Span } from '../../policy/diagnostic.ts';
import type {
  PackageElement,
  PolicyDocument,
  TenantElement,
  TenantName,
  UidRange,
} from '../../policy/document.ts';
import type { ParsedPolicy } from '../../policy/parse.ts';
import type { PolicyFormat } from '../../apply/policy-format.ts';
import type { Account } from '../../policy/policy.ts';
import { cutName, nearestName } from '../../policy/names.ts';
import { uidMax, userPattern } from '../../policy/value-kinds.ts';
import { formatPolicy } from '../../policy/format.ts';
import { Findings } from './ve-cfg-findings.ts';
import { LimitReader, span, type Block, type LveMachine } from './ve-cfg-limits.ts';
import { childrenOf, parseXml, xmlAttribute, type XmlElement } from '../../policy/xml.ts';

export { exportVeCfg } from './ve-cfg-export.ts';

export interface VeCfgOptions extends LveMachine {
  /** The uids that are tenants without being listed; CloudLinux limits every user. */
  readonly uids?: UidRange;
  /** The accounts; if given, tenants are written by name. */
  readonly accounts?: readonly Account[];
  /** The members of each package, by the package's id; the ve.cfg does not record them. */
  readonly packageMembers?: ReadonlyMap<string, readonly TenantName[]>;
}

const defaultUids: UidRange = { first: 1000, last: 59_999 };

/** A ve.cfg as a policy. */
export const veCfg: PolicyFormat = {
  name: 've.cfg',
  editHint: 'see "bulkhead import"',
  matches: isVeCfg,
  parse: parseVeCfg,
};

export function parseVeCfg(file: string, text: string, options: VeCfgOptions): ParsedPolicy {
  const findings = new Findings(file, text);
  return { document: read(file, text, options, findings), diagnostics: findings.diagnostics };
}

/**
 * Rewrites a ve.cfg as a policy, with comments on what changed. There is no text if the file has
 * errors.
 */
export function importVeCfg(
  file: string,
  text: string,
  options: VeCfgOptions,
): { readonly text: string | undefined; readonly diagnostics: readonly Diagnostic[] } {
  const findings = new Findings(file, text);
  const { diagnostics, remarks, leftOut } = findings;
  const document = read(file, text, options, findings);
  const list = diagnostics.list.toSorted((a, b) => a.line - b.line || a.column - b.column);
  if (document === undefined || diagnostics.failed) return { text: undefined, diagnostics: list };
  const notes = list.map((each) => `- line ${each.line}: ${each.message}`);
  const header = [
    `Made from ${file} by "bulkhead import", for a machine of ${options.cores} cores.`,
    ...(notes.length > 0 ? ['What differs from the original:', ...notes] : []),
  ];
  const footer = leftOut.length > 0 ? ['Not understood and not in effect:', ...leftOut] : [];
  return { text: formatPolicy(document, { header, remarks, footer }), diagnostics: list };
}

/** Whether the first element is a ve.cfg's; comments do not count. */
function isVeCfg(text: string): boolean {
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++;
    const close = text.startsWith('<!--', at)
      ? '-->'
      : text.startsWith('<?', at)
        ? '?>'
        : undefined;
    if (close === undefined) return /^<lveconfig[\s/>]/.test(text.slice(at, at + 11));
    const end = text.indexOf(close, at);
    if (end === -1) return false;
    at = end + close.length;
  }
}

function read(
  file: string,
  text: string,
  options: VeCfgOptions,
  findings: Findings,
): PolicyDocument | undefined {
  const { diagnostics } = findings;
  const root = parseXml(text, diagnostics);
  if (root === undefined) return undefined;
  if (root.name !== 'lveconfig') {
    diagnostics.error(root, `The root element is <${root.name}>, not <lveconfig>`);
    return undefined;
  }
  const document = new Reader(options, findings).document(file, text, root);
  findings.reportGathered();
  return document;
}

/** The vendor's defaults for limits that the defaults of the file leave out. */
const vendorDefaults: Readonly<Record<string, string>> = {
  cpu: '100%',
  pmem: '262144',
  io: '1024',
  iops: '1024',
  nproc: '100',
  other: '20',
};

class Reader {
  readonly #options: VeCfgOptions;
  readonly #findings: Findings;
  readonly #limits: LimitReader;
  readonly #byUid: ReadonlyMap<number, Account>;
  /** The names of packages in the policy. */
  readonly #names = new Set<string>();

  constructor(options: VeCfgOptions, findings: Findings) {
    this.#options = options;
    this.#findings = findings;
    this.#limits = new LimitReader(options, findings);
    this.#byUid = new Map(options.accounts?.map((each) => [each.uid, each]));
  }

  document(file: string, text: string, root: XmlElement): PolicyDocument {
    const [defaultsXml, ...again] = childrenOf(root, 'defaults');
    for (const each of again)
      this.#findings.diagnostics.error(each, '<defaults> appears twice; write it once');
    this.#reportUnknown(root, ['defaults', 'package', 'lve']);
    const defaults = defaultsXml && this.#limits.block(defaultsXml);
    this.#noteMissingDefaults(defaultsXml ?? root, defaultsXml);
    const blocks = new Map<string, Block>();
    const packages = childrenOf(root, 'package').flatMap((xml) =>
      this.#package(xml, defaults, blocks),
    );
    return {
      file,
      text,
      root,
      tenantRanges: [
        {
          ...span(root),
          uids: [{ ...span(root), value: this.#options.uids ?? defaultUids }],
          except: [],
          package: undefined,
        },
      ],
      defaults: defaults && {
        ...this.#limits.merged(defaults, []),
        ...span(defaultsXml),
        xml: defaultsXml,
      },
      packages,
      resellers: [],
      tenants: this.#tenants(root, packages, defaults, blocks),
      driver: undefined,
      limitMode: undefined,
      agent: undefined,
      symlinks: undefined,
      modules: undefined,
      diagnostics: this.#findings.diagnostics,
    };
  }

  #reportUnknown(root: XmlElement, known: readonly string[]): void {
    for (const each of root.children) {
      if (known.includes(each.name)) continue;
      if (each.name === 'system')
        this.#findings.gather('note', each, '<system> has no counterpart here');
      else this.#findings.notUnderstood(each);
    }
  }

  #noteMissingDefaults(at: Span, defaults: XmlElement | undefined): void {
    const missing = Object.entries(vendorDefaults)
      .filter(([name]) => !defaults?.children.some((each) => each.name === name))
      .map(([name, value]) => `${name} ${value}`);
    if (missing.length === 0) return;
    this.#findings.diagnostics.add(
      'note',
      at.start,
      `The defaults leave out limits that CloudLinux sets by itself and that are unlimited here: ${missing.join(', ')}`,
    );
  }

  #package(
    xml: XmlElement,
    defaults: Block | undefined,
    blocks: Map<string, Block>,
  ): readonly PackageElement[] {
    const id = xmlAttribute(xml, 'id');
    if (id === undefined) {
      this.#findings.diagnostics.error(xml, '<package> needs the attribute "id", its name');
      return [];
    }
    if (blocks.has(id.value)) {
      this.#findings.diagnostics.error(id, `The package "${id.value}" is defined twice`);
      return [];
    }
    const block = this.#limits.block(xml);
    const name = this.#packageName(id);
    blocks.set(id.value, block);
    return [{ ...this.#limits.merged(block, [defaults]), ...span(xml), name, xml }];
  }

  /**
   * Returns the package's name; names that the policy's language does not allow get another, with a
   * warning.
   */
  #packageName(id: Located<string>): Located<string> {
    const base = nearestName(id.value);
    let name = base;
    for (let number = 2; this.#names.has(name); number++) name = `${cutName(base, 60)} ${number}`;
    this.#names.add(name);
    if (name === id.value) return id;
    this.#findings.diagnostics.warn(id, `The package "${id.value}" is called "${name}" here`);
    return { ...id, value: name };
  }

  #tenants(
    root: XmlElement,
    packages: readonly PackageElement[],
    defaults: Block | undefined,
    blocks: ReadonlyMap<string, Block>,
  ): readonly TenantElement[] {
    const memberships = this.#memberships(packages);
    const listed = new Set<string>();
    const tenants = childrenOf(root, 'lve').flatMap((xml): readonly TenantElement[] => {
      const name = this.#tenantName(xml);
      if (name === undefined) return [];
      const key = nameKey(name.value);
      if (listed.has(key)) {
        this.#findings.diagnostics.error(
          name,
          `The lve "${xmlAttribute(xml, 'id')?.value}" is listed twice`,
        );
        return [];
      }
      listed.add(key);
      const pack = memberships.get(key);
      const block = this.#limits.block(xml);
      const above = [pack && blocks.get(packageId(pack)), defaults];
      const merged = this.#limits.merged(block, above);
      return [{ ...merged, ...span(xml), name, package: pack?.name, sites: [], xml }];
    });
    const others = [...memberships].flatMap(([key, pack]) =>
      listed.has(key) ? [] : [member(key, pack)],
    );
    return [...tenants, ...others];
  }

  /** Returns the package of each tenant. */
  #memberships(packages: readonly PackageElement[]): ReadonlyMap<string, PackageElement> {
    const { packageMembers } = this.#options;
    const [first] = packages;
    if (packageMembers === undefined && first !== undefined) {
      this.#findings.gather(
        'note',
        first,
        'The file does not record who has a package; set it at each tenant',
      );
    }
    return new Map(
      packages.flatMap((pack) =>
        (packageMembers?.get(packageId(pack)) ?? []).map((name) => [
          nameKey(this.#known(name)),
          pack,
        ]),
      ),
    );
  }

  /** Returns the name if the account is known, as tenants are written. */
  #known(name: TenantName): TenantName {
    if (name.kind === 'user') return name;
    const user = this.#byUid.get(name.uid)?.user;
    return user === undefined || !userPattern.test(user) ? name : { kind: 'user', user };
  }

  #tenantName(xml: XmlElement): Located<TenantName> | undefined {
    const id = xmlAttribute(xml, 'id');
    const uid = /^\d{1,10}$/.test(id?.value ?? '') ? Number(id?.value) : NaN;
    if (id === undefined || !(uid <= uidMax)) {
      this.#findings.diagnostics.error(id ?? xml, '<lve> needs the attribute "id", a uid');
      return undefined;
    }
    if (uid === 0) {
      this.#findings.notUnderstood(xml);
      return undefined;
    }
    const user = xmlAttribute(xml, 'user');
    const account = this.#byUid.get(uid);
    if (user !== undefined && account !== undefined && account.user !== user.value) {
      this.#findings.diagnostics.warn(
        user,
        `Uid ${uid} is "${account.user}" on this host, not "${user.value}"`,
      );
    }
    return { ...span(id), value: this.#known({ kind: 'uid', uid }) };
  }
}

const packageId = (pack: PackageElement) => xmlAttribute(pack.xml, 'id')?.value ?? pack.name.value;

const nameKey = (name: TenantName) =>
  name.kind === 'user' ? `user ${name.user}` : `uid ${name.uid}`;

/** Returns a tenant with only its package. */
function member(key: string, pack: PackageElement): TenantElement {
  const [kind, who = ''] = key.split(' ');
  const name: TenantName =
    kind === 'user' ? { kind: 'user', user: who } : { kind: 'uid', uid: Number(who) };
  const at = span(pack.name);
  return {
    ...at,
    values: new Map(),
    name: { ...at, value: name },
    package: pack.name,
    sites: [],
    xml: pack.xml,
  };
}
