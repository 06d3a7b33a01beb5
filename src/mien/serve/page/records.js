// The records of this page, kept in memory until they are downloaded or the page is closed.
const MOST = 50000;
const EXTRAS = ["events", "sentence", "caption", "steady", "skipped", "latency_ms"];

export class Records {
  constructor() {
    this.lines = [];
    this.becameFull = false; // with the last record
  }

  static most = MOST;

  // Only what `mien look --jsonl` writes too.
  add(answer) {
    const record = { ...answer };
    for (const key of EXTRAS) delete record[key];
    this.push(JSON.stringify(record));
  }

  push(line) {
    this.lines.push(line);
    this.becameFull = this.lines.length > MOST;
    if (this.becameFull) {
      this.lines.splice(0, MOST / 10);
    }
  }

  save() {
    const url = URL.createObjectURL(new Blob([`${this.lines.join("\n")}\n`], { type: "application/jsonl" }));
    const link = document.createElement("a");
    const stamp = new Date().toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
    link.href = url;
    link.download = `mien-${stamp}.jsonl`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }
}
