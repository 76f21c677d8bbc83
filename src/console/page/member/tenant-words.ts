/** The words of a tenant's page for root and its reseller. */
import { wordsOfPart } from '../state/language.ts';
import { tenantPage } from '../words/en/tenant-page.ts';

export const tenantWords = wordsOfPart(tenantPage, {
  de: async () => (await import('../words/de/tenant-page.ts')).tenantPage,
});
