/**
 * CloudLinux's `/etc/container/ve.cfg`, read as the policy that it is.
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
 * 0 is unlimited, and what is missing is inherited: lve, package, defaults. Which user has which
 * package is known to the control panel only. Places in the document and in diagnostics are those
 * of the ve.cfg. Source: docs.cloudlinux.com, "Limits".
 */
import type { LimitKey } from '../limits/limit.ts';
import { printQuantity, unlimited, type CpuFraction, type Quantity } from '../units/quantity.ts';
import { Diagnostics, type Diagnostic, type Located, type Span } from './diagnostic.ts';
import type {
  LimitBlock,
  PackageElement,
  PolicyDocument,
  TenantElement,
  TenantName,
  UidRange,
} from './document.ts';
import {
  attributeOf,
  mostUid,
  namePattern,
  parseLimit,
  userPattern,
  type ParsedPolicy,
} from './parse.ts';
import type { Account } from './policy.ts';
import { printPolicy } from './print.ts';
import { parseXml, type XmlElement } from './xml.ts';

export { exportVeCfg } from './ve-cfg-export.ts';

export interface VeCfgOptions {
  /** Of the machine that the file was written for; "25" means 25 % of all of them. */
  readonly cores: number;
  /** Clock of one core, for limits in MHz and GHz. */
  readonly coreMegahertz?: number;
  /** Who is a tenant without being listed; CloudLinux limits every user. */
  readonly uids?: UidRange;
  /** With these, tenants are written by name. */
  readonly accounts?: readonly Account[];
  /** Who has which package, by the package's id; the ve.cfg does not say. */
  readonly packageMembers?: ReadonlyMap<string, readonly TenantName[]>;
}

const usualUids: UidRange = { first: 1000, last: 59_999 };

/** A ve.cfg as a policy. */
export function parseVeCfg(file: string, text: string, options: VeCfgOptions): ParsedPolicy {
  const { document, diagnostics } = read(file, text, options);
  return { document, diagnostics };
}

/** A ve.cfg written anew as a policy, with comments on what changed. No text where it has errors. */
export function importVeCfg(
  file: string,
  text: string,
  options: VeCfgOptions,
): { readonly text: string | undefined; readonly diagnostics: readonly Diagnostic[] } {
  const { document, diagnostics, remarks, leftOut } = read(file, text, options);
  if (document === undefined || diagnostics.failed) {
    return { text: undefined, diagnostics: diagnostics.list };
  }
  const notes = diagnostics.list.map((each) => `- line ${each.line}: ${each.message}`);
  const header = [
    `Made from ${file} by "bulkhead import", for a machine of ${options.cores} cores.`,
    ...(notes.length > 0 ? ['What is not the same as it was:', ...notes] : []),
  ];
  const footer = leftOut.length > 0 ? ['Not understood, and not in force:', ...leftOut] : [];
  const policy = printPolicy(document, { header, remarks, footer });
  return { text: policy, diagnostics: diagnostics.list };
}

export const isVeCfg = (text: string) => /<lveconfig[\s/>]/.test(text);

interface Read extends ParsedPolicy {
  /** By the start of the value that they are about. */
  readonly remarks: ReadonlyMap<number, string>;
  /** Source text of what is not understood. */
  readonly leftOut: readonly string[];
}

function read(file: string, text: string, options: VeCfgOptions): Read {
  const diagnostics = new Diagnostics(file, text);
  const root = parseXml(text, diagnostics);
  const reader = new Reader(text, options, diagnostics);
  const { remarks, leftOut } = reader;
  if (root === undefined) return { document: undefined, diagnostics, remarks, leftOut };
  if (root.name !== 'lveconfig') {
    diagnostics.error(root, `The root element is <${root.name}>, not <lveconfig>`);
    return { document: undefined, diagnostics, remarks, leftOut };
  }
  const document = reader.document(file, root);
  reader.sayGathered();
  return { document, diagnostics, remarks, leftOut };
}

/** CPU as written: two limits that are inherited one by one, and of which the smaller holds. */
interface Cpu {
  readonly cpu: Located<Quantity> | undefined;
  readonly ncpu: Located<Quantity> | undefined;
}

interface Block extends LimitBlock, Cpu {}

/** Limits that are one number, and how they are said in the policy. */
const plainLimits: Readonly<
  Record<string, { attribute: string; keys: readonly LimitKey[]; say: (n: number) => string }>
> = {
  pmem: { attribute: 'limit', keys: ['memory.limit'], say: (pages) => `${pages * 4}KiB` },
  io: { attribute: 'limit', keys: ['io.read', 'io.write'], say: (n) => `${n}KiB/s` },
  iops: { attribute: 'limit', keys: ['io.reads', 'io.writes'], say: (n) => `${n}/s` },
  nproc: { attribute: 'limit', keys: ['processes.limit'], say: String },
  other: { attribute: 'maxentryprocs', keys: ['entries.limit'], say: String },
};

/** What CloudLinux uses where the defaults of the file say nothing. */
const vendorDefaults: Readonly<Record<string, string>> = {
  cpu: '100%',
  pmem: '262144',
  io: '1024',
  iops: '1024',
  nproc: '100',
  other: '20',
};

const together = (what: string) =>
  `"${what}" bounds reads and writes together; here each of them is bounded by itself, so both at once may reach twice as much`;

class Reader {
  readonly remarks = new Map<number, string>();
  readonly leftOut: string[] = [];
  readonly #text: string;
  readonly #options: VeCfgOptions;
  readonly #diagnostics: Diagnostics;
  readonly #byUid: ReadonlyMap<number, Account>;
  /** What is said once a file, at its first place. */
  readonly #gathered = new Map<string, { severity: 'warning' | 'note'; at: Span; count: number }>();

  constructor(text: string, options: VeCfgOptions, diagnostics: Diagnostics) {
    this.#text = text;
    this.#options = options;
    this.#diagnostics = diagnostics;
    this.#byUid = new Map(options.accounts?.map((each) => [each.uid, each]));
  }

  document(file: string, root: XmlElement): PolicyDocument {
    const [defaultsXml, ...again] = childrenOf(root, 'defaults');
    for (const each of again)
      this.#diagnostics.error(each, '<defaults> stands twice; write it once');
    this.#reportUnknown(root, ['defaults', 'package', 'lve']);
    const defaults = defaultsXml && this.#block(defaultsXml);
    this.#noteMissingDefaults(defaultsXml ?? root, defaultsXml);
    const blocks = new Map<string, Block>();
    const packages = childrenOf(root, 'package').flatMap((xml) =>
      this.#package(xml, defaults, blocks),
    );
    return {
      file,
      text: this.#text,
      root,
      tenantRanges: [
        {
          ...span(root),
          uids: [{ ...span(root), value: this.#options.uids ?? usualUids }],
          except: [],
          package: undefined,
        },
      ],
      defaults: defaults && {
        ...this.#merged(defaults, []),
        ...span(defaultsXml),
        xml: defaultsXml,
      },
      packages,
      resellers: [],
      tenants: this.#tenants(root, packages, defaults, blocks),
      driver: undefined,
      symlinks: undefined,
      modules: undefined,
      diagnostics: this.#diagnostics,
    };
  }

  sayGathered(): void {
    for (const [message, { severity, at, count }] of this.#gathered) {
      const more = count > 1 ? ` (${count} places)` : '';
      this.#diagnostics.add(severity, at.start, message + more);
    }
  }

  #gather(severity: 'warning' | 'note', at: Span, message: string): void {
    const known = this.#gathered.get(message);
    if (known === undefined) this.#gathered.set(message, { severity, at, count: 1 });
    else known.count++;
  }

  #reportUnknown(root: XmlElement, known: readonly string[]): void {
    for (const each of root.children) {
      if (known.includes(each.name)) continue;
      if (each.name === 'system') this.#gather('note', each, '<system> has no counterpart here');
      else this.#notUnderstood(each);
    }
  }

  #notUnderstood(element: XmlElement): void {
    const path = element.parent?.name ?? '';
    this.#diagnostics.warn(
      element,
      `<${element.name}> inside <${path}> is not understood and left out`,
    );
    this.leftOut.push(...this.#text.slice(element.start, element.end).split(/\r?\n/));
  }

  #noteMissingDefaults(at: Span, defaults: XmlElement | undefined): void {
    for (const [name, value] of Object.entries(vendorDefaults)) {
      if (defaults?.children.some((each) => each.name === name)) continue;
      this.#diagnostics.add(
        'note',
        at.start,
        `The defaults say nothing of "${name}", for which CloudLinux uses ${value}; here it is unlimited`,
      );
    }
  }

  #package(
    xml: XmlElement,
    defaults: Block | undefined,
    blocks: Map<string, Block>,
  ): readonly PackageElement[] {
    const id = attributeOf(xml, 'id');
    if (id === undefined) {
      this.#diagnostics.error(xml, '<package> needs the attribute "id", its name');
      return [];
    }
    if (blocks.has(id.value)) {
      this.#diagnostics.error(id, `The package "${id.value}" is defined twice`);
      return [];
    }
    const block = this.#block(xml);
    const name = this.#packageName(id, blocks);
    blocks.set(id.value, block);
    return [{ ...this.#merged(block, [defaults]), ...span(xml), name, xml }];
  }

  /** Names that the policy's language has no room for get another, which is said. */
  #packageName(id: Located<string>, taken: ReadonlyMap<string, unknown>): Located<string> {
    if (namePattern.test(id.value)) return id;
    const base = packageNameFor(id.value);
    let name = base;
    for (let number = 2; taken.has(name); number++) name = `${base.slice(0, 60)} ${number}`;
    this.#diagnostics.warn(id, `The package "${id.value}" is called "${name}" here`);
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
        this.#diagnostics.error(name, `The lve "${attributeOf(xml, 'id')?.value}" is there twice`);
        return [];
      }
      listed.add(key);
      const pack = memberships.get(key);
      const block = this.#block(xml);
      const above = [pack && blocks.get(packageId(pack)), defaults];
      const merged = this.#merged(block, above);
      return [{ ...merged, ...span(xml), name, package: pack?.name, xml }];
    });
    const others = [...memberships].flatMap(([key, pack]) =>
      listed.has(key) ? [] : [member(key, pack)],
    );
    return [...tenants, ...others];
  }

  /** Who has which package, by tenant. */
  #memberships(packages: readonly PackageElement[]): ReadonlyMap<string, PackageElement> {
    const { packageMembers } = this.#options;
    const [first] = packages;
    if (packageMembers === undefined && first !== undefined) {
      this.#gather('note', first, 'The file does not say who has a package; say it at each tenant');
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

  /** By name where the account is known, as tenants are written. */
  #known(name: TenantName): TenantName {
    if (name.kind === 'user') return name;
    const user = this.#byUid.get(name.uid)?.user;
    return user === undefined || !userPattern.test(user) ? name : { kind: 'user', user };
  }

  #tenantName(xml: XmlElement): Located<TenantName> | undefined {
    const id = attributeOf(xml, 'id');
    const uid = /^\d{1,10}$/.test(id?.value ?? '') ? Number(id?.value) : NaN;
    if (id === undefined || !(uid <= mostUid)) {
      this.#diagnostics.error(id ?? xml, '<lve> needs the attribute "id", a uid');
      return undefined;
    }
    if (uid === 0) {
      this.#notUnderstood(xml);
      return undefined;
    }
    const user = attributeOf(xml, 'user');
    const account = this.#byUid.get(uid);
    if (user !== undefined && account !== undefined && account.user !== user.value) {
      this.#diagnostics.warn(
        user,
        `Uid ${uid} is "${account.user}" on this host, not "${user.value}"`,
      );
    }
    return { ...span(id), value: this.#known({ kind: 'uid', uid }) };
  }

  #block(xml: XmlElement): Block {
    const values = new Map<LimitKey, Located<Quantity>>();
    let cpu: Located<Quantity> | undefined;
    let ncpu: Located<Quantity> | undefined;
    const seen = new Set<string>();
    for (const child of xml.children) {
      if (seen.has(child.name)) {
        this.#diagnostics.error(child, `<${child.name}> stands twice inside this <${xml.name}>`);
        continue;
      }
      seen.add(child.name);
      if (child.name === 'cpu') cpu = this.#limitOf(child, 'limit', (text) => this.#cpu(text));
      else if (child.name === 'ncpu')
        ncpu = this.#limitOf(child, 'limit', (text) => this.#ncpu(text));
      else if (child.name === 'mem' || child.name === 'vmem') this.#addressSpace(child);
      else this.#plain(child, values);
    }
    return { values, cpu, ncpu };
  }

  #plain(element: XmlElement, values: Map<LimitKey, Located<Quantity>>): void {
    const limit = Object.hasOwn(plainLimits, element.name) ? plainLimits[element.name] : undefined;
    if (limit === undefined) return this.#notUnderstood(element);
    for (const key of limit.keys) {
      const value = this.#limitOf(element, limit.attribute, (text) =>
        this.#number(key, text, limit.say),
      );
      if (value === undefined) return;
      values.set(key, value);
      if (limit.keys.length > 1 && value.value !== unlimited) {
        this.#gather('note', value, together(element.name));
      }
    }
  }

  #limitOf(
    element: XmlElement,
    attribute: string,
    read: (text: Located<string>) => Quantity | undefined,
  ): Located<Quantity> | undefined {
    for (const each of element.attributes) {
      if (each.name === attribute) continue;
      this.#gather(
        'warning',
        each,
        `<${element.name} ${each.name}="…"> is not understood and left out`,
      );
    }
    const text = attributeOf(element, attribute);
    if (text === undefined) {
      this.#diagnostics.error(element, `<${element.name}> needs the attribute "${attribute}"`);
      return undefined;
    }
    const value = read(text);
    return value === undefined ? undefined : { ...span(text), value };
  }

  #number(
    key: LimitKey,
    text: Located<string>,
    say: (number: number) => string,
  ): Quantity | undefined {
    if (!/^\d{1,15}$/.test(text.value)) {
      this.#diagnostics.error(text, `"${text.value}" is not a whole number`);
      return undefined;
    }
    return this.#quantity(
      key,
      text,
      Number(text.value) === 0 ? unlimited : say(Number(text.value)),
    );
  }

  #quantity(key: LimitKey, at: Span, said: string): Quantity | undefined {
    const parsed = parseLimit(key, said);
    if (parsed?.ok) return parsed.value;
    this.#diagnostics.error(at, parsed?.error ?? `There is no limit "${key}"`);
    return undefined;
  }

  #cpu(text: Located<string>): Quantity | undefined {
    const match = /^(\d{1,9}(?:\.\d{1,6})?)\s?(%|mhz|ghz)?$/i.exec(text.value);
    const number = Number(match?.[1]);
    if (match === null) {
      this.#diagnostics.error(
        text,
        `"${text.value}" is not a CPU limit; write for example "25" or "100%"`,
      );
      return undefined;
    }
    if (number === 0) return unlimited;
    const unit = match[2]?.toLowerCase();
    if (unit === '%') return this.#quantity('cpu.limit', text, `${number}%`);
    if (unit !== undefined) return this.#clock(text, unit === 'ghz' ? number * 1000 : number);
    const { cores } = this.#options;
    this.#remark(text, `${number}% of ${cores} cores`);
    this.#gather(
      'note',
      text,
      `A "cpu" without "%" is a share of the whole machine; it is converted for ${cores} cores`,
    );
    return this.#quantity('cpu.limit', text, percent((number / 100) * cores));
  }

  #clock(text: Located<string>, megahertz: number): Quantity | undefined {
    const { coreMegahertz } = this.#options;
    if (coreMegahertz === undefined) {
      this.#diagnostics.error(
        text,
        `"${text.value}" is a clock rate, which says nothing without that of a core; pass --core-mhz`,
      );
      return undefined;
    }
    this.#remark(text, `${megahertz} MHz of ${coreMegahertz} MHz`);
    this.#gather(
      'warning',
      text,
      `A clock rate is converted for cores of ${coreMegahertz} MHz; the share of time stays when the clock changes`,
    );
    return this.#quantity('cpu.limit', text, percent(megahertz / coreMegahertz));
  }

  #ncpu(text: Located<string>): Quantity | undefined {
    return this.#number('cpu.limit', text, (cores) => `${cores} cores`);
  }

  #addressSpace(element: XmlElement): void {
    const limit = attributeOf(element, 'limit');
    if (limit === undefined || Number(limit.value) === 0) return;
    this.#gather(
      'warning',
      limit,
      `"${element.name}" limits address space, which is dropped here; "pmem" is the memory limit`,
    );
  }

  #remark(at: Span, remark: string): void {
    this.remarks.set(at.start, remark);
  }

  /** Puts the smaller of cpu and ncpu in, each inherited by itself from what is `above`. */
  #merged(block: Block, above: readonly (Block | undefined)[]): LimitBlock {
    if (block.cpu === undefined && block.ncpu === undefined) return { values: block.values };
    const chain = [block, ...above.filter((each) => each !== undefined)];
    const cpu = chain.find((each) => each.cpu !== undefined)?.cpu;
    const ncpu = chain.find((each) => each.ncpu !== undefined)?.ncpu;
    const own = block.cpu ?? block.ncpu;
    if (own === undefined) return { values: block.values };
    const held = smaller(cpu?.value ?? unlimited, ncpu?.value ?? unlimited);
    if (cpu !== undefined && held !== cpu.value) this.#cut(own, cpu.value, ncpu?.value, block);
    return { values: new Map([['cpu.limit', { ...span(own), value: held }], ...block.values]) };
  }

  #cut(own: Span, cpu: Quantity, ncpu: Quantity | undefined, block: Block): void {
    const cores = printQuantity('cpu', ncpu ?? unlimited);
    const earlier = this.remarks.get(own.start);
    this.#remark(own, `${earlier === undefined ? '' : `${earlier}, `}ncpu allows ${cores}`);
    if (block.ncpu !== undefined) return;
    this.#diagnostics.warn(
      own,
      `The inherited "ncpu" allows ${cores}, less than the ${printQuantity('cpu', cpu)} written here; the smaller holds`,
    );
  }
}

function smaller(a: Quantity, b: Quantity): Quantity {
  if (a === unlimited) return b;
  return b === unlimited || a <= b ? a : b;
}

const percent = (fraction: number) => printQuantity('cpu', fraction as CpuFraction);

/** What is left of a package's id when all that a name may not hold is replaced. */
function packageNameFor(id: string): string {
  const name = id.replace(/[^\p{L}\p{N} ._@+-]/gu, '_').slice(0, 64);
  return /^[\p{L}\p{N}]/u.test(name) ? name : `p${name}`.slice(0, 64);
}

const packageId = (pack: PackageElement) => attributeOf(pack.xml, 'id')?.value ?? pack.name.value;

const nameKey = (name: TenantName) =>
  name.kind === 'user' ? `user ${name.user}` : `uid ${name.uid}`;

/** A tenant of which only its package is known. */
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
    xml: pack.xml,
  };
}

const childrenOf = (element: XmlElement, name: string) =>
  element.children.filter((child) => child.name === name);

const span = ({ start, end }: Span): Span => ({ start, end });
