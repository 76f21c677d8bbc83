/** The contribution of a capability to `doctor`: one row, and notes after all rows. */
export interface DoctorReport {
  /** The label, of at most nine letters. */
  readonly label: string;
  /** The row, for people. */
  readonly text: string;
  /** Notes that `doctor` prints after all rows. */
  readonly remarks: readonly string[];
}
