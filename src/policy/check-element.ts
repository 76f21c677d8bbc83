/**
 * Checks an element against the vocabulary: its name, its attributes and children, required parts, and parts that may
 * not be repeated. Values are parsed later, by `parse.ts`.
 */
import type { Limit } from '../limits/limit.ts';
import { limits } from '../limits/limits.ts';
import type { Diagnostics } from './diagnostic.ts';
import { childNames, mayContain, specOf, type ElementSpec } from './vocabulary.ts';
import { xmlAttribute, type XmlElement } from './xml.ts';

/** Checks an element and all its descendants. */
export function checkElement(
  element: XmlElement,
  spec: ElementSpec,
  diagnostics: Diagnostics,
): void {
  checkAttributes(element, Object.keys(spec.attributes), diagnostics);
  for (const [name, attribute] of Object.entries(spec.attributes)) {
    if (attribute.required && xmlAttribute(element, name) === undefined) {
      diagnostics.error(
        element,
        `<${element.name}> needs the attribute "${name}", for example ${spec.example}`,
      );
    }
  }
  const seen = new Set<string>();
  for (const child of element.children) {
    if (!mayContain(spec, child.name)) {
      const why = spec.withoutLimits?.[child.name];
      if (why !== undefined) {
        const isFormer = spec.formerLimits?.includes(child.name) === true;
        const message = `<${child.name}> cannot be inside <${element.name}>: ${why}`;
        if (isFormer) diagnostics.warn(child, `${message}; it has no effect, so remove it`);
        else diagnostics.error(child, message);
        continue;
      }
      const hint = diagnostics.hint(child.name, childNames(spec));
      diagnostics.error(child, `<${child.name}> is not known inside <${element.name}>${hint}`);
      continue;
    }
    const limit = limits.find((each) => each.name === child.name);
    const repeats = limit === undefined && specOf(child.name).repeats;
    if (!repeats && seen.has(child.name)) {
      diagnostics.error(
        child,
        `<${child.name}> occurs twice inside this <${element.name}>; write it once`,
      );
    }
    seen.add(child.name);
    if (limit === undefined) checkElement(child, specOf(child.name), diagnostics);
    else checkLimit(child, limit, diagnostics);
  }
}

function checkLimit(element: XmlElement, limit: Limit, diagnostics: Diagnostics): void {
  const names = Object.keys({ ...limit.attributes, ...limit.words });
  checkAttributes(element, names, diagnostics);
  for (const child of element.children) {
    diagnostics.error(
      child,
      `<${child.name}> is not known inside <${element.name}>, which is empty`,
    );
  }
  if (element.attributes.length === 0) {
    diagnostics.error(
      element,
      `<${element.name}> limits nothing; write ${names.join(', ')} as an attribute, or remove it`,
    );
  }
}

function checkAttributes(
  element: XmlElement,
  known: readonly string[],
  diagnostics: Diagnostics,
): void {
  for (const attribute of element.attributes) {
    if (known.includes(attribute.name)) continue;
    const hint = diagnostics.hint(attribute.name, known);
    diagnostics.error(attribute, `<${element.name}> has no attribute "${attribute.name}"${hint}`);
  }
}
