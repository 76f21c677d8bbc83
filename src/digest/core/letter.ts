/**
 * Writes the text of a digest. It is plain text, so that no name in it can become markup. Names are printed without
 * control characters, and a field that is filled in is never read again for fields.
 */
import { printable } from '../../../packages/base/printable.ts';
import type { Digest, DigestAccount, Finding } from './digest.ts';
import { fillText, limitWord, type SentenceKey, type Texts } from './texts/texts.ts';

/** The accounts that one message is about. */
const accountsMax = 30;
const findingsMax = 12;
const subjectMax = 120;

export interface Letter {
  readonly subject: string;
  /** The paragraphs; each is one line. */
  readonly paragraphs: readonly LetterPart[];
}

/** A paragraph, or the heading of an account. */
export interface LetterPart {
  readonly kind: 'heading' | 'text' | 'item';
  readonly text: string;
}

export interface LetterContext {
  readonly host: string;
  readonly timeZone: string;
  readonly texts: Texts;
}

export function writeLetter(digest: Digest, context: LetterContext): Letter {
  const { accounts } = digest;
  const shown = accounts.slice(0, accountsMax);
  const writer = new Writer(digest, context);
  const rest = accounts.length - shown.length;
  const { host } = context;
  return {
    subject: writer.subject(accounts).slice(0, subjectMax),
    paragraphs: [
      writer.text('intro', { host, from: writer.date(digest.from), to: writer.date(digest.to) }),
      ...shown.flatMap((each) => writer.account(each)),
      ...(rest === 0 ? [] : [writer.text('more', { count: String(rest) })]),
      writer.text('advice', {}),
      writer.text('footer', { host }),
    ],
  };
}

class Writer {
  readonly #texts: Texts;
  readonly #host: string;
  readonly #dates: Intl.DateTimeFormat;
  readonly #percents: Intl.NumberFormat;

  constructor({ language }: Digest, { texts, host, timeZone }: LetterContext) {
    this.#texts = texts;
    this.#host = host;
    const day = { weekday: 'long', day: 'numeric', month: 'long' } as const;
    this.#dates = new Intl.DateTimeFormat(language, { ...day, timeZone });
    this.#percents = new Intl.NumberFormat(language, { style: 'percent' });
  }

  date(at: number): string {
    return this.#dates.format(at);
  }

  #filled(key: SentenceKey, fields: Readonly<Record<string, string>>): string {
    const clean = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, printable(value)]),
    );
    return fillText(this.#texts.get(key) ?? '', clean);
  }

  text(key: SentenceKey, fields: Readonly<Record<string, string>>): LetterPart {
    return { kind: 'text', text: this.#filled(key, fields) };
  }

  subject(accounts: readonly DigestAccount[]): string {
    const [first, ...others] = accounts;
    return others.length === 0
      ? this.#filled('subject', { accounts: first?.name ?? '', host: this.#host })
      : this.#filled('subjectMany', { count: String(accounts.length), host: this.#host });
  }

  account({ name, isSum, findings }: DigestAccount): readonly LetterPart[] {
    const heading = isSum ? this.#filled('sum', { account: name }) : printable(name);
    return [
      { kind: 'heading', text: heading },
      ...findings
        .slice(0, findingsMax)
        .map((each): LetterPart => ({ kind: 'item', text: this.#finding(each) })),
    ];
  }

  #finding(finding: Finding): string {
    switch (finding.kind) {
      case 'reached':
        return this.#filled('reached', {
          limit: this.#limit(finding.limit),
          value: finding.value,
          times: String(finding.times),
        });
      case 'busy':
      case 'disk':
        return this.#filled(finding.kind, {
          limit: this.#limit(finding.limit),
          used: finding.used,
          value: finding.value,
          percent: this.#percents.format(finding.fraction),
        });
      case 'full':
        return this.#filled('full', { date: this.date(finding.at) });
    }
  }

  #limit(key: string): string {
    return this.#texts.get(`limit ${limitWord(key)}`) ?? limitWord(key);
  }
}
