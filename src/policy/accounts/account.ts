/** The relevant fields of one line of /etc/passwd. */
export interface Account {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}
