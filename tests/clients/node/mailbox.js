// A queue whose reader waits for the next entry.

// Only a broken broker makes a reader wait this long.
const PATIENCE_MS = 15_000;

export class Mailbox {
  constructor(what) {
    this.what = what;
    this.entries = [];
    this.readers = [];
  }

  put(entry) {
    const reader = this.readers.shift();
    if (reader) reader(entry);
    else this.entries.push(entry);
  }

  take() {
    return this.takeWithin(PATIENCE_MS);
  }

  takeWithin(ms) {
    if (this.entries.length > 0) return Promise.resolve(this.entries.shift());
    return new Promise((resolve, reject) => {
      const reader = (entry) => {
        clearTimeout(timer);
        resolve(entry);
      };
      const timer = setTimeout(() => {
        this.readers.splice(this.readers.indexOf(reader), 1);
        reject(new Error(`${this.what} did not come within ${ms / 1000} s`));
      }, ms);
      this.readers.push(reader);
    });
  }
}
