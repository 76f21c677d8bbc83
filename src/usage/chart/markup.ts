/** SVG as text. Names come from tenants: whatever they contain stays text. */
import { printable } from '../../../packages/base/printable.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Returns text for the content of an element, or for a value in double quotes. */
export const escapeXml = (text: string): string =>
  printable(text).replace(/[&<>"]/g, (char) => entities[char] ?? '');

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Returns an element; attributes without a value are left out, and `content` is markup already. */
export function element(name: string, attributes: Attributes, ...content: string[]): string {
  const written = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escapeXml(String(value))}"`],
  );
  const open = `<${name}${written.join('')}`;
  return content.length === 0 ? `${open}/>` : `${open}>${content.join('')}</${name}>`;
}
