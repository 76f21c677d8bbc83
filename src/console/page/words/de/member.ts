/** The German words of the part `member`. */
export { incident } from './incident.ts';
export { tenant } from './tenant.ts';
