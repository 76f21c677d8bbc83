/** The pages, in the order of the navigation. */
import type { Page } from './page.ts';
import { fleetPage } from './pages/fleet.tsx';
import { incidentsPage } from './pages/incidents.tsx';
import { overviewPage } from './pages/overview.tsx';
import { policyPage, whatIfPage } from './pages/policy.tsx';
import { modulesPage, protectionPage } from './pages/protection.tsx';
import { systemPage } from './pages/system.tsx';
import { incidentPage, ownPage, ownSitePage, tenantPage } from './pages/tenant.tsx';
import { tenantsPage } from './pages/tenants.tsx';

export const pages: readonly Page[] = [
  overviewPage,
  ownPage,
  tenantsPage,
  tenantPage,
  ownSitePage,
  incidentsPage,
  incidentPage,
  policyPage,
  whatIfPage,
  protectionPage,
  modulesPage,
  fleetPage,
  systemPage,
];
