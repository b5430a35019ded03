/**
 * Work for what was asked last. One piece of work runs at a time. What is asked meanwhile waits, and only the last of
 * it is done.
 *
 * @template Asked
 */
export class Latest {
  /**
   * @param {(asked: Asked) => Promise<void>} work must not throw.
   * @param {number} pause milliseconds without a new question before work begins.
   */
  constructor(work, pause) {
    this.work = work;
    this.pause = pause;
    this.isBusy = false;
    /** @type {{asked: Asked} | null} */
    this.waiting = null;
    this.timer = 0;
  }

  /**
   * Ask for work.
   *
   * @param {Asked} asked
   */
  ask(asked) {
    this.waiting = { asked };
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#begin(), this.pause);
  }

  /** @returns {boolean} whether something else was asked since the work that runs began. */
  get isOutdated() {
    return this.waiting !== null;
  }

  /** Forget what waits. */
  stop() {
    clearTimeout(this.timer);
    this.waiting = null;
  }

  async #begin() {
    if (this.isBusy || !this.waiting) return;
    const { asked } = this.waiting;
    this.waiting = null;
    this.isBusy = true;
    try {
      await this.work(asked);
    } finally {
      this.isBusy = false;
    }
    this.#begin();
  }
}
