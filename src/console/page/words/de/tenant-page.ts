import type { tenantPage as english } from '../en/tenant-page.ts';
import type { Catalogue } from '../words.ts';

export const tenantPage: Catalogue<typeof english> = {
  about: {
    package: (name) => `Paket ${name}`,
    reseller: (name) => `Reseller ${name}`,
    uid: (uid) => `uid ${uid}`,
    sum: 'alle Kunden dieses Resellers zusammen',
    siteOf: (name) => `eine Website von ${name}`,
  },
  openAs: {
    open: (name) => `Öffnen als ${name}…`,
    hint: (name) =>
      `Ein neuer Tab zeigt, was ${name} sieht. Er kann nichts ändern, endet mit dieser Sitzung und wird verzeichnet.`,
    link: (name) => `Die Seite von ${name} öffnen`,
  },
  changes: {
    title: 'Änderungen',
    none: 'Die Richtlinie hat diesen Kunden nicht geändert.',
    older: 'Ältere Änderungen',
  },
};
