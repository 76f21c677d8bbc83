/** The contribution of a capability to `doctor`: one row, and notes after all rows. */
export interface DoctorReport {
  /** The label, of at most nine letters. */
  readonly label: string;
  readonly text: string;
  readonly remarks: readonly string[];
}
