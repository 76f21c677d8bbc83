/** What a capability adds to `doctor`: one row, and notes after all of them. */
export interface DoctorReport {
  /** Of at most nine letters. */
  readonly label: string;
  readonly text: string;
  readonly remarks: readonly string[];
}
