/**
 * Changes of a release by which resellers gain rights that the host's own file gives: a tenant comes to a reseller, or a
 * package that each reseller with `packages` may give. Such a release says nothing about rights itself, so that only a
 * comparison shows it.
 */
import type { PolicyDocument } from '../document.ts';
import { LineIndex } from '../diagnostic.ts';
import { xmlAttribute, type XmlElement } from '../xml.ts';
import type { RefusedByAccept } from './accept.ts';
import { elementKey } from './element-key.ts';

interface Documents {
  /** The host's own policy. */
  readonly own: PolicyDocument;
  readonly release: PolicyDocument;
  /** The release in force. */
  readonly before: PolicyDocument | undefined;
}

/** Returns what needs the word `rights`, in the order of the release. */
export function needsRights({ own, release, before }: Documents): readonly RefusedByAccept[] {
  const known = before === undefined ? new Set<string>() : placesOf(before.root);
  const ownKeys = new Set(own.root.children.map(keyOf));
  const mayGive = own.resellers.some(({ may }) => may?.value.includes('packages') === true);
  const lines = new LineIndex(release.text);
  const isRight = (each: XmlElement): boolean => {
    if (known.has(placeOf(each))) return false;
    if (each.name === 'tenant') return each.parent?.name === 'reseller' && ownKeys.has(keyOf(each));
    if (each.name !== 'package' || xmlAttribute(each, 'for') !== undefined) return false;
    return mayGive && !ownKeys.has(keyOf(each));
  };
  return elementsOf(release.root)
    .filter(isRight)
    .map((each) => ({ element: shown(each), line: lines.at(each.start).line, word: 'rights' }));
}

/** The packages, tenants and tenants of resellers. */
const elementsOf = (root: XmlElement): readonly XmlElement[] =>
  root.children.flatMap((each) => (each.name === 'reseller' ? [each, ...each.children] : [each]));

const placesOf = (root: XmlElement): ReadonlySet<string> => new Set(elementsOf(root).map(placeOf));

const keyOf = (element: XmlElement): string =>
  elementKey(element.name, (name) => xmlAttribute(element, name)?.value);

/** Returns the key with its parent's, and whether a package names those who may give it. */
function placeOf(element: XmlElement): string {
  const parent = element.parent?.name === 'reseller' ? keyOf(element.parent) : '';
  const isFor = element.name === 'package' && xmlAttribute(element, 'for') !== undefined;
  return `${parent}\n${keyOf(element)}\n${isFor}`;
}

function shown(element: XmlElement): string {
  const by = ['name', 'user', 'uid'].find((name) => xmlAttribute(element, name) !== undefined);
  const named = `${element.name} ${by}="${xmlAttribute(element, by ?? '')?.value}"`;
  return element.name === 'tenant' ? `${named}> inside <reseller` : named;
}
