/** The attributes of `<database>` that are words: `instance="own"` and `counts="yes"`. */
import { databaseCounts, databaseInstances } from '../../limits/database.ts';
import type { Diagnostics, Located } from '../diagnostic.ts';
import type { InheritedBlock } from '../document.ts';
import { span } from '../elements/located-values.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';

/** Returns what the element of tenants says. */
export function readDatabaseWords(
  element: XmlElement,
  diagnostics: Diagnostics,
): Pick<InheritedBlock, 'databaseInstance' | 'databaseCounts'> {
  const instance = wordIn(element, 'instance', databaseInstances, diagnostics);
  const counts = wordIn(element, 'counts', databaseCounts, diagnostics);
  return {
    ...(instance && { databaseInstance: instance }),
    ...(counts && { databaseCounts: counts }),
  };
}

function wordIn<Word extends string>(
  element: XmlElement,
  name: string,
  known: readonly Word[],
  diagnostics: Diagnostics,
): Located<Word> | undefined {
  const written = attributeOf(element, name);
  if (written === undefined) return undefined;
  const value = known.find((each) => each === written.value);
  if (value !== undefined) return { ...span(written), value };
  const hint = diagnostics.hint(written.value, known);
  diagnostics.error(written, `"${written.value}" is not one of ${known.join(', ')}${hint}`);
  return undefined;
}

const inResellers: Readonly<Record<string, string>> = {
  instance: 'A reseller has no database server; write instance into the package of its tenants',
  counts:
    'The limit of a reseller is of the sum of its tenants; write counts into the package of its tenants',
};

/** Reports them in a reseller, whose limits are of a sum. */
export function refuseDatabaseWords(element: XmlElement, diagnostics: Diagnostics): void {
  for (const [name, message] of Object.entries(inResellers)) {
    const written = attributeOf(element, name);
    if (written !== undefined) diagnostics.error(written, message);
  }
}

function attributeOf(element: XmlElement, name: string): Located<string> | undefined {
  const [database] = childrenOf(element, 'database');
  return database && xmlAttribute(database, name);
}
