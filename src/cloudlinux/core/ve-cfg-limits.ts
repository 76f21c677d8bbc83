/**
 * The limits inside one element of a ve.cfg, in the policy's units. `ve-cfg.ts` documents each
 * element.
 */
import { formatCause } from '../../../packages/base/problem.ts';
import type { LimitKey } from '../../limits/limit.ts';
import {
  formatQuantity,
  unlimited,
  type CpuFraction,
  type Quantity,
} from '../../../packages/base/quantity.ts';
import type { Located, Span } from '../../policy/diagnostic.ts';
import type { LimitBlock } from '../../policy/document.ts';
import { parseLimit } from '../../policy/parse-limit.ts';
import type { Findings } from './ve-cfg-findings.ts';
import { xmlAttribute, type XmlElement } from '../../policy/xml.ts';

/** CPU as written: two limits that are inherited one by one; the smaller applies. */
interface Cpu {
  readonly cpu: Located<Quantity> | undefined;
  readonly ncpu: Located<Quantity> | undefined;
}

export interface Block extends LimitBlock, Cpu {}

/** Limits that are one number, and how the policy writes them. */
const plainLimits: Readonly<
  Record<string, { attribute: string; key: LimitKey; say: (n: number) => string }>
> = {
  pmem: { attribute: 'limit', key: 'memory.limit', say: (pages) => `${pages * 4}KiB` },
  io: { attribute: 'limit', key: 'io.total', say: (n) => `${n}KiB/s` },
  iops: { attribute: 'limit', key: 'io.operations', say: (n) => `${n}/s` },
  nproc: { attribute: 'limit', key: 'processes.limit', say: String },
  other: { attribute: 'maxentryprocs', key: 'entries.limit', say: String },
};

/** The machine that the file was written for. */
export interface LveMachine {
  readonly cores: number;
  readonly coreMegahertz?: number;
}

export class LimitReader {
  readonly #machine: LveMachine;
  readonly #findings: Findings;

  constructor(machine: LveMachine, findings: Findings) {
    this.#machine = machine;
    this.#findings = findings;
  }

  block(xml: XmlElement): Block {
    const values = new Map<LimitKey, Located<Quantity>>();
    let cpu: Located<Quantity> | undefined;
    let ncpu: Located<Quantity> | undefined;
    const seen = new Set<string>();
    for (const child of xml.children) {
      if (seen.has(child.name)) {
        this.#findings.diagnostics.error(
          child,
          `<${child.name}> appears twice inside this <${xml.name}>`,
        );
        continue;
      }
      seen.add(child.name);
      if (child.name === 'cpu') cpu = this.#cpuLimit(child, (text) => this.#cpu(text));
      else if (child.name === 'ncpu') ncpu = this.#cpuLimit(child, (text) => this.#ncpu(text));
      else if (child.name === 'mem' || child.name === 'vmem') this.#addressSpace(child);
      else this.#plain(child, values);
    }
    return { values, cpu, ncpu };
  }

  #plain(element: XmlElement, values: Map<LimitKey, Located<Quantity>>): void {
    const limit = Object.hasOwn(plainLimits, element.name) ? plainLimits[element.name] : undefined;
    if (limit === undefined) return this.#findings.notUnderstood(element);
    const text = this.#textOf(element, limit.attribute);
    if (text === undefined) return;
    const value = this.#number(limit.key, text, limit.say);
    if (value !== undefined) values.set(limit.key, { ...span(text), value });
  }

  #cpuLimit(
    element: XmlElement,
    read: (text: Located<string>) => Quantity | undefined,
  ): Located<Quantity> | undefined {
    const text = this.#textOf(element, 'limit');
    if (text === undefined) return undefined;
    const value = read(text);
    return value === undefined ? undefined : { ...span(text), value };
  }

  #textOf(element: XmlElement, attribute: string): Located<string> | undefined {
    for (const each of element.attributes) {
      if (each.name === attribute) continue;
      this.#findings.gather(
        'warning',
        each,
        `<${element.name} ${each.name}="…"> is not understood and left out`,
      );
    }
    const text = xmlAttribute(element, attribute);
    if (text === undefined) {
      this.#findings.diagnostics.error(
        element,
        `<${element.name}> needs the attribute "${attribute}"`,
      );
    }
    return text;
  }

  #number(
    key: LimitKey,
    text: Located<string>,
    say: (number: number) => string,
  ): Quantity | undefined {
    if (!/^\d{1,15}$/.test(text.value)) {
      this.#findings.diagnostics.error(text, `"${text.value}" is not a whole number`);
      return undefined;
    }
    return this.#quantity(
      key,
      text,
      Number(text.value) === 0 ? unlimited : say(Number(text.value)),
    );
  }

  #quantity(key: LimitKey, at: Span, text: string): Quantity | undefined {
    const parsed = parseLimit(key, text);
    if (parsed?.ok) return parsed.value;
    this.#findings.diagnostics.error(
      at,
      parsed === undefined ? `There is no limit "${key}"` : formatCause(parsed.error),
    );
    return undefined;
  }

  #cpu(text: Located<string>): Quantity | undefined {
    const match = /^(\d{1,9}(?:\.\d{1,6})?)\s?(%|mhz|ghz)?$/i.exec(text.value);
    const number = Number(match?.[1]);
    if (match === null) {
      this.#findings.diagnostics.error(
        text,
        `"${text.value}" is not a CPU limit; write for example "25" or "100%"`,
      );
      return undefined;
    }
    if (number === 0) return unlimited;
    const unit = match[2]?.toLowerCase();
    if (unit === '%') return this.#quantity('cpu.limit', text, `${number}%`);
    if (unit !== undefined) return this.#clock(text, unit === 'ghz' ? number * 1000 : number);
    const { cores } = this.#machine;
    this.#findings.remarks.set(text.start, `${number}% of ${cores} cores`);
    this.#findings.gather(
      'note',
      text,
      `A "cpu" without "%" is a share of the whole machine; it is converted for ${cores} cores`,
    );
    return this.#quantity('cpu.limit', text, percent((number / 100) * cores));
  }

  #clock(text: Located<string>, megahertz: number): Quantity | undefined {
    const { coreMegahertz } = this.#machine;
    if (coreMegahertz === undefined) {
      this.#findings.diagnostics.error(
        text,
        `"${text.value}" is a clock rate, which needs that of a core; pass --core-mhz to "bulkhead import"`,
      );
      return undefined;
    }
    this.#findings.remarks.set(text.start, `${megahertz} MHz of ${coreMegahertz} MHz`);
    this.#findings.gather(
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
    const limit = xmlAttribute(element, 'limit');
    if (limit === undefined || Number(limit.value) === 0) return;
    this.#findings.gather(
      'warning',
      limit,
      `"${element.name}" limits address space, which is dropped here; "pmem" is the memory limit`,
    );
  }

  /** Adds the smaller of cpu and ncpu, each inherited separately from the blocks `above`. */
  merged(block: Block, above: readonly (Block | undefined)[]): LimitBlock {
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
    const cores = formatQuantity('cpu', ncpu ?? unlimited);
    const earlier = this.#findings.remarks.get(own.start);
    this.#findings.remarks.set(
      own.start,
      `${earlier === undefined ? '' : `${earlier}, `}ncpu allows ${cores}`,
    );
    if (block.ncpu !== undefined) return;
    this.#findings.diagnostics.warn(
      own,
      `The inherited "ncpu" allows ${cores}, less than the ${formatQuantity('cpu', cpu)} written here; the smaller holds`,
    );
  }
}

function smaller(a: Quantity, b: Quantity): Quantity {
  if (a === unlimited) return b;
  return b === unlimited || a <= b ? a : b;
}

const percent = (fraction: number) => formatQuantity('cpu', fraction as CpuFraction);

export const span = ({ start, end }: Span): Span => ({ start, end });
