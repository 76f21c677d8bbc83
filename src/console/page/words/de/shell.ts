import type { Words } from '../words.ts';

export const shell: Words['shell'] = {
  product: 'Bulkhead',
  pages: {
    overview: 'Übersicht',
    tenants: 'Kunden',
    incidents: 'Vorfälle',
    system: 'Mehr',
  },
  navigation: 'Seiten',
  skipToContent: 'Zum Inhalt',
  skipToFind: 'Zum Suchfeld',
  find: 'Kunde, Reseller oder Paket suchen',
  sortedTenants: 'Kunden nach Verbrauch',
  connecting: 'Verbindung wird aufgebaut…',
  live: (time) => `Live · ${time}`,
  reconnecting: 'Neue Verbindung…',
  paused: 'Angehalten',
  theme: 'Farben',
  themes: { system: 'wie das System', light: 'hell', dark: 'dunkel' },
  language: 'Sprache',
  asUser: (user) => `als ${user}`,
  readOnly: 'nur lesen',
  signOut: 'Abmelden',
  noSuchPage: 'Diese Seite gibt es nicht',
  noSuchPageHint:
    'Die Adresse stammt vielleicht aus einer anderen Version oder ist für andere Rechte.',
  toOverview: 'Zur Übersicht',
  login: {
    title: 'Anmelden',
    how: 'Dieser Befehl auf dem Server, als root oder als Kunde, gibt eine Adresse aus, die einmal anmeldet.',
    ended: 'Die Sitzung ist beendet.',
    badCode: 'Der Anmeldecode gilt nicht: er wurde benutzt oder ist älter als zwei Minuten.',
    failed: 'Die Anmeldung ist gescheitert.',
    inFrame: 'Diese Seite steht im Rahmen eines Kontrollpanels. Bitte dort neu laden.',
  },
};
