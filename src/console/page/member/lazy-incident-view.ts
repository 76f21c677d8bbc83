/** The view of an incident, which is loaded with the first one that somebody opens. */
import { lazy } from '../parts/lazy.tsx';

export const IncidentView = lazy(async () => (await import('./incident-view.tsx')).IncidentView);
