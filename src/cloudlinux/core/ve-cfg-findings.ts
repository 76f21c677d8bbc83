/** The findings of reading a ve.cfg, apart from its limits. */
import { Diagnostics, type Diagnostic, type Span } from '../../policy/diagnostic.ts';
import type { XmlElement } from '../../policy/xml.ts';

export class Findings {
  readonly diagnostics: Diagnostics;
  /** Remarks on values in a policy made of the file, by the start of the value. */
  readonly remarks = new Map<number, string>();
  /** Source text that is not understood, line by line. */
  readonly leftOut: string[] = [];
  readonly #text: string;
  readonly #gathered = new Map<
    string,
    { severity: Diagnostic['severity']; at: Span; count: number }
  >();

  constructor(file: string, text: string) {
    this.#text = text;
    this.diagnostics = new Diagnostics(file, text);
  }

  /**
   * Gathers a message; it is reported once a file, at its first place, with the number of places.
   */
  gather(severity: 'warning' | 'note', at: Span, message: string): void {
    const known = this.#gathered.get(message);
    if (known === undefined) this.#gathered.set(message, { severity, at, count: 1 });
    else known.count++;
  }

  reportGathered(): void {
    for (const [message, { severity, at, count }] of this.#gathered) {
      const more = count > 1 ? ` (${count} places)` : '';
      this.diagnostics.add(severity, at.start, message + more);
    }
    this.#gathered.clear();
  }

  notUnderstood(element: XmlElement): void {
    const inside = element.parent?.name ?? '';
    this.diagnostics.warn(
      element,
      `<${element.name}> inside <${inside}> is not understood and left out`,
    );
    this.leftOut.push(...this.#text.slice(element.start, element.end).split(/\r?\n/));
  }
}
