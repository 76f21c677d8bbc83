/** The kind of database server that `<database instance="own"/>` gives a tenant. */
import { databaseInstances } from '../../limits/database.ts';
import type { Diagnostics, Located } from '../diagnostic.ts';
import { span } from '../elements/located-values.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import type { DatabaseInstance } from './own-database.ts';

/** Returns what the element of tenants says; undefined if it says nothing. */
export function readInstance(
  element: XmlElement,
  diagnostics: Diagnostics,
): Located<DatabaseInstance> | undefined {
  const written = attributeOf(element);
  if (written === undefined) return undefined;
  const value = databaseInstances.find((each) => each === written.value);
  if (value !== undefined) return { ...span(written), value };
  const hint = diagnostics.hint(written.value, databaseInstances);
  const known = databaseInstances.join(', ');
  diagnostics.error(written, `"${written.value}" is not one of ${known}${hint}`);
  return undefined;
}

/** Reports it in a reseller, whose limits are of a sum. */
export function refuseInstance(element: XmlElement, diagnostics: Diagnostics): void {
  const written = attributeOf(element);
  if (written === undefined) return;
  diagnostics.error(
    written,
    'A reseller has no database server; write instance into the package of its tenants',
  );
}

function attributeOf(element: XmlElement): Located<string> | undefined {
  const [database] = childrenOf(element, 'database');
  return database && xmlAttribute(database, 'instance');
}
