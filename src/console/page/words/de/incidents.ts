import type { incidentsPage as english } from '../en/incidents.ts';
import type { Catalogue } from '../words.ts';

export const incidentsPage: Catalogue<typeof english> = {
  period: 'Zeitraum',
  periods: { day: '24 h', week: '7 Tage', month: '30 Tage', year: '400 Tage' },
  severity: 'Wie schlimm',
  all: 'Alle',
  ended: 'Beendet',
  refusedOrWorse: 'Abgelehnt oder schlimmer',
  slowedOrWorse: 'Gebremst oder schlimmer',
  tenant: 'Kunde',
  columns: {
    severity: 'Wirkung',
    tenant: 'Kunde',
    limit: 'Grenze',
    faults: 'Treffer',
    begin: 'Beginn',
    duration: 'Dauer',
  },
  none: 'Kein Vorfall wird gezeigt',
  noneHint: 'In diesem Zeitraum wurde keine Grenze erreicht, oder der Filter verbirgt es.',
  onlyLatest: (shown, total) => `Die letzten ${shown} von ${total}`,
  moment: 'ein Moment',
  inferred: 'erschlossen',
  ofAllTenants: 'alle seine Kunden zusammen',
};
