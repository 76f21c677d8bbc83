/**
 * The output of `apache2 -D DUMP_CONFIG -t` with mod_info: all of the configuration, flattened.
 *
 *     # In file: /etc/apache2/sites-enabled/shop.conf
 *     #   2:
 *     <VirtualHost *:80>
 *       #   3:
 *       ServerName "shop.example"
 *     </VirtualHost>
 *
 * Directives and their lines are Apache's own: includes, Define and IfModule are resolved.
 * Source: mod_info.c, ap_getword_conf() of server/util.c.
 */
import { depthMax, type Directive, type ReadProblem } from '../directive.ts';

interface ApacheConfiguration {
  readonly directives: readonly Directive[];
  readonly problems: readonly ReadProblem[];
}

interface OpenSection {
  readonly section: Omit<Directive, 'block'>;
  readonly inside: Directive[];
}

export function parseApacheDump(text: string): ApacheConfiguration {
  const top: Directive[] = [];
  const problems: ReadProblem[] = [];
  const open: OpenSection[] = [];
  let inside = top;
  let file = '';
  let line = 0;
  const close = () => {
    const section = open.pop();
    if (section === undefined) return;
    section.inside.push({ ...section.section, block: inside });
    inside = section.inside;
  };
  for (const each of text.split('\n')) {
    const content = each.trim();
    if (content.startsWith('#')) {
      const at = commentOf(content);
      file = at.file ?? file;
      line = at.line ?? line;
    } else if (content.startsWith('</')) close();
    else if (content.startsWith('<') && open.length === depthMax) {
      problems.push({ file, line, message: `it is nested more than ${depthMax} deep` });
      break;
    } else if (content.startsWith('<')) {
      const [name = '', ...args] = apacheWords(content.replace(/^<|>$/g, ''));
      open.push({ section: { name: name.toLowerCase(), args, file, line }, inside });
      inside = [];
    } else if (content !== '') {
      const [name = '', ...args] = apacheWords(content);
      inside.push({ name: name.toLowerCase(), args, file, line });
    }
  }
  while (open.length > 0) close();
  return { directives: top, problems };
}

const inFile = '# In file: ';

function commentOf(content: string): { readonly file?: string; readonly line?: number } {
  if (content.startsWith(inFile)) return { file: content.slice(inFile.length) };
  const line = /^# *(\d{1,9}):$/.exec(content)?.[1];
  return line === undefined ? {} : { line: Number(line) };
}

/** Splits words at blanks. A quoted word can contain blanks, and its quote after a backslash. */
export function apacheWords(text: string): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at < text.length;) {
    const char = text[at] ?? '';
    if (/\s/.test(char)) {
      at++;
      continue;
    }
    const isQuote = char === '"' || char === "'";
    const end = isQuote ? closingQuote(text, at + 1, char) : endOfWord(text, at);
    const word = text.slice(isQuote ? at + 1 : at, end);
    words.push(isQuote ? word.replaceAll(`\\${char}`, char).replaceAll('\\\\', '\\') : word);
    at = isQuote ? end + 1 : end;
  }
  return words;
}

function closingQuote(text: string, from: number, quote: string): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at;
  }
  return text.length;
}

function endOfWord(text: string, from: number): number {
  let at = from;
  while (at < text.length && !/\s/.test(text[at] ?? '')) at++;
  return at;
}
