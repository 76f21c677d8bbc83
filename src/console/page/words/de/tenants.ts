import { numbersOf } from '../numbers.ts';
import type { tenants as english } from '../en/tenants.ts';
import type { Catalogue } from '../words.ts';

const { count } = numbersOf('de');

export const tenants: Catalogue<typeof english> = {
  columns: {
    tenant: 'Kunde',
    cpu: 'CPU',
    memory: 'Speicher',
    disk: 'Platte',
    processes: 'Prozesse',
    course: 'CPU, zuletzt',
    limits: 'An der Grenze',
  },
  filter: 'Filter',
  search: 'Name, Reseller oder Paket',
  all: 'Alle',
  atLimit: 'An einer Grenze',
  near: 'Über 90 %',
  active: 'Aktiv',
  group: 'Gruppen',
  ungrouped: 'keine',
  byReseller: 'nach Reseller',
  noReseller: 'ohne Reseller',
  atItsLimit: (limits) => `Grenze: ${limits}`,
  none: 'Kein Kunde wird gezeigt',
  noneHint: 'Kein Kunde passt zum Filter.',
  showAll: 'Alle Kunden zeigen',
  empty: 'Es gibt noch keine Kunden',
  emptyHint: 'Die Richtlinie nennt die Kunden. Dieser Befehl fügt einen hinzu:',
  recentFaults: (value) => `${count(value, { one: 'Treffer', other: 'Treffer' })} in 5 min`,
};
