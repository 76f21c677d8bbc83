/** Calls a function at a steady pace, by a monotonic clock. A call that is late is not made up for. */
export class Ticker implements Disposable {
  readonly #tick: () => void;
  #interval = 5000;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(tick: () => void) {
    this.#tick = tick;
  }

  start(intervalMilliseconds: number): void {
    this.#interval = intervalMilliseconds;
    this.#next = performance.now();
    this.#run();
  }

  /** Sets the pace from the next tick on; sooner if the new pace is faster. */
  setInterval(intervalMilliseconds: number): void {
    if (intervalMilliseconds === this.#interval) return;
    this.#interval = intervalMilliseconds;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#next = performance.now() + intervalMilliseconds;
    this.#wait();
  }

  #run(): void {
    this.#tick();
    const now = performance.now();
    this.#next += this.#interval;
    if (this.#next < now) this.#next = now + this.#interval;
    this.#wait();
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#run(), this.#next - performance.now());
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
