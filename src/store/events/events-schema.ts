/**
 * The tables of `events.db`: incidents with their evidence, faults by time, and when alerts were
 * sent.
 *
 * A severity is stored as a number of `severity-number.ts`. Evidence is JSON, deflated. Faults are counted in slots of five
 * minutes. `tenancies` records each member's current owner, and since when. Incident ids are never reused, not even
 * after the last one was deleted.
 */
import type { Migration } from '../database.ts';

export const eventsFile = 'events.db';
export const slotMilliseconds = 300_000;

export const eventsMigrations: readonly Migration[] = [
  `CREATE TABLE incidents (id INTEGER PRIMARY KEY AUTOINCREMENT, member TEXT NOT NULL,
     limit_key TEXT NOT NULL, severity INTEGER NOT NULL, inferred INTEGER NOT NULL,
     begin_at INTEGER NOT NULL, end_at INTEGER NOT NULL, faults INTEGER NOT NULL,
     value TEXT NOT NULL, source TEXT NOT NULL, snapshots INTEGER NOT NULL DEFAULT 0);
   CREATE INDEX incidents_end ON incidents (end_at);
   CREATE INDEX incidents_member ON incidents (member, id);
   CREATE TABLE snapshots (id INTEGER PRIMARY KEY, incident INTEGER NOT NULL, member TEXT NOT NULL,
     at INTEGER NOT NULL, body BLOB NOT NULL);
   CREATE INDEX snapshots_incident ON snapshots (incident, id);
   CREATE INDEX snapshots_member ON snapshots (member, id);
   CREATE TRIGGER incidents_deleted AFTER DELETE ON incidents
     BEGIN DELETE FROM snapshots WHERE incident = old.id; END;
   CREATE TABLE faults (slot INTEGER NOT NULL, member TEXT NOT NULL, limit_key TEXT NOT NULL,
     count INTEGER NOT NULL, PRIMARY KEY (slot, member, limit_key)) WITHOUT ROWID;
   CREATE TABLE alerts (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
   CREATE INDEX alerts_at ON alerts (at);`,
  // Older incidents have no name, and the members of that time are unknown: all start again.
  `CREATE TABLE tenancies (member TEXT PRIMARY KEY, name TEXT NOT NULL, home TEXT, since INTEGER NOT NULL)
     WITHOUT ROWID;
   ALTER TABLE incidents ADD COLUMN name TEXT NOT NULL DEFAULT '';`,
];
