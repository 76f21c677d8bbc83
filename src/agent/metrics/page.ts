/** The text of a metrics page as it is written: families with their HELP and TYPE, samples and labels. */
import type { ExpositionFormat } from './content-type.ts';

export interface Family {
  /** The family's name; for a member's family, without the prefix `bulkhead_tenant_` or `bulkhead_reseller_`. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
}

const chunkCharacters = 64 * 1024;

/** The text written so far. */
export class Page {
  text = '';
  readonly #format: ExpositionFormat;

  constructor(format: ExpositionFormat) {
    this.#format = format;
  }

  get full(): boolean {
    return this.text.length >= chunkCharacters;
  }

  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }

  head(name: string, type: Family['type'], help: string): void {
    // In OpenMetrics the name of a counter's family lacks the suffix of its samples.
    const family = this.#format === 'openmetrics' ? name.replace(/_total$/, '') : name;
    this.text += `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n`;
  }

  /** Adds a family with a single sample. */
  single(
    name: string,
    type: Family['type'],
    help: string,
    value: number | undefined,
    labels = '',
  ): void {
    if (value === undefined) return;
    this.head(name, type, help);
    this.text += labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`;
  }

  /** Adds a family with a sample for each state of the agent: 1 for the current one. */
  states(what: string, help: string, states: readonly string[], now: string): void {
    const name = `bulkhead_agent_${what}`;
    this.head(name, 'gauge', help);
    for (const state of states) this.text += `${name}{state="${state}"} ${Number(state === now)}\n`;
  }
}

/**
 * Escapes a label's value. The format escapes these three; a lone carriage return would garble the page on a terminal.
 */
export function labelValue(text: string): string {
  return text.replace(/[\\"\n\r]/g, (char) => escapes[char] ?? '');
}
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '',
};
